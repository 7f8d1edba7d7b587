"""Own the scenarios in which a provider says no: rate limits, quotas, keys, errors of its own, requests it refuses.

Retries wait for `RETRY["base_s"]` and twice that, each with jitter between a tenth and the whole.
"""

from __future__ import annotations

import msgspec

from manus.sim.faults import Cut, ErrorInside, Fault, HtmlBody, Rejected
from tests.scenarios.vocabulary import FALLBACK, Ask, Booking, Expected, Provider, Scenario, plays, with_fields

ONE_RETRY_S = (0.02, 0.2)
TWO_RETRIES_S = (0.06, 0.6)

WAIT_S = 2.0
"""What a Retry-After asks for."""

WAITED_S = (WAIT_S * 1.05, WAIT_S * 1.1)
"""How long it is waited for: a little more, so that not all come back at once."""

SHORT_WAIT = Rejected(status=429, retry_after_s=WAIT_S)

LONG_WAIT_S = 40.0
"""A Retry-After that no budget has room for."""

CONTEXT_LENGTH = Rejected(status=400, code="context_length_exceeded")
CONTENT_POLICY = Rejected(status=400, code="content_policy_violation")

_WAITED = Expected(calls=(2, 0), roles=("first", "wait"), bookings=("released", "settled"), took_s=WAITED_S)


def once(name: str, says: str, fault: Fault, *, booked: Booking = "released") -> Scenario:
    """A fault that strikes once: the same provider is asked again, soon, and nobody else."""
    expected = Expected(calls=(2, 0), roles=("first", "retry"), bookings=(booked, "settled"), took_s=ONE_RETRY_S)
    return Scenario(
        name=name, says=says, primary=Provider(plays=plays(fault, then=None)), asks=(Ask(expected=expected),)
    )


def for_ever(name: str, says: str, fault: Fault, *, booked: Booking = "released") -> Scenario:
    """A fault that goes on, and may be over soon: two retries, then the fallback."""
    expected = Expected(
        by=FALLBACK,
        calls=(3, 1),
        roles=("first", "retry", "retry", "failover"),
        bookings=(booked, booked, booked, "settled"),
        took_s=TWO_RETRIES_S,
    )
    return Scenario(name=name, says=says, primary=Provider(plays=plays(fault)), asks=(Ask(expected=expected),))


def at_once(name: str, says: str, fault: Fault, **more: object) -> Scenario:
    """A refusal that no retry mends: the fallback, in the same moment. `more` are fields of the scenario."""
    expected = Expected(by=FALLBACK, calls=(1, 1), roles=("first", "failover"), bookings=("released", "settled"))
    fields = {"primary": Provider(plays=plays(fault)), "asks": (Ask(expected=expected),)} | more
    return Scenario(name=name, says=says, **fields)  # type: ignore[arg-type]


def told(
    name: str,
    says: str,
    fault: Fault,
    error: str,
    kind: str,
    *,
    alone: bool = True,
    says_too: str = "",
    scales: bool = True,
) -> Scenario:
    """A refusal that nobody can mend: one call, and an error that says what it is, at once."""
    expected = Expected(text=None, error=error, kind=kind, says=says_too, bookings=("released",))
    return Scenario(
        name=name,
        says=says,
        primary=Provider(plays=plays(fault)),
        fallback=None if alone else Provider(),
        asks=(Ask(expected=expected),),
        scales=scales,
    )


