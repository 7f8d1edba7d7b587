"""The first provider is overloaded: the next one answers, and the route tells the story."""

import trio

import manus
from manus.testing import FAULTS, Script, SimProvider, serve_sim, sim_config


async def main() -> None:
    overloaded = SimProvider("openai", Script(fault=FAULTS["503"]))
    local = SimProvider("ollama", Script(text="Good that there is a second one."))
    async with serve_sim(overloaded) as first, serve_sim(local) as second:
        config = sim_config({"openai": first, "ollama": second}, retry={"same_deployment": 0})
        async with manus.open_agent(config, keep_books=False) as agent:
            response = await agent.generate("Is anybody there?")
            print(response.content)
            for attempt in response.route.attempts:
                print(f"  {attempt.number}. {attempt.deployment}: {attempt.result}, {attempt.booking}")
                if attempt.failure is not None:
                    print(f"     {attempt.failure.message}")

            # An error says what to do, and carries every attempt that was made.
            local.behave(Script(fault=FAULTS["quota"]))
            try:
                await agent.generate("And now?")
            except manus.LLMError as error:
                print(f"{type(error).__name__}: {error}")
                print(f"  after {len(error.attempts)} attempts that cost {error.cost_nano_usd} nano-USD")


trio.run(main)
