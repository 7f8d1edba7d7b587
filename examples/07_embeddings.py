"""Find the nearest text by its vector. A real model puts texts of one meaning side by side; the simulated one here
draws its vectors from the letters alone, so that only equal texts are alike."""

from collections.abc import Sequence

import trio

import manus
from manus.testing import SimProvider, serve_sim, sim_config

PASSAGES = ["The river rises in spring.", "Ropes are counted twice.", "Lanterns burn low at dawn."]


def likeness(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))  # vectors of these models have the length 1


async def main() -> None:
    async with serve_sim(SimProvider("openai")) as server:
        async with manus.open_agent(sim_config({"openai": server}), keep_books=False) as agent:
            passages = await agent.embed(PASSAGES)
            question = await agent.embed("Ropes are counted twice.")
            print(f"{passages.dimensions} dimensions, {passages.usage.total_tokens} tokens from {passages.provider}")
            scores = [likeness(vector, question.vectors[0]) for vector in passages.vectors]
            for score, passage in sorted(zip(scores, PASSAGES, strict=True), reverse=True):
                print(f"{score:.2f} {passage}")


trio.run(main)
