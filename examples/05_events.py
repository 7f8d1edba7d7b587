"""Watch the supervisor: an actor crashes with a call in its hands and comes back; the caller is served elsewhere."""

import trio

import manus
from manus.supervisor.events import ActorExited, ActorStarted, RestartScheduled
from manus.testing import Script, SimProvider, crash_actor, serve_sim, sim_config


async def main() -> None:
    slow = SimProvider("openai", Script(text="You will not read this.", latency_s=5.0))
    spare = SimProvider("ollama", Script(text="I was not even tired."))
    async with serve_sim(slow) as first, serve_sim(spare) as second:
        async with manus.open_agent(sim_config({"openai": first, "ollama": second}), keep_books=False) as agent:
            async with trio.open_nursery() as nursery:
                with agent.events() as events:
                    nursery.start_soon(ask, agent)
                    await trio.sleep(0.2)
                    crash_actor(agent, "openai")
                    async for event in events:
                        match event:
                            case ActorExited(actor=actor, reason=reason):
                                print(f"{actor} is gone: {type(reason).__name__}")
                            case RestartScheduled(actor=actor):
                                print(f"{actor} will be restarted")
                            case ActorStarted(actor=actor, generation=generation):
                                print(f"{actor} is running again, generation {generation}")
                                break


async def ask(agent: manus.LLMAgent) -> None:
    response = await agent.generate("Are you all right?")
    print(f"{response.provider} answers: {response.content}")


trio.run(main)
