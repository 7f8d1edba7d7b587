"""Own the acts of the demo, in order: a quiet run, the storm, what callers saw, the books beside the bills."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import trio

from manus.demo import stage
from manus.demo.audit import Account, Sum, audit, ledger_differs
from manus.demo.callers import Told, ask_all, ask_while
from manus.demo.reporter import Reporter
from manus.demo.screen import Screen
from manus.messages.usage import Price, format_usd, nano_usd
from manus.opening import open_agent
from manus.sim.server import SimServer, serve_sim
from manus.testing.agents import COST_PER_INPUT, COST_PER_OUTPUT, crash_actor
from manus.trio_agent import TrioAgent

PRICE = Price(input=nano_usd(COST_PER_INPUT), output=nano_usd(COST_PER_OUTPUT), version="sim")


async def play(screen: Screen) -> bool:
    """Play the demo to its end; give whether everything held that must."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="manus-demo-"))
        servers = {
            name: await stack.enter_async_context(serve_sim(provider)) for name, provider in stage.providers().items()
        }
        config = stage.configuration(servers, str(Path(folder) / "ledger.sqlite"))
        agent = await stack.enter_async_context(open_agent(config))
        return await _Play(screen, servers, agent).run()


class _Play:
    """One performance."""

    def __init__(self, screen: Screen, servers: dict[str, SimServer], agent: TrioAgent) -> None:
        self._screen = screen
        self._servers = servers
        self._agent = agent
        self._quiet: list[Told] = []
        self._reporter = Reporter(screen)

    async def run(self) -> bool:
        """Play act after act."""
        self._introduce()
        await self._quiet_run()
        await self._storm()
        good = self._callers_saw()
        return await self._books_and_bills() and good

    def _introduce(self) -> None:
        self._screen.line("Four simulated providers on loopback sockets, one agent. No key, no network.")
        for name, server in self._servers.items():
            wire = server.provider.wire.name
            self._screen.line(f"  {name:6} {wire:9} {server.base_url:27} {stage.ROLES[name]}")

    # --- act 1

    async def _quiet_run(self) -> None:
        self._screen.heading(f"1. A quiet run: {stage.CALLERS} callers ask {stage.HEALTHY}, nobody else is there")
        await ask_all(self._agent, stage.HEALTHY, self._quiet.append)
        self._screen.line(f"  {len(self._quiet)} answers, {_latency(self._quiet)}")

    # --- act 2

    async def _storm(self) -> None:
        callers = stage.CALLERS * len(self._servers)
        self._screen.heading(f"2. The storm: {callers} callers, a quarter of them asks {stage.HEALTHY} the same again")
        reporter = self._reporter
        with self._agent.events(capacity=4096) as events:
            async with trio.open_nursery(strict_exception_groups=True) as watching:
                reporter.begin()
                watching.start_soon(reporter.watch, events)
                async with trio.open_nursery(strict_exception_groups=True) as storm:
                    storm.start_soon(ask_all, self._agent, stage.HEALTHY, reporter.tell)
                    for victim in stage.VICTIMS:
                        storm.start_soon(ask_while, self._agent, victim, self._blows, reporter.tell)
                    await self._strike()
                watching.cancel_scope.cancel("the storm is over")
        for name in stage.VICTIMS:
            reporter.summarise(name)

    def _blows(self) -> bool:
        """Whether to go on: for the time of the storm, and on a slow machine until every victim has come back."""
        elapsed_s, recovered = self._reporter.elapsed_s, self._reporter.recovered
        return elapsed_s < stage.STORM_S or (elapsed_s < stage.STORM_MAX_S and len(recovered) < len(stage.VICTIMS))

    async def _strike(self) -> None:
        """Deal the blows of the timetable, and take away what can be taken away."""
        say = self._reporter.say
        await trio.sleep(stage.STRIKE_S)
        say(stage.KILLED, "KILLED: an error is raised in the middle of its actor", "red")
        crash_actor(self._agent, stage.KILLED)
        await trio.sleep(stage.BETWEEN_S)
        say(stage.HUNG, "HANGS: it takes requests and says nothing any more", "red")
        self._servers[stage.HUNG].provider.behave(stage.HANGING)
        await trio.sleep(stage.BETWEEN_S)
        say(stage.GARBLED, "RAVES: it answers web pages, and events that are no JSON", "red")
        self._servers[stage.GARBLED].provider.behave(stage.GARBLING)
        await trio.sleep(stage.HEAL_S - stage.STRIKE_S - 2 * stage.BETWEEN_S)
        for name in (stage.HUNG, stage.GARBLED):
            say(name, "is made well again")
            self._servers[name].provider.behave(stage.USUAL)
            self._reporter.well_again(name)

    # --- act 3

    def _callers_saw(self) -> bool:
        self._screen.heading("3. What the callers saw")
        told = self._reporter.told
        rows = []
        for name in self._servers:
            mine = [one for one in told if one.provider == name]
            itself = sum(one.answered_by == name for one in mine)
            over = sum(one.failed_over for one in mine)
            rows.append([name, str(len(mine)), str(itself), str(over), str(len(mine) - itself - over)])
        head = ["asked", "questions", "answered by itself", f"by {stage.HEALTHY} instead", "told of a failure"]
        self._screen.table(head, rows)
        return all([self._healthy_unchanged(), *(self._came_back(name) for name in stage.VICTIMS)])

    def _healthy_unchanged(self) -> bool:
        before = sorted((one.question, one.text, one.answered_by, one.error) for one in self._quiet)
        storm = [one for one in self._reporter.told if one.provider == stage.HEALTHY]
        after = sorted((one.question, one.text, one.answered_by, one.error) for one in storm)
        good = before == after and all(answered_by == stage.HEALTHY for _, _, answered_by, _ in after)
        same = sum(one in before for one in after)
        self._screen.verdict(
            good, f"{stage.HEALTHY}: {same} of {len(before)} answers the same, to the byte, as in the quiet run"
        )
        ratio = _median(storm) / _median(self._quiet)
        self._screen.line(f"       {stage.HEALTHY}: {_latency(storm)}: {ratio:.2f} times the quiet run's median")
        return good

    def _came_back(self, name: str) -> bool:
        reporter = self._reporter
        restarted, over = reporter.restarts[name], reporter.failed_over[name]
        harmed = restarted > 0 if name == stage.KILLED else over > 0
        how = (
            f"restarted {restarted} time(s), {over} question(s) failed over, {reporter.failed[name]} told of a failure"
        )
        back = "answers by itself again" if name in reporter.recovered else "DID NOT COME BACK"
        good = harmed and name in reporter.recovered
        self._screen.verdict(good, f"{name}: {how}; {back}")
        return good

    # --- act 4

    async def _books_and_bills(self) -> bool:
        self._screen.heading("4. Our books beside the providers' own bills")
        told = sorted((*self._quiet, *self._reporter.told), key=_asked_at)
        calls = [(one.question, attempt) for one in told for attempt in one.attempts]
        bills = {name: server.provider.bill.rows() for name, server in self._servers.items()}
        accounts = audit(calls, bills, PRICE)
        self._screen.table(
            ["provider, calls booked as", "calls", "tokens, books", "tokens, bill", "USD, books", "USD, bill", ""],
            [row for account in accounts.values() for row in _rows(account)],
        )
        wrong = [f"{account.provider}: {what}" for account in accounts.values() for what in account.wrong]
        wrong += ledger_differs(await self._agent.get_usage_stats(), accounts)
        for what in wrong:
            self._screen.verdict(False, what)
        return self._balance(accounts.values()) and not wrong

    def _balance(self, accounts: Iterable[Account]) -> bool:
        accounts = list(accounts)
        reported = _total(account.reported for account in accounts)
        good = (reported.book_tokens, reported.book_nano_usd) == (reported.bill_tokens, reported.bill_nano_usd)
        relation = "equal to" if good else "DIFFERENT FROM"
        self._screen.verdict(
            good,
            f"settled at the providers' word: {reported.calls} calls, {reported.book_tokens} tokens, "
            f"{format_usd(reported.book_nano_usd)}: {relation} the bills, call by call",
        )
        doubt = _total(account.in_doubt for account in accounts)
        covered = doubt.book_nano_usd >= doubt.bill_nano_usd
        self._screen.verdict(
            covered,
            f"in doubt: {doubt.calls} calls whose end nobody saw, held at an upper bound of "
            f"{format_usd(doubt.book_nano_usd)}; the bills say {format_usd(doubt.bill_nano_usd)}",
        )
        estimated = _total(account.estimated for account in accounts)
        if estimated.calls:
            self._screen.line(
                f"       estimated: {estimated.calls} calls cut in the middle, {estimated.book_tokens} tokens by what "
                f"was received; the bills say {estimated.bill_tokens}"
            )
        return good and covered