REFUSALS: tuple[Scenario, ...] = (
    once("500-once", "One 500, then all is well: the second attempt is at the same provider.", Rejected(status=500)),
    once(
        "reset-once",
        "The connection is reset before the head: asked again; nobody knows whether the first call is billed.",
        Cut(where="headers", reset=True),
        booked="in_doubt",
    ),
    for_ever("503-for-ever", "Overloaded for ever: two retries, then the fallback.", Rejected(status=503)),
    for_ever(
        "reset-for-ever",
        "Every connection is reset before the head: two retries, then the fallback.",
        Cut(where="headers", reset=True),
        booked="in_doubt",
    ),
    Scenario(
        name="no-door",
        says="Nobody listens at the primary's port: two retries, then the fallback; nothing is owed.",
        primary=Provider(shut=True),
        asks=(
            Ask(
                expected=Expected(
                    by=FALLBACK,
                    calls=None,
                    calls_most=(3, 1),
                    roles=("first", "retry", "retry", "failover"),
                    bookings=("released", "released", "released", "settled"),
                    took_s=TWO_RETRIES_S,
                )
            ),
        ),
    ),
    Scenario(
        name="503-for-ever-alone",
        says="Overloaded for ever and nobody else to ask: two retries, then an error that says so.",
        primary=Provider(plays=plays(Rejected(status=503))),
        fallback=None,
        asks=(
            Ask(
                expected=Expected(
                    text=None,
                    error="ProviderError",
                    kind="overloaded",
                    calls=(3, 0),
                    roles=("first", "retry", "retry"),
                    bookings=("released", "released", "released"),
                    took_s=TWO_RETRIES_S,
                )
            ),
        ),
    ),
    Scenario(
        name="503-everywhere",
        says="Overloaded for ever, both: three calls each and no round more, then an error that tells of all six.",
        primary=Provider(plays=plays(Rejected(status=503))),
        fallback=Provider(plays=plays(Rejected(status=503))),
        asks=(
            Ask(
                expected=Expected(
                    text=None,
                    error="FallbackError",
                    kind="overloaded",
                    calls=(3, 3),
                    roles=("first", "retry", "retry", "failover", "retry", "retry"),
                    bookings=("released",) * 6,
                    took_s=(2 * TWO_RETRIES_S[0], 2 * TWO_RETRIES_S[1]),
                )
            ),
        ),
    ),
    Scenario(
        name="429-retry-after",
        says="A 429 that names a short time: it is waited for, and the same provider answers.",
        primary=Provider(plays=plays(SHORT_WAIT, then=None)),
        asks=(Ask(expected=_WAITED),),
    ),
    Scenario(
        name="429-retry-after-alone",
        says="The same, with nobody else to ask.",
        primary=Provider(plays=plays(SHORT_WAIT, then=None)),
        fallback=None,
        asks=(Ask(expected=_WAITED),),
    ),
    Scenario(
        name="429-retry-after-again",
        says="The time has passed, and it is another 429: once is enough, and the fallback answers.",
        primary=Provider(plays=plays(SHORT_WAIT)),
        asks=(
            Ask(
                expected=with_fields(
                    _WAITED,
                    by=FALLBACK,
                    calls=(2, 1),
                    roles=("first", "wait", "failover"),
                    bookings=("released", "released", "settled"),
                )
            ),
        ),
    ),
    Scenario(
        name="429-for-ever-alone",
        says="A 429 without a time, again and again, and nobody else: asked ever more seldom, then an honest error.",
        primary=Provider(plays=plays(Rejected(status=429))),
        fallback=None,
        asks=(
            Ask(
                expected=Expected(
                    text=None,
                    error="RateLimitError",
                    kind="rate_limited",
                    says="Come back in",
                    calls=None,
                    calls_most=(6, 0),
                    roles=None,
                    bookings=None,
                    took_s=(3.0, 30.0),
                )
            ),
        ),
        scales=False,
    ),
    at_once(
        "429-for-ever",
        "A 429 without a time, again and again: others come first, and the provider is left alone.",
        Rejected(status=429),
    ),
    at_once(
        "429-long-wait",
        "A 429 that asks for more patience than the budget has: the fallback.",
        Rejected(status=429, retry_after_s=LONG_WAIT_S),
        scales=False,
    ),
    told(
        "429-long-wait-alone",
        "The same, with nobody else to ask: the error comes at once, not after the wait, and says when to come back.",
        Rejected(status=429, retry_after_s=LONG_WAIT_S),
        "RateLimitError",
        "rate_limited",
        says_too="Come back in 40 s.",
        scales=False,
    ),
    at_once(
        "quota",
        "A 429 that means an empty account: no retry can help, so the fallback is asked in the same moment.",
        Rejected(status=429, code="insufficient_quota"),
    ),
    told(
        "quota-alone",
        "An empty account and nobody else: the error says so, and is not taken for a rate limit that passes.",
        Rejected(status=429, code="insufficient_quota"),
        "RateLimitError",
        "quota_exhausted",
    ),
    at_once("401", "A key that is not accepted: the fallback, and no second try with it.", Rejected(status=401)),
    told(
        "401-alone", "A key that is not accepted and nobody else.", Rejected(status=401), "AuthenticationError", "auth"
    ),
    at_once("403", "A key that may not do this: the fallback.", Rejected(status=403)),
    at_once("404", "A model that the vendor has taken away: the fallback.", Rejected(status=404)),
    told(
        "bad-request",
        "A request that is wrong in itself: nobody else is asked to refuse it as well.",
        Rejected(status=400),
        "InvalidRequestError",
        "invalid_request",
        alone=False,
    ),
    told(
        "content-policy",
        "A request that the vendor's policy stands against: the clean error, and no shopping around.",
        CONTENT_POLICY,
        "ContentPolicyError",
        "content_policy",
        alone=False,
    ),
    at_once(
        "context-length",
        "Too long for the primary's window: the fallback has a larger one.",
        CONTEXT_LENGTH,
        primary=Provider(plays=plays(CONTEXT_LENGTH), model={"context_length": 8_192}),
        fallback=Provider(model={"context_length": 128_000}),
    ),
    at_once(
        "context-length-unknown",
        "Too long for the primary, and nobody knows anybody's window: another model is worth a try.",
        CONTEXT_LENGTH,
        fallback=Provider(model={"base": "another-model"}),
    ),
    at_once(
        "content-policy-elsewhere",
        "The policy stands against it, and the configuration names who may be asked then.",
        CONTENT_POLICY,
        tables={"routing": {"content_policy_fallbacks": ["fallback"]}},
    ),
    Scenario(
        name="context-length-no-larger",
        says="Too long, and the fallback's window is no larger: it is not asked in vain.",
        primary=Provider(plays=plays(CONTEXT_LENGTH), model={"context_length": 8_192}),
        fallback=Provider(model={"context_length": 8_192}),
        asks=(
            Ask(
                expected=Expected(text=None, error="ContextLengthError", kind="context_length", bookings=("released",))
            ),
        ),
    ),
    for_ever(
        "error-inside-200",
        "A 200 whose stream is an error from its first word: a failure like any other, as nothing was shown.",
        ErrorInside(after_chunks=0),
        booked="in_doubt",
    ),
    msgspec.structs.replace(
        for_ever(
            "answer-cut-short",
            "An answer in one piece breaks off in its middle: half of one is none, and it is asked for anew.",
            Cut(),
            booked="in_doubt",
        ),
        methods=("generate",),
    ),
    for_ever("web-page", "A 200 that is a web page of somebody's network: no answer.", HtmlBody(), booked="in_doubt"),
)
