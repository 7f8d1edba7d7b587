"""The whole agent against every fault: what its books say agrees with the provider's bill, call by call."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import manus
from manus.demo.audit import audit, ledger_differs
from manus.messages.outcomes import Attempt
from manus.messages.usage import Price, nano_usd
from manus.sim.faults import FAULTS, Fault, HugeLine, PingsOnly, Refused, Rejected, exists_on
from manus.sim.provider import WIRES
from manus.sim.wire import WireName
from manus.testing import Script, ScriptedCall, SimProvider, SimTransport, sim_config
from manus.testing.agents import COST_PER_INPUT, COST_PER_OUTPUT

PRICE = Price(input=nano_usd(COST_PER_INPUT), output=nano_usd(COST_PER_OUTPUT))

RESTED_S = 600.0
"""Longer than a deployment rests, whatever its vendor said."""

# The vendor's word that it did not serve the call. (408 and 502 come from gateways: nobody knows what lies behind.)
SERVED_NOTHING = [
    name for name, fault in FAULTS.items() if isinstance(fault, Refused | Rejected) and name not in ("408", "502")
]


async def ask(agent: manus.LLMAgent, question: str, *, stream: bool) -> tuple[Attempt, ...]:
    """Ask once, whatever comes of it: the attempts it took."""
    try:
        if stream:
            async with agent.stream(question, max_tokens=500) as answer:
                response = await answer.response()
        else:
            response = await agent.generate(question, max_tokens=500)
    except manus.LLMError as error:
        return error.attempts
    return response.route.attempts


def smaller(fault: Fault) -> Fault:
    """Keep a huge line within what a test has time for, and beyond what a decoder takes; ping less often."""
    match fault:
        case HugeLine():
            return HugeLine(line_bytes=9 * 1024 * 1024)
        case PingsOnly():
            return PingsOnly(gap_s=1.0)
        case _:
            return fault


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(
    ("fault", "wire"), [(name, wire) for name, fault in FAULTS.items() for wire in WIRES if exists_on(fault, wire)]
)
async def test_the_books_agree_with_the_bill_whatever_goes_wrong(
    fault: str, wire: WireName, stream: bool, autojump_clock: MockClock
) -> None:
    script = Script(words=12, tool_calls=(ScriptedCall(name="f"),), fault=smaller(FAULTS[fault]))
    provider = SimProvider(wire, script)
    transports = {"sim": lambda base_url: SimTransport(provider)}
    config = sim_config({"sim": provider}, timeouts={"idle_s": 20.0}, general={"enable_logging": False})
    calls: list[tuple[str, Attempt]] = []
    async with manus.open_agent(config, transports=transports, keep_books=False, seed=1) as agent:
        for question in ("first question", "second question"):
            attempts = await ask(agent, question, stream=stream)
            assert attempts
            calls += [(question, attempt) for attempt in attempts]
            await trio.sleep(RESTED_S)
        report = await agent.get_usage_stats()
    assert provider.in_flight == 0
    accounts = audit(calls, {"sim": provider.bill.rows()}, PRICE)
    assert accounts["sim"].wrong == []
    assert ledger_differs(report, accounts) == []
    if fault in SERVED_NOTHING and (wire, fault) != ("azure", "content-filter"):  # there the prompt is charged for
        assert {attempt.booking for _, attempt in calls} == {"released"}
    if provider.bill.totals().billed:
        assert {attempt.booking for _, attempt in calls} <= {"settled", "in_doubt"}
