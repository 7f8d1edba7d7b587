"""A process to be killed: the whole agent under load, noting on the side what it was told.

    python -m tests.kill.agent_child CONFIG NOTES SEED

Notes, each true when it is written:

    asked NAME                          a request is about to be made; its prompt begins with NAME, its tag is NAME
    answered NAME INPUT OUTPUT COST     it was answered, and its settlement is durable
    failed NAME                         it failed
"""

from __future__ import annotations

import itertools
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio

import manus
from manus.agent import LLMAgent
from manus.errors import LLMError
from tests.kill.books_child import Notes

CLIENTS = 16


async def ask(agent: LLMAgent, notes: Notes, name: str, providers: Sequence[str], rng: random.Random) -> None:
    """Ask one question, streamed or not, of whichever provider comes first by chance."""
    notes.write("asked", name)
    prompt = f"{name} " + "tell me a story of the harbour " * rng.randrange(1, 200)
    provider = rng.choice(providers)
    try:
        if rng.random() < 0.5:
            response = await agent.generate(prompt, provider=provider, tags=(name,), max_tokens=200)
        else:
            async with agent.stream(prompt, provider=provider, tags=(name,), max_tokens=200) as stream:
                async for _ in stream:
                    pass
                response = await stream.response()
    except LLMError:
        notes.write("failed", name)
        return
    usage = response.usage
    if usage.durable:
        notes.write("answered", name, str(usage.input_tokens), str(usage.output_tokens), str(usage.cost_nano_usd))


async def main(settings: dict[str, Any], notes_path: str, seed: str) -> None:
    """Work until killed."""
    notes = Notes(notes_path)
    providers = sorted(settings["providers"])
    numbers = itertools.count()

    async def client(agent: LLMAgent, rng: random.Random) -> None:
        while True:
            await ask(agent, notes, f"{seed}-{next(numbers)}-", providers, rng)

    async with manus.open_agent(settings) as agent, trio.open_nursery() as nursery:
        for number in range(CLIENTS):
            nursery.start_soon(client, agent, random.Random(f"{seed}/{number}"))


if __name__ == "__main__":
    trio.run(main, json.loads(Path(sys.argv[1]).read_bytes()), sys.argv[2], sys.argv[3])
