"""Own the verdict: what was promised of a scenario, held against what came of it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.scenarios.play import Played, attempts_of
from tests.scenarios.vocabulary import Expected, Method, Result, Scenario

EXACT_S = 1e-6
"""How far sums of virtual times may be off, being floats."""


def complaints(scenario: Scenario, method: Method, played: Played, *, slack_s: float | None) -> list[str]:
    """List what is not as promised; an empty list is a pass.

    Args:
        scenario: what was promised.
        method: how the caller asked.
        played: what came.
        slack_s: how much longer than promised things may take, on a clock that others share; None judges no times.
    """
    found: list[str] = []
    for number, asked in enumerate(scenario.asks):
        result, expected = played.results[number], asked.expectation(method)
        place = f"request {number + 1}: " if len(scenario.asks) > 1 else ""
        found += [place + text for text in _about_answer(result, expected, method)]
        found += [place + text for text in _about_route(result, expected, played.calls[number])]
        if slack_s is not None:
            found += [place + text for text in _about_time(result, expected, slack_s)]
    primary, fallback = (sum(calls) for calls in zip(*played.calls, strict=True))
    if primary > scenario.calls_most[0] or fallback > scenario.calls_most[1]:
        found.append(f"primary and fallback saw {primary} and {fallback} requests, more than {scenario.calls_most}")
    found += _about_books(played)
    found += _about_afterwards(played)
    return found


def _about_answer(result: Result, expected: Expected, method: Method) -> Iterator[str]:
    if expected.text is None:
        if result.error is None:
            yield f"an answer ({result.content!r}) where {expected.error} was to be raised"
        elif result.error != expected.error:
            yield f"{result.error} ({result.message}) where {expected.error} was to be raised"
        if result.kind != expected.kind:
            yield f"the error is of kind {result.kind}, not {expected.kind}"
        if expected.says not in result.message:
            yield f"the error does not say {expected.says!r}: {result.message!r}"
        if len(result.partial) < expected.partial:
            yield f"the error has {len(result.partial)} characters of the answer with it, not {expected.partial}"
        if method == "stream" and result.delivered != result.partial:
            yield f"{result.delivered!r} was delivered, but the error has {result.partial!r} with it"
        return
    if result.error is not None:
        yield f"{result.error}: {result.message}"
        return
    if result.content != expected.text:
        yield f"the response says {result.content!r}"
    if result.delivered != expected.text:
        yield f"what was delivered is {result.delivered!r}"
    if expected.by is not None and result.provider != expected.by:
        yield f"{result.provider} answered, not {expected.by}"
    if result.finish_reason != "stop":
        yield f"it ended by {result.finish_reason}"
    if result.resets != expected.resets:
        yield f"the caller was told {result.resets} times to start over, not {expected.resets}"


def _about_route(result: Result, expected: Expected, calls: tuple[int, int]) -> Iterator[str]:
    if expected.calls is not None and calls != expected.calls:
        yield f"primary and fallback saw {calls} requests, not {expected.calls}"
    if calls[0] > expected.calls_most[0] or calls[1] > expected.calls_most[1]:
        yield f"primary and fallback saw {calls} requests, more than {expected.calls_most}"
    if expected.roles is not None and result.roles != expected.roles:
        yield f"the attempts were {', '.join(result.roles)}, not {', '.join(expected.roles)}"
    if expected.bookings is not None and result.bookings != expected.bookings:
        yield f"the attempts were booked {', '.join(result.bookings)}, not {', '.join(expected.bookings)}"


def _about_time(result: Result, expected: Expected, slack_s: float) -> Iterator[str]:
    least, most = expected.took_s
    if not least - EXACT_S <= result.took_s <= most + EXACT_S + slack_s:
        yield f"it took {result.took_s:.3f} s, not {least:g} to {most:g}"


def _about_books(played: Played) -> Iterator[str]:
    """The books say what the routes said, and know of every call that a provider bills."""
    books = played.books
    if books.open:
        yield f"{books.open} attempts are still open in the books"
    told = Counter(attempts_of(played))
    booked = {"settled": books.settled, "released": books.released, "in_doubt": books.in_doubt}
    if {state: told[state] for state in booked} != booked:
        yield f"the routes tell of {dict(told)}, the books of {booked}"
    billed = played.bills[0].billed + played.bills[1].billed
    if billed != books.settled + books.in_doubt:
        yield f"the providers bill {billed} calls, the books know of {books.settled + books.in_doubt}"


def _about_afterwards(played: Played) -> Iterator[str]:
    if played.after.error is not None:
        yield f"the next plain request failed: {played.after.error}: {played.after.message}"
    if played.books_after.open:
        yield f"{played.books_after.open} attempts are open in the books in the end"
    under_way = played.bills_after[0].open + played.bills_after[1].open
    if under_way:
        yield f"{under_way} requests are still under way at the providers"
