"""Own the order of the configuration: which targets a request considers, one after another, and why. Pure.

The caller's first choice (a provider, a model, or both), what stands in for the model it named, then the fallback list,
else every enabled entry by priority (1 before 2). Who of them is able is `pooling`'s to find out.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from manus.actors.routing.entries import Entries, Target, target_of
from manus.actors.routing.needs import Routable
from manus.messages.routing_policy import RouterPolicy


class Step(msgspec.Struct, frozen=True):
    """One target to consider and why it has this place; steps of one rank are equal in right, and ordered together.

    Rank 0 is what the caller asked for by name.
    """

    target: Target
    why: str
    rank: int


def steps_of(
    entries: Entries, policy: RouterPolicy, request: Routable, *, owners: tuple[str, ...], by_entry: bool
) -> Iterator[Step]:
    """Name every target that `request` considers, in order; an entry without a model only once.

    Args:
        entries: what is configured.
        policy: first choice and fallbacks where the request names none.
        request: only what it names is looked at.
        owners: who has the model that it names.
        by_entry: whether entries are asked one after another, instead of from one pool.
    """
    asked: set[str] = set()
    rank = 0
    for step in _named(request, owners):
        asked.add(step.target.entry)
        yield step
    for rank, item in enumerate(_stand_ins(entries, policy, request), 1):
        for target in entries.substitutes(item, first=policy.default_provider):
            yield Step(target, "stands in for the model asked for", rank)
    rank += 1
    for target, why in _others(entries, policy, request, is_first=not asked, ranking="by priority" if by_entry else ""):
        if target.model is None:
            if target.entry in asked:
                continue
            asked.add(target.entry)
            if target.entry in owners:
                target = Target(target.entry, request.model)
        yield Step(target, why, rank)
        if by_entry:
            rank += 1


def _named(request: Routable, owners: tuple[str, ...]) -> Iterator[Step]:
    """Name what the caller asked for."""
    if request.provider is not None:
        yield Step(Target(request.provider, request.model), "asked for", 0)
    elif request.model is not None:
        for owner in owners:
            yield Step(Target(owner, request.model), "has the model asked for", 0)


def _stand_ins(entries: Entries, policy: RouterPolicy, request: Routable) -> Iterator[str]:
    """Name what the policy says may be asked instead of the model that the caller named, and instead of that.

    The nearest come first, each once, so that models may stand in for each other.
    """
    if request.model is None or request.fallback_providers is not None:
        return
    waiting, seen = [request.model], {request.model}
    while waiting:
        for item in policy.fallbacks.get(waiting.pop(0), ()):
            if item in seen:
                continue
            seen.add(item)
            waiting.append(item)
            yield item
            for target in entries.substitutes(item):
                if target.model is not None and target.model not in seen:
                    seen.add(target.model)
                    waiting.append(target.model)


def _others(
    entries: Entries, policy: RouterPolicy, request: Routable, *, is_first: bool, ranking: str
) -> Iterator[tuple[Target, str]]:
    """Name who is asked after that, with the reason; `is_first` where the caller asked for nobody."""
    fallback = policy.fallback_providers if request.fallback_providers is None else request.fallback_providers
    default = policy.default_provider if is_first else None
    if default is not None:
        yield Target(default), "default provider"
    if fallback is None:
        for name in entries.by_priority:
            yield Target(name), ranking
        return
    if is_first and default is None:
        for name in entries.by_priority[:1]:
            yield Target(name), ranking
    for item in fallback:
        yield target_of(item), "fallback"
