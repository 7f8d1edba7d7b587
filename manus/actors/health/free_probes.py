"""Own what a free probe, a vendor's list of models, tells about deployments that rest.

It takes the place of the request that would find out, when the rest is over: if the vendor does not answer, or still
refuses the key, no caller had to learn it. If it answers, that proves the way there and the key, and not that models
answer: so a key closes, and a deployment is left to one request, as half open as it was.
"""

from __future__ import annotations

import msgspec

from manus.actors.health.counting import effect_of, in_words
from manus.actors.health.judging import Judge
from manus.actors.health.registry import Registry
from manus.actors.health.tracked import Tracked, TrackedKey
from manus.messages.calls import Probed


class FreeProbe(msgspec.Struct, kw_only=True):
    """A list of models that is asked for: whose, and whom it tries. Hand it back to `Health.probed`, once.

    `shared` is what was known of the key when it was asked for. `incarnation` is the router's; `RETURNED` once it was
    handed back.
    """

    provider: str
    key: str | None
    shared: TrackedKey
    tried: tuple[Tracked, ...]
    tries_key: bool
    incarnation: int


def due(registry: Registry, now: float) -> list[tuple[str, str | None]]:
    """Name the providers and keys under which somebody's rest is over that a list of models can tell something of."""
    return [name for name, key in registry.keys.items() if _key_is_due(key, now) or _due_under(key, now)]


def begin(registry: Registry, provider: str, key: str | None, incarnation: int, now: float) -> FreeProbe | None:
    """Take the probes of all that are due under a key; None where none are (any more)."""
    shared = registry.keys.get((provider, key))
    if shared is None:
        return None
    tries_key, tried = _key_is_due(shared, now), _due_under(shared, now)
    if not tries_key and not tried:
        return None
    if tries_key:
        shared.breaker.begin_probe("its rest is over: the list of models finds out")
        registry.restate_key(shared, now)
    for tracked in tried:
        tracked.breaker.begin_probe("its rest is over: the list of models finds out")
        registry.restate(tracked, now)
    return FreeProbe(
        provider=provider, key=key, shared=shared, tried=tuple(tried), tries_key=tries_key, incarnation=incarnation
    )


def end(registry: Registry, judge: Judge, probe: FreeProbe, probed: Probed, now: float) -> None:
    """Learn from what came of it."""
    shared = probe.shared
    failure = probed.failure
    effect = effect_of(failure)
    if not probed.supported or effect == "model_refused":
        # There is no list, or not for this key. Requests find out, now and from now on.
        shared.lists = False
        effect = "nothing"
    for tracked in probe.tried:
        if effect == "bad":
            assert failure is not None
            tracked.breaker.probe_failed(now, f"the list of models failed: {in_words(failure)}")
        else:
            tracked.breaker.probe_left()
        registry.restate(tracked, now)
    refused = effect == "key_refused" and failure is not None and failure.kind == "auth"
    if probe.tries_key:
        if effect == "good" and shared.refused_kind == "auth":
            shared.breaker.probe_succeeded("the key is accepted again")
        elif refused:
            assert failure is not None
            why = f"the vendor refuses the key: {in_words(failure)}"
            shared.breaker.probe_failed(now, why, judge.refused_s(shared.breaker, failure))
        else:
            shared.breaker.probe_left()
    elif refused:
        assert failure is not None
        judge.refuse_key(shared, failure, now)
    registry.restate_key(shared, now)


def _key_is_due(key: TrackedKey, now: float) -> bool:
    return key.lists and key.list_proves and key.breaker.state == "open" and key.breaker.may_begin(now)


def _due_under(key: TrackedKey, now: float) -> list[Tracked]:
    """List the deployments whose own rest is over; none where the key rests, or nobody lists."""
    if not key.lists or (key.breaker.state != "closed" and not _key_is_due(key, now)):
        return []
    return [
        tracked
        for tracked in key.deployments.values()
        if tracked.breaker.state == "open" and tracked.breaker.may_begin(now) and not tracked.cooldown.rest.holds(now)
    ]
