"""Own the lookup of configured entries: who has a model, and what a name in a fallback list means. Pure."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterator, Sequence

import msgspec

from manus.messages.policy import ModelCard, ProviderPolicy

NAMES_TOLD = 20
"""Names listed in an error at most."""


class Target(msgspec.Struct, frozen=True):
    """What an item of a fallback list names: an entry, and one of its models or whichever is able."""

    entry: str
    model: str | None = None


def target_of(item: str) -> Target:
    """Read `entry` or `entry/model`. Names of entries hold no slash, names of models may."""
    entry, _, model = item.partition("/")
    return Target(entry, model or None)


class Entries:
    """The enabled entries and the names of the disabled ones.

    Raises:
        ValueError: two entries have the same name, or a weight is no share.
    """

    __slots__ = ("_having", "by_name", "by_priority", "disabled")

    def __init__(self, providers: Sequence[ProviderPolicy], *, disabled: Collection[str] = ()) -> None:
        self.by_name = {provider.name: provider for provider in providers}
        if len(self.by_name) != len(providers):
            raise ValueError("two provider entries have the same name")
        self.disabled = frozenset(disabled)
        # Sorting is stable: entries of one priority keep the order in which they were configured.
        self.by_priority = tuple(p.name for p in sorted(providers, key=_priority_of))
        self._having: dict[str, dict[str, ModelCard]] = {p.name: {c.name: c for c in p.models} for p in providers}
        _check_weights(providers)

    @property
    def known(self) -> list[str]:
        """The names of all entries, enabled or not."""
        return sorted(self.by_name.keys() | self.disabled)

    @property
    def models(self) -> list[str]:
        """The names of all listed models."""
        return sorted({name for having in self._having.values() for name in having})

    def card(self, entry: str, model: str) -> ModelCard | None:
        """Give what is known of a model at an entry; None where the entry does not have it."""
        provider = self.by_name.get(entry)
        if provider is None:
            return None
        card = self._having[entry].get(model)
        return provider.unlisted(model) if card is None and provider.any_model else card

    def owners(self, model: str, *, named: str | None = None, first: str | None = None) -> tuple[str, ...]:
        """Find who has a model; who takes any name has it only where nobody lists it or it was `named`.

        `first` is put first where it is among them, the others come by priority.
        """
        order = self.by_priority
        if first in self.by_name:
            order = (first, *(name for name in order if name != first))
        listed = tuple(name for name in order if model in self._having[name])
        if named in self.by_name and self.by_name[named].any_model:
            return (named, *(name for name in listed if name != named))
        return listed or tuple(name for name in order if self.by_name[name].any_model)

    def problem_of(self, item: str) -> str | None:
        """Say what is wrong with `entry` or `entry/model`; None where it names something."""
        target = target_of(item)
        if target.entry in self.disabled:
            return None
        if target.entry not in self.by_name:
            return f"No provider is called {target.entry!r}.{meant(target.entry, self.known)}"
        if target.model is None or self.card(target.entry, target.model) is not None:
            return None
        return (
            f"The provider {target.entry!r} lists no model {target.model!r}."
            f"{meant(target.model, sorted(self._having[target.entry]))}"
        )

    def problem_of_substitute(self, item: str) -> str | None:
        """Say what is wrong with a model or an `entry/model`; None where it names something.

        What a disabled entry lists is not known here, so beside one any model may be its.
        """
        if self.disabled or any(True for _ in self.substitutes(item)):
            return None
        return f"No provider lists the model {item!r}.{meant(item, self.models)}"

    def substitutes(self, item: str, *, first: str | None = None) -> Iterator[Target]:
        """Find who is meant by a model or an `entry/model`; an entry's name wins where that entry has such a model."""
        target = target_of(item)
        if target.model is not None and self.card(target.entry, target.model) is not None:
            yield target
            return
        owners = self.owners(item, first=first)
        for owner in owners:
            yield Target(owner, item)
        if not owners and target.model is not None and target.entry in self.disabled:
            yield target


def meant(name: str, known: Sequence[str]) -> str:
    """Suggest what somebody may have meant by a name that is not known."""
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" There are: {', '.join(known[:NAMES_TOLD])}." if known else ""


def _check_weights(providers: Sequence[ProviderPolicy]) -> None:
    for provider in providers:
        for weight in (provider.weight, *(key.weight for key in provider.keys)):
            if not (math.isfinite(weight) and weight >= 0):
                raise ValueError(f"a weight of {provider.name!r} is {weight}; give a number that is zero or more")
        if provider.keys and not sum(key.weight for key in provider.keys):
            raise ValueError(f"the weights of the keys of {provider.name!r} sum to zero")
    if providers and not sum(provider.weight for provider in providers):
        raise ValueError("the weights of the providers sum to zero")


def _priority_of(provider: ProviderPolicy) -> int:
    return provider.priority
