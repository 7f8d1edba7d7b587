"""Own the shape of `catalogue.json`: the table of models, their prices and capabilities, that travels in the package.

The file is made by `make catalogue` and reviewed like code: one model stands on one line, keys are short, money is an
integer of nano-USD per million tokens. A part of it is only decoded when a model of that vendor is looked up.
"""

from __future__ import annotations

import msgspec

FILE_NAME = "catalogue.json"


class Rates(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a call costs, in nano-USD per million tokens; `request` is nano-USD per call.

    `above` is the prompt length from which a tier holds; `audio_in` and `audio_out` hold at every length.
    """

    above: int = 0
    input: int | None = msgspec.field(default=None, name="in")
    output: int | None = msgspec.field(default=None, name="out")
    read: int | None = None
    write: int | None = None
    write_long: int | None = None
    audio_in: int | None = None
    audio_out: int | None = None
    request: int = 0
    tiers: tuple[Rates, ...] = ()


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One model of one vendor.

    Args:
        id: the vendor's name of it.
        also: its other names. Dated snapshots (`id-2026-11-23`, `id-20261123`) need not stand here.
        price: what the standard service costs.
        areas: what it costs in an area, where different: on Bedrock by the prefix of an inference profile (`global`,
            `eu`), on Azure by the area of a data zone.
        services: what another service costs, by the name by which it is asked for or told: `flex`, `priority`; of
            Anthropic `fast`, and `standard+us` for an answer from one region.
        tools: nano-USD per call of a tool that the vendor runs, by its kind.
        context: tokens of prompt and answer together.
        prompt: tokens of the prompt alone, where that has a bound of its own.
        output: tokens of the answer, thinking included.
        can, cannot: the capabilities it is known to have and to lack, by their names in `ModelCard`.
        efforts: the efforts it takes; `none` alone for a model that takes the field not at all.
        tier: from 1 (small) to 10 (frontier).
        retires: the day its vendor switches it off.
        source: who says so: by code of `CatalogueFile.sources` the facts, `*` for all that are named nowhere else.
    """

    id: str
    also: tuple[str, ...] = ()
    price: Rates | None = None
    areas: dict[str, Rates] = {}
    services: dict[str, Rates] = {}
    tools: dict[str, int] = {}
    context: int | None = None
    prompt: int | None = None
    output: int | None = None
    can: str = ""
    cannot: str = ""
    efforts: str = ""
    tier: int | None = None
    retires: str | None = None
    source: dict[str, str] = msgspec.field(default_factory=dict, name="from")


class CatalogueFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file as a whole; what stands under a vendor is an array of `Row`, left undecoded until it is needed."""

    format: int
    as_of: str
    sources: dict[str, str]
    vendors: dict[str, msgspec.Raw]


FORMAT = 1
"""What this version reads. The file travels with the code, so another number is a broken installation."""
