"""Print an answer as it comes, leave another in the middle, and see that both are in the books."""

import trio

import manus
from manus.testing import Script, SimProvider, serve_sim, sim_config


async def main() -> None:
    async with serve_sim(SimProvider("ollama", Script(words=40, gap_s=0.01))) as server:
        async with manus.open_agent(sim_config({"ollama": server}), keep_books=False) as agent:
            async for chunk in agent.stream("Tell me a story."):
                print(chunk.delta, end="", flush=True)
            print()

            # Leaving the block would cancel the call upstream as well; `cancel` also waits for what it cost.
            async with agent.stream("Tell me another one.") as stream:
                async for chunk in stream:
                    print(f"Only the beginning of this one: {chunk.delta}")
                    break
                cut = await stream.cancel()
            print(f"{cut.finish_reason}: {cut.usage.output_tokens} tokens of output, {cut.usage.source}")

            books = (await agent.get_usage_stats()).total
            print(f"{books.requests} calls, {books.settled} settled, {books.output_tokens} tokens of output")


trio.run(main)