def _rows(account: Account) -> list[list[str]]:
    rows = []
    for name, one in (
        ("settled, as reported", account.reported),
        ("settled, estimated", account.estimated),
        ("in doubt, upper bound", account.in_doubt),
        ("released, nothing sent", account.released),
    ):
        if one.calls:
            numbers = [str(one.calls), str(one.book_tokens), str(one.bill_tokens)]
            money = [format_usd(one.book_nano_usd), format_usd(one.bill_nano_usd)]
            rows.append([f"{account.provider:6} {name}", *numbers, *money, _relation(name, one)])
    return rows


def _relation(name: str, one: Sum) -> str:
    if one.book_tokens == one.bill_tokens:
        return "equal"
    if name.startswith("in doubt"):
        return "covers" if one.book_tokens > one.bill_tokens else "TOO SMALL"
    return "DIFFERENT" if name == "settled, as reported" else "about"


def _total(sums: Iterable[Sum]) -> Sum:
    total = Sum()
    for one in sums:
        for field in Sum.__struct_fields__:
            setattr(total, field, getattr(total, field) + getattr(one, field))
    return total


def _asked_at(told: Told) -> float:
    return told.at


def _median(told: Iterable[Told]) -> float:
    return statistics.median(one.total_s for one in told)


def _latency(told: list[Told]) -> str:
    times = sorted(one.total_s for one in told)
    slow = times[min(len(times) - 1, len(times) * 95 // 100)]
    return f"{_median(told) * 1000:.0f} ms in the median, {slow * 1000:.0f} ms for one in twenty"
