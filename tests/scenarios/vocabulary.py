"""Own what a scenario is, as data: two providers that behave, a caller who asks, and what has to come of it.

A scenario is written once, in seconds of real life, and played three ways: in memory under a virtual clock, over
sockets with all its times scaled down, and over sockets at full length. Every number whose name ends in `_s` is a time,
so that scaling needs to know nothing else.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from manus.messages.requests import OnInterrupt
from manus.sim.behaviour import Behaviour, Script
from manus.sim.faults import Fault
from manus.sim.wire import WireName

Method = Literal["generate", "stream"]
Name = Literal["primary", "fallback"]
Booking = Literal["settled", "released", "in_doubt"]

PRIMARY: Name = "primary"
FALLBACK: Name = "fallback"

BUDGET_S = 30.0
"""What every request may take in all."""

TEXT = (
    "A gateway earns its keep on the day that the provider behind it does not: when the stream stops inside a word, "
    "when the clock says naïve things, when 世界 is cut in two 🌍 and nobody is told. Then somebody has to know "
    "what was said, what was paid, and who may be asked to say the rest, to the letter and without a gap."
)
"""The whole answer. Sixty-odd tokens, some of them beyond ASCII."""

OTHER_TEXT = (
    "An answer by another model begins in another way, and no honest program glues it to the half of the first one."
)
"""What a fallback says that does not say the same."""


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated provider, and what the caller's configuration says of it.

    Args:
        wire: whose format it speaks.
        plays: how it answers, request after request.
        timeouts: its named waits, where the configuration names some.
        model: further keys of its model's table.
        shut: nobody listens at its port until it is well again.
    """

    wire: WireName = "openai"
    plays: Behaviour = Behaviour(script=Script(text=TEXT))
    timeouts: dict[str, float] = {}
    model: dict[str, Any] = {}
    shut: bool = False


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What has to come of one request.

    Args:
        text: the whole answer, to the letter; None where there has to be an error instead.
        by: who answers in the end; None: either.
        error: the error's class, and `kind` its kind; `says` a word that its message must not lack.
        partial: how many characters at least of the answer an error has with it; 0 also allows none.
        calls: how many requests the primary and the fallback see for it: no more, and no fewer. None: see `calls_most`.
        calls_most: how many they see at most.
        roles: why each attempt was made, in order; None where chance decides.
        bookings: how each attempt stands in the books in the end, in order; None where chance decides.
        took_s: the least and the most that it may take, by the scenario's own times.
        resets: how often a streaming caller is told to start over.
    """

    text: str | None = TEXT
    by: Name | None = PRIMARY
    error: str | None = None
    kind: str | None = None
    says: str = ""
    partial: int = 0
    calls: tuple[int, int] | None = (1, 0)
    calls_most: tuple[int, int] = (8, 8)
    roles: tuple[str, ...] | None = ("first",)
    bookings: tuple[Booking, ...] | None = ("settled",)
    took_s: tuple[float, float] = (0.0, 0.0)
    resets: int = 0


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request of the caller.

    Args:
        at_s: when, after the scenario's start.
        expected: what has to come of it, asked either way.
        streamed: what has to come of it when it is streamed, where that is something else.
        primary: how the primary behaves from then on, where that changes.
        on_interrupt: what the caller asks for, where it says.
    """

    expected: Expected = Expected()
    streamed: Expected | None = None
    at_s: float = 0.0
    primary: Behaviour | None = None
    on_interrupt: OnInterrupt | None = None

    def expectation(self, method: Method) -> Expected:
        """Give what has to come of it, asked this way."""
        return self.streamed if method == "stream" and self.streamed is not None else self.expected


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of failure, and the way out of it.

    Args:
        name: short, in kebab case; `says` tells what goes wrong and what has to come of it.
        fallback: None where there is nobody else to ask.
        asks: the caller's requests, one after another.
        tables: further tables of the configuration.
        calls_most: how many requests the primary and the fallback see at most, all in all.
        methods: the ways to ask that it is about.
        scales: its times may be scaled down: none of them is held against the budget, a default, or a wait that must
            not run out on a machine that is busy.
    """

    name: str
    says: str
    primary: Provider = Provider()
    fallback: Provider | None = Provider()
    asks: tuple[Ask, ...] = (Ask(),)
    tables: dict[str, dict[str, Any]] = {}
    calls_most: tuple[int, int] = (1000, 1000)
    methods: tuple[Method, ...] = ("generate", "stream")
    scales: bool = True


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller saw of one request. It survives JSON, for it may come out of another process.

    Args:
        delivered: what came in chunks, since the last reset; of `generate` the content.
        content: the text of the response; None after an error.
        error, kind, message: the error's class, kind and words.
        partial: the text that the error had with it.
        roles, results, bookings: of each attempt, as the route tells.
        usage: input and output tokens of the whole request.
    """

    delivered: str = ""
    content: str | None = None
    provider: str | None = None
    finish_reason: str | None = None
    error: str | None = None
    kind: str | None = None
    message: str = ""
    partial: str = ""
    roles: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    bookings: tuple[str, ...] = ()
    resets: int = 0
    took_s: float = 0.0
    usage: tuple[int, int] = (0, 0)


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """How many attempts stand where in the books, as the agent tells."""

    settled: int = 0
    released: int = 0
    in_doubt: int = 0
    open: int = 0


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """What one provider saw: requests, those that cost something, and those it still has in hand."""

    requests: int = 0
    billed: int = 0
    open: int = 0


Timed = TypeVar("Timed", bound="msgspec.Struct | dict[str, Any]")


def scaled(value: Timed, factor: float) -> Timed:
    """Multiply every time in `value`, however deep: whatever is a number and has a name that ends in `_s`."""
    if isinstance(value, dict):
        return {name: _scaled(name, item, factor) for name, item in value.items()}  # type: ignore[return-value]
    changes = {name: _scaled(name, getattr(value, name), factor) for name in value.__struct_fields__}
    return msgspec.structs.replace(value, **changes)


def _scaled(name: str, value: Any, factor: float) -> Any:
    """Scale one field. Any: whatever a scenario's data has."""
    match value:
        case float() | int() if name.endswith("_s") and not isinstance(value, bool):
            return value * factor
        case tuple() | list():
            return type(value)(_scaled(name, item, factor) for item in value)
        case dict() | msgspec.Struct():
            return scaled(value, factor)
        case _:
            return value


def plays(
    fault: Fault | None = None, *, then: Fault | Literal["the same"] | None = "the same", **more: Any
) -> Behaviour:
    """Let a provider meet `fault` in every answer, or with `then=None` in the first. Any: fields of its scripts."""
    script = Script(**({"text": TEXT} | more), fault=fault)
    if then == "the same":
        return Behaviour(script=script)
    return Behaviour(first=(script,), script=msgspec.structs.replace(script, fault=then))


def with_fields(expected: Expected, **changes: Any) -> Expected:
    """Expect the same but for some fields. Any: each has its type."""
    return msgspec.structs.replace(expected, **changes)
