"""The books as the face tells them: split as asked, every count, and totals that no split changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio

import manus
from manus.books import dimensions_of
from manus.messages.accounting import UsageRow, UsageStats
from manus.messages.usage import Usage
from manus.opening import open_agent
from manus.reports import UsageLine, usage_report
from manus.sim.behaviour import Script
from tests.face.rig import Rig, config, open_rig

DAY_S = 86_400.0


async def ask_some(agent: manus.LLMAgent) -> list[manus.LLMResponse]:
    return [
        await agent.generate("Hello", tags=["team-a", "night"], conversation_id="c-1"),
        await agent.generate("Hello", tags=["team-a"]),
        await agent.generate("Hello", provider="second"),
    ]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ((), {(): 3}),
        ("provider", {("first",): 2, ("second",): 1}),
        ("provider,model", {("first", "big"): 2, ("second", "small"): 1}),
        (["model", "provider"], {("big", "first"): 2, ("small", "second"): 1}),
        ("deployment", {("first/big",): 2, ("second/small",): 1}),
        ("tag", {(None,): 1, ("night",): 1, ("team-a",): 2}),
        ("tag, provider", {(None, "second"): 1, ("night", "first"): 1, ("team-a", "first"): 2}),
        ("conversation", {(None,): 2, ("c-1",): 1}),
    ],
)
async def test_totals_are_split_as_asked_and_their_sum_stays(
    autojump_clock: trio.testing.MockClock, by: Any, expected: dict[tuple[str | None, ...], int]
) -> None:
    async with open_rig(Rig()) as agent:
        responses = await ask_some(agent)
        report = await agent.get_usage_stats(by=by)

    names = report.by
    assert {tuple(getattr(line, name) for name in names): line.requests for line in report.lines} == expected
    assert report.total.requests == report.total.settled == 3
    assert report.total.total_tokens == sum(response.usage.total_tokens for response in responses)
    assert report.total.cost_nano_usd == sum(response.usage.cost_nano_usd or 0 for response in responses)
    others = set(UsageLine.__struct_fields__[:7]) - set(names)
    assert all(getattr(line, name) is None for line in (*report.lines, report.total) for name in others)


async def test_keys_are_told_by_their_fingerprints(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig()) as agent:
        await agent.generate("Hello")
        (line,) = (await agent.get_usage_stats(by="key")).lines
    assert line.key is not None
    assert line.key.startswith("first#")
    assert "canary" not in json.dumps(line.to_dict())


async def test_a_summary_has_the_last_days_by_the_agents_own_clock(autojump_clock: trio.testing.MockClock) -> None:
    rig, now = Rig(), [1_000_000 * DAY_S / 1000]
    async with open_agent(config(), transports=rig.transports(), now_unix_s=lambda: now[0]) as agent:
        await agent.generate("Hello")
        now[0] += 2 * DAY_S
        await agent.generate("Hello")
        recent, older = await agent.get_usage_summary(1), await agent.get_usage_summary(2.5, by="day")
    assert recent.total.requests == 1
    assert recent.since_unix_s == now[0] - DAY_S
    assert [(line.day, line.requests) for line in older.lines] == [("1972-09-27", 1), ("1972-09-29", 1)]


@pytest.mark.parametrize("days", [0, -1, float("nan"), float("inf"), "7", True, None])
async def test_days_that_are_none_are_refused_by_name(autojump_clock: trio.testing.MockClock, days: Any) -> None:
    async with open_rig(Rig()) as agent:
        with pytest.raises(manus.InvalidRequestError, match="days: expected a number"):
            await agent.get_usage_summary(days)


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("providers", "did you mean 'provider'"),
        ("provider,colour", "by: expected provider, model"),
        (["tag", "tag"], "names tag twice"),
        ([5], "by: expected"),
        (5, "or a list of them"),
    ],
)
def test_what_books_cannot_be_split_by_is_refused_by_name(by: Any, message: str) -> None:
    with pytest.raises(manus.InvalidRequestError, match=message):
        dimensions_of(by)


def test_every_count_of_a_row_is_in_the_line() -> None:
    row = UsageRow(
        provider="p",
        tag="t",
        requests=9,
        settled=4,
        released=2,
        in_doubt=2,
        open=1,
        usage=Usage(
            input_uncached=1, cache_read=10, cache_write_short=100, cache_write_long=1000, output=7, reasoning=5
        ),
        cost_nano_usd=1_500_000_000,
        in_doubt_bound=Usage(input_uncached=50, cache_read=1, output=20),
        in_doubt_cost_nano_usd=3,
        unpriced=1,
        estimated=2,
    )
    report = usage_report(UsageStats(rows=(row,), by=("provider", "tag")), row)
    (line,) = report.lines
    assert line == report.total
    assert line == UsageLine(
        provider="p",
        tag="t",
        requests=9,
        settled=4,
        released=2,
        in_doubt=2,
        open=1,
        input_tokens=1111,
        cache_read_tokens=10,
        cache_write_tokens=1100,
        output_tokens=7,
        reasoning_tokens=5,
        cost_nano_usd=1_500_000_000,
        in_doubt_input_tokens=51,
        in_doubt_output_tokens=20,
        in_doubt_cost_nano_usd=3,
        estimated=2,
        unpriced=1,
    )
    told = report.to_dict()
    assert (told["total"]["cost_usd"], told["total"]["total_tokens"], told["by"]) == (1.5, 1118, ["provider", "tag"])


async def test_what_we_counted_and_what_has_no_price_is_counted_as_such(
    autojump_clock: trio.testing.MockClock,
) -> None:
    unpriced = {"type": "openai", "base_url": "http://first/v1", "api_key": "k", "models": [{"name": "big"}]}
    rig = Rig(Script(text="One two three four five six.", gap_s=1.0))
    rig.first.api_key = None
    async with open_rig(rig, {"providers": {"first": unpriced}}) as agent:
        async with agent.stream("Hello") as stream:
            await anext(stream)
            await stream.cancel()
        total = (await agent.get_usage_stats()).total
    assert (total.estimated, total.unpriced, total.cost_nano_usd) == (1, 1, 0)
