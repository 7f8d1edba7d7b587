"""Talk with a model that remembers, also after a restart: the history is in a file."""

import tempfile
from pathlib import Path

import trio

import manus
from manus.testing import Behaviour, Script, SimProvider, serve_sim, sim_config

MODEL = Behaviour(first=(Script(text="Hello, Ann."), Script(text="You are Ann.")))


async def main(directory: Path) -> None:
    async with serve_sim(SimProvider("openai", MODEL)) as server:
        tables = {"conversations": {"path": str(directory / "chats.sqlite")}, "ledger": {"path": ":memory:"}}
        config = sim_config({"openai": server}, **tables)

        async with manus.open_agent(config) as agent:
            for message in ("I am Ann.", "Who am I?"):
                print(f"Ann: {message}")
                async for chunk in agent.chat_stream(message, "with-ann"):
                    print(chunk.delta, end="", flush=True)
                print()
            conversation = await agent.get_conversation("with-ann")
            print(f"{len(conversation.turns)} turns in history, kept: {conversation.on_disk}")

        async with manus.open_agent(config) as agent:
            first = (await agent.get_conversation("with-ann")).to_dict()["messages"][0]
            print(f"after a restart: {first['role']}: {first['content']}")


with tempfile.TemporaryDirectory() as place:
    trio.run(main, Path(place))
