"""Every way to ask, one function each: the examples of the project's outline, in an asyncio program.

Runs without key or network, against simulated vendors: `python examples/usage_examples.py`. With `--real` it asks what
your own configuration or environment offers. The other examples here are Trio programs; all methods are the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from manus import (
    AgentConfig,
    LLMAgent,
    LLMConfig,
    RoutingCriteria,
    RoutingStrategy,
    StreamChunk,
    StreamHandler,
    create_agent,
    load_config,
    open_sync,
)

CONFIGURATION = """
[general]
default_provider = "openai"
fallback_providers = ["anthropic"]
routing_strategy = "priority"
enable_streaming = true

[providers.openai]
priority = 1
api_key = "${OPENAI_API_KEY}"
base_url = "${OPENAI_BASE_URL}"
models = [
    { name = "gpt-4o", cost_per_input = 5.0, cost_per_output = 15.0 },
    { name = "gpt-4o-mini", cost_per_input = 0.15, cost_per_output = 0.6 },
]

[providers.anthropic]
priority = 2
api_key = "${ANTHROPIC_API_KEY}"
base_url = "${ANTHROPIC_BASE_URL}"
models = [{ name = "claude-sonnet-4-20250514", cost_per_input = 3.0, cost_per_output = 15.0 }]
"""


async def quick_start() -> None:
    """Open an agent on whatever there is, ask, stream, and end it."""
    agent = await create_agent()

    response = await agent.generate("Hello, how are you?")
    print(response.content)

    async for chunk in agent.stream("Tell me a story"):
        print(chunk.delta, end="", flush=True)
    print()

    await agent.shutdown()


async def sse(agent: LLMAgent) -> None:
    """Get an answer as server-sent events, ready to be written to a browser."""
    events = [event async for event in agent.stream_sse("Count to three")]
    print(events[0].rstrip())
    print(f"... {len(events)} events, the last one is {events[-1].splitlines()[1]}")


async def conversation(agent: LLMAgent) -> None:
    """Chat: what was said before is sent along, and kept when a turn fails."""
    await agent.chat("My name is Ada.", "ada")
    response = await agent.chat("What is my name?", "ada")
    history = await agent.get_conversation("ada")
    print(f"{response.conversation_id}: {len(history.exchanges)} exchanges, {response.usage.input_tokens} tokens in")


async def providers(agent: LLMAgent) -> None:
    """See who there is, and make another one the first choice."""
    print(agent.get_available_providers())
    await agent.switch_provider("anthropic")
    response = await agent.generate("Who are you?")
    print(f"{response.provider}/{response.model} of {agent.get_available_providers()}")


async def routing() -> None:
    """Have requests routed by price, and say what the model must be able to do."""
    config = LLMConfig(
        routing_strategy=RoutingStrategy.COST_AWARE,
        fallback_providers=["anthropic", "bedrock"],
    )
    criteria = RoutingCriteria(
        requires_vision=True,
        requires_functions=False,
        prefer_cheap=False,
        task_complexity=8,
    )
    async with await create_agent(config) as agent:
        route = await agent.explain("What is in this picture?", criteria=criteria)
        print(f"{route.strategy}: {', '.join(candidate.deployment for candidate in route.candidates)}")


async def stream_handler() -> None:
    """Have a stream read for you, and be called back."""
    async with await create_agent():
        chunks: list[StreamChunk] = []
        handler = StreamHandler(on_chunk=chunks.append)
        request = {"prompt": "Tell me a story", "temperature": 0.7}
        context = await handler.create_stream(request, "openai", None)
        response = await handler.process_stream("openai", request, context)
        print(f"{context.state}: {len(chunks)} chunks, {response.usage.output_tokens} tokens")


async def agent_config(path: Path) -> None:
    """Load a file, and give one agent defaults of its own."""
    print(", ".join(load_config(path).providers))
    defaults = AgentConfig(provider="openai", model="gpt-4o-mini", temperature=0.2, max_tokens=12)
    async with await create_agent(defaults, config_path=path) as agent:
        response = await agent.generate("Write a long essay")
        print(f"{response.model}: {response.usage.output_tokens} tokens, {response.finish_reason}")


def without_a_loop() -> None:
    """Ask from a plain script or a thread."""
    with open_sync() as agent:
        print(agent.generate("Hello").content)
        print(f"{agent.get_usage_stats().total.requests} requests in the books")


def over_a_pipe() -> None:
    """Ask as a C++ host does: a subprocess, one line of JSON each way."""
    command = [sys.executable, "-m", "manus", "serve", "--stdio"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as host:
        assert host.stdin is not None
        assert host.stdout is not None
        request = {"command": "generate", "params": {"prompt": "Hello!", "temperature": 0.7}}
        print(json.dumps(request), file=host.stdin, flush=True)
        reply = json.loads(host.stdout.readline())
        print(reply["status"], reply["response"]["content"])
        host.stdin.close()


async def main(path: Path) -> None:
    """Run all that is asynchronous."""
    await quick_start()
    async with await create_agent() as agent:
        await sse(agent)
        await conversation(agent)
        await providers(agent)
    await routing()
    await stream_handler()
    await agent_config(path)


@contextlib.contextmanager
def simulated_vendors(directory: Path) -> Iterator[None]:
    """Serve simulated vendors beside this program, and have the environment point at them."""
    command = [
        sys.executable,
        "-m",
        "manus",
        "sim",
        "--wire",
        "openai",
        "--wire",
        "anthropic",
        "--gap-s",
        "0",
        "--json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as simulation:
        try:
            assert simulation.stdout is not None
            for vendor in json.loads(simulation.stdout.readline())["providers"]:
                name = vendor["wire"].upper()
                os.environ |= {f"{name}_BASE_URL": vendor["base_url"], f"{name}_API_KEY": "simulated"}
            os.environ["XDG_STATE_HOME"] = str(directory)  # where the books are kept
            os.chdir(directory)  # where no configuration is found
            yield
        finally:
            simulation.terminate()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        if "--real" not in sys.argv:
            stack.enter_context(simulated_vendors(Path(name)))
        (Path(name) / "example.toml").write_text(CONFIGURATION)
        asyncio.run(main(Path(name) / "example.toml"))
        without_a_loop()
        over_a_pipe()
        os.chdir("/")
