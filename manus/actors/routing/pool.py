"""Own what planning prepares once for a kind of request: the able deployments, in groups, with what never changes.

Groups are asked one after another; within a group the strategy orders, request by request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from manus.actors.routing.plan import Choice
from manus.messages.outcomes import Candidate
from manus.messages.policy import ModelCard, ProviderPolicy

LARGER = "larger window, if the prompt is too long"
"""Why a deployment stands in reserve for a context length failure."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Deployments that the strategy puts in order.

    Args:
        choices: in the order of the configuration, the keys of one model of one entry beside each other.
        weights: the share of the draws that each has; those of an entry sum to the entry's weight.
        rings: where the keys of one model of one entry stand that take turns, as (first, one past the last).
        sticky: where such keys stand that are used in their order, each only when those before it are not well.
        equals: whether all of them are equal in right to go first under any strategy: they have the model asked for.
        name: the same for the same deployments; turns are counted by it.
    """

    choices: tuple[Choice, ...]
    weights: tuple[float, ...]
    rings: tuple[tuple[int, int], ...] = ()
    sticky: tuple[tuple[int, int], ...] = ()
    equals: bool = False
    name: str = ""


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """All that one kind of request may be answered by.

    Args:
        groups: at least one, none of them empty.
        reserves: deployments that are asked only after certain failures.
        left_out: who is not able, and why.
        alone: nobody is to be asked but the first, whoever that is.
        takes_turns: whose turn it is decides about their order.
        has_equals: several of the first group may be equal in right to go first, so that a warm cache can decide.
        smallest_window: the smallest known window among them; 0 where none is known.
        size: how many deployments it holds.
    """

    groups: tuple[Group, ...]
    reserves: tuple[Choice, ...]
    left_out: tuple[Candidate, ...]
    alone: bool
    takes_turns: bool
    has_equals: bool
    smallest_window: int
    size: int

    def is_overflown_by(self, tokens: int) -> bool:
        """Whether a prompt of about so many tokens is too long for a known window among them."""
        return self.smallest_window != 0 and tokens > self.smallest_window


def group_of(choices: Sequence[Choice], providers: Mapping[str, ProviderPolicy], *, equals: bool = False) -> Group:
    """Make a group of `choices`, which are deployments of `providers`."""
    rings: list[tuple[int, int]] = []
    sticky: list[tuple[int, int]] = []
    start = 0
    for end in range(1, len(choices) + 1):
        if end < len(choices) and same_model(choices[end], choices[start]):
            continue
        if end - start > 1:
            in_turn = providers[choices[start].provider].key_order == "round_robin"
            (rings if in_turn else sticky).append((start, end))
        start = end
    return Group(
        choices=tuple(choices),
        weights=_weights(choices, providers),
        rings=tuple(rings),
        sticky=tuple(sticky),
        equals=equals,
        name=" ".join(choice.deployment for choice in choices),
    )


def window_of(card: ModelCard) -> int:
    """Give the longest prompt that a model is known to take; 0 where that is not known."""
    return card.longest_prompt_tokens or 0


def same_model(one: Choice, other: Choice) -> bool:
    """Whether two deployments differ in nothing but the key."""
    return one.provider == other.provider and one.model == other.model


def _weights(choices: Sequence[Choice], providers: Mapping[str, ProviderPolicy]) -> tuple[float, ...]:
    """Share out the weight of each entry among its models by their weights, and a model's by those of its keys."""
    models: dict[str, dict[str, float]] = {}
    key_weights: dict[tuple[str, str], float] = {}
    own: list[float] = []
    for choice in choices:
        keys = providers[choice.provider].keys
        weight = next((key.weight for key in keys if key.name == choice.key), 1.0)
        own.append(weight)
        models.setdefault(choice.provider, {})[choice.model] = choice.card.weight
        of_model = (choice.provider, choice.model)
        key_weights[of_model] = key_weights.get(of_model, 0.0) + weight
    weights: list[float] = []
    for choice, weight in zip(choices, own, strict=True):
        of_keys = _share(weight, key_weights[choice.provider, choice.model])
        of_models = _share(choice.card.weight, sum(models[choice.provider].values()))
        weights.append(providers[choice.provider].weight * of_models * of_keys)
    return tuple(weights)


def _share(weight: float, total: float) -> float:
    return weight / total if total else 0.0
