"""Own the reading of `overlay.toml`: facts written by hand, which win over every source, each with where it is from."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from manus.config.catalogue_file import Rates
from scripts.catalogue.facts import CAPABILITIES, BadSource


class Fact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is set on all models of some vendors whose names fit a pattern (a regular expression, from their start).

    `can` and `cannot` list capabilities, `unknown` takes back what a source says of them. `prices` names the source
    whose price is taken where they differ. `tools` are nano-USD per call of a tool that the vendor runs, by its kind.
    """

    vendors: tuple[str, ...]
    models: str
    source: str = msgspec.field(name="from")
    can: str = ""
    cannot: str = ""
    unknown: str = ""
    efforts: str | None = None
    context: int | None = None
    prompt: int | None = None
    output: int | None = None
    tier: int | None = None
    prices: str | None = None
    tools: dict[str, int] = {}


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that no source has; price in nano-USD per million tokens."""

    vendor: str
    id: str
    source: str = msgspec.field(name="from")
    price: Rates | None = None


class Overlay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file.

    Args:
        as_of: the day the facts were read, which dates the whole catalogue.
        sources: what the codes of its facts stand for.
        leave_out: models that no chat and no embedding can use, by vendor or `*`; patterns.
        free: models that really cost nothing, by vendor; patterns.
        facts: in order; a later one wins.
        models: those that only this file knows.
    """

    as_of: str
    sources: dict[str, str]
    leave_out: dict[str, str] = {}
    free: dict[str, str] = {}
    facts: tuple[Fact, ...] = msgspec.field(default=(), name="fact")
    models: tuple[Model, ...] = msgspec.field(default=(), name="model")

    def leaves_out(self, vendor: str, model: str) -> bool:
        """Whether a model is left out."""
        return _fits(self.leave_out, vendor, model)

    def decides_price(self, vendor: str, model: str) -> bool:
        """Whether a person chose between the sources' prices."""
        return any(f.prices and vendor in f.vendors and re.match(f.models, model) for f in self.facts)

    def is_free(self, vendor: str, model: str) -> bool:
        """Whether a price of zero is believed."""
        return _fits(self.free, vendor, model)


def read_overlay(path: Path) -> Overlay:
    """Read the file at `path`."""
    return parse_overlay(path.read_bytes())


def parse_overlay(raw: bytes) -> Overlay:
    """Read an overlay.

    Raises:
        BadSource: it has a mistake; it says where.
    """
    try:
        overlay = msgspec.toml.decode(raw, type=Overlay)
    except msgspec.DecodeError as error:
        raise BadSource(f"overlay: {error}") from None
    for place, fact in enumerate(overlay.facts):
        named = f"{fact.can} {fact.cannot} {fact.unknown}".split()
        if unknown := sorted(set(named) - set(CAPABILITIES)):
            raise BadSource(f"overlay: fact[{place}] ({fact.models}) names no capability: {', '.join(unknown)}")
        if fact.source not in overlay.sources:
            raise BadSource(f"overlay: fact[{place}] ({fact.models}) is from {fact.source}, which `sources` lacks")
        try:
            re.compile(fact.models)
        except re.error as error:
            raise BadSource(f"overlay: fact[{place}] ({fact.models}) is no regular expression: {error}") from None
    return overlay


def _fits(patterns: dict[str, str], vendor: str, model: str) -> bool:
    return any(re.match(patterns[key], model) for key in ("*", vendor) if key in patterns)
