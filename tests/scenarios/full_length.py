"""Own the proof at full length: a scenario played by processes, one way or another, and the line that tells of it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

import msgspec

from tests.scenarios.as_processes import process_stage, serve, write_configuration
from tests.scenarios.judge import complaints
from tests.scenarios.play import Played, play
from tests.scenarios.through_ask import Asked, complaints_of_ask, run_ask, takes_part
from tests.scenarios.vocabulary import BUDGET_S, FALLBACK, PRIMARY, Method, Scenario

SLACK_S = 2.0
"""How much longer than its own times a request may take, on a machine that has little else to do."""

STARTS = 2.0
"""For a command, which has to start and to end as well, so many times as long again."""

AGAIN_S = 60.0

Way = Literal["generate", "stream", "ask"]
"""How the caller asks: a program by either method, or `manus ask`."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one scenario, asked one way, and what was wrong with that."""

    name: str
    way: Way
    outcome: str
    took_s: float
    seen: tuple[int, int]
    attempts: str
    wrong: list[str]


def ways_of(scenario: Scenario) -> tuple[Way, ...]:
    """List the ways in which a scenario can be asked."""
    return (*scenario.methods, "ask") if takes_part(scenario) else scenario.methods


async def prove(scenario: Scenario, way: Way, *, slack_s: float = SLACK_S) -> Verdict:
    """Play one scenario at full length."""
    with tempfile.TemporaryDirectory(prefix="manus-scenario-") as directory:
        try:
            if way == "ask":
                return await _by_command(scenario, Path(directory), slack_s)
            return await _by_program(scenario, way, Path(directory), slack_s)
        except RuntimeError as error:
            return Verdict(
                name=scenario.name, way=way, outcome="no play", took_s=0, seen=(0, 0), attempts="", wrong=[str(error)]
            )


async def _by_program(scenario: Scenario, method: Method, directory: Path, slack_s: float) -> Verdict:
    async with process_stage(scenario, directory) as stage:
        played = await play(scenario, method, stage, budget_s=BUDGET_S, again_s=AGAIN_S)
    return _told(scenario, method, played, complaints(scenario, method, played, slack_s=slack_s))


async def _by_command(scenario: Scenario, directory: Path, slack_s: float) -> Verdict:
    async with serve(scenario) as sims:
        configuration = write_configuration(scenario, sims.origins, directory)
        asked = await run_ask(configuration, timeout_s=BUDGET_S)
        seen = (await sims.bill(PRIMARY)).requests, (await sims.bill(FALLBACK)).requests
    wrong = complaints_of_ask(scenario, asked, slack_s=slack_s * (1 + STARTS))
    expected = scenario.asks[0].expectation("stream")
    if expected.calls is not None and seen != expected.calls:
        wrong.append(f"primary and fallback saw {seen} requests, not {expected.calls}")
    return _told_of_ask(scenario, asked, seen, wrong)


def _told(scenario: Scenario, method: Method, played: Played, wrong: list[str]) -> Verdict:
    last = played.results[-1]
    came = zip(last.roles, last.results, strict=True)
    return Verdict(
        name=scenario.name,
        way=method,
        outcome=f"answered by {last.provider}" if last.error is None else last.error,
        took_s=sum(result.took_s for result in played.results),
        seen=(sum(primary for primary, _ in played.calls), sum(fallback for _, fallback in played.calls)),
        attempts=", ".join(f"{role} {result}" for role, result in came),
        wrong=wrong,
    )


def _told_of_ask(scenario: Scenario, asked: Asked, seen: tuple[int, int], wrong: list[str]) -> Verdict:
    return Verdict(
        name=scenario.name,
        way="ask",
        outcome=f"exit status {asked.status}",
        took_s=asked.took_s,
        seen=seen,
        attempts=", ".join(asked.states),
        wrong=wrong,
    )


WIDTHS = (28, 10, 26, 9, 8)
HEADING = "".join(map(str.ljust, ("scenario", "asked by", "outcome", "seconds", "seen"), WIDTHS)) + "attempts"


def line_of(verdict: Verdict) -> str:
    """Tell a verdict: what came on the first line, what was wrong with it below."""
    columns = (
        verdict.name,
        verdict.way,
        verdict.outcome,
        f"{verdict.took_s:.2f}",
        f"{verdict.seen[0]}/{verdict.seen[1]}",
    )
    line = "".join(map(str.ljust, columns, WIDTHS)) + verdict.attempts
    return "\n".join([line, *(f"    BROKEN: {wrong}" for wrong in verdict.wrong)])
