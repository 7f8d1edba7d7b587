"""A stream is cut in the middle of its answer: the next provider takes it up, and the reader does not notice."""

import trio

import manus
from manus.testing import FAULTS, Script, SimProvider, serve_sim, sim_config

TEXT = "A rope is only as good as the knot at the end of it, and a knot only as good as the hand that ties it."


async def main() -> None:
    breaking = SimProvider("openai", Script(text=TEXT, fault=FAULTS["cut-body"]))
    steady = SimProvider("anthropic", Script(text=TEXT))
    async with serve_sim(breaking) as first, serve_sim(steady) as second:
        config = sim_config({"cloud": first, "spare": second}, retry={"same_deployment": 0})
        async with manus.open_agent(config, keep_books=False) as agent:
            async with agent.stream("What is a rope good for?") as stream:
                async for chunk in stream:
                    print(chunk.delta, end="", flush=True)
            response = await stream.response()
            print(f"\nwhole: {response.content == TEXT}")
            for attempt in response.route.attempts:
                print(f"  {attempt.deployment}: {attempt.role}, {attempt.result}, {attempt.booking}")

            # Whoever would rather know: `restart` streams the new answer from its start, `error` raises.
            stream = agent.stream("And now?", on_interrupt="error")
            try:
                await stream.response()
            except manus.StreamingError as error:
                print(f"{error.kind}, after {error.partial_text!r}")


trio.run(main)
