"""One question, one answer. A simulated provider stands in for a real one: no key, no network."""

import trio

import manus
from manus.testing import Script, SimProvider, serve_sim, sim_config


async def main() -> None:
    provider = SimProvider("openai", Script(text="Trio is a library for structured concurrency in Python."))
    async with serve_sim(provider) as server:
        # With real providers: manus.open_agent("llm.toml"), or no argument to find keys in the environment.
        config = sim_config({"openai": server})
        async with manus.open_agent(config, keep_books=False) as agent:
            response = await agent.generate("What is Trio, in one sentence?")
            print(response.content)
            usage = response.usage
            print(f"{response.provider}/{response.model}: {usage.total_tokens} tokens, ${usage.cost_usd:.6f}")


trio.run(main)
