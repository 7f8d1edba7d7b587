"""Test your own code against a provider that misbehaves: under a virtual clock, without sockets, in no time."""

import trio
from trio.testing import MockClock

import manus
from manus.testing import Script, SimProvider, SimTransport, fault_named, sim_config


async def summarise(agent: manus.LLMAgent, text: str) -> str:
    """Stand in for the code of yours that is to be tested: it never raises."""
    try:
        return (await agent.generate(f"Summarise: {text}")).content
    except manus.LLMError as error:
        return f"(no summary: {error.kind})"


async def test_summarise_survives_whatever_the_provider_does() -> None:
    for name in ("429", "401", "malformed", "cut-body", "stall", "no-marker", "huge-line:line_bytes=100000"):
        provider = SimProvider("openai", Script(fault=fault_named(name)))
        config = sim_config({"openai": provider}, timeouts={"idle_s": 30.0}, retry={"same_deployment": 0})
        transports = {"openai": lambda base_url, provider=provider: SimTransport(provider)}
        async with manus.open_agent(config, transports=transports, keep_books=False) as agent:
            summary = await summarise(agent, "a long text")
            totals, books = provider.bill.totals(), (await agent.get_usage_stats()).total
            print(f"{name:28} {summary:32} billed {totals.billed}, in our books {books.settled + books.in_doubt}")
            assert books.settled + books.in_doubt >= totals.billed


# With pytest-trio, take the fixture `autojump_clock` instead of this line.
trio.run(test_summarise_survives_whatever_the_provider_does, clock=MockClock(autojump_threshold=0))
