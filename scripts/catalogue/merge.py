"""Own the decision whom to believe: what several sources say of a model becomes one row, each fact with its source.

Where two sources name different prices the dearer stands: a budget that was kept must have been kept. The overlay may
decide otherwise. Capabilities and limits come from the table that has them, and the overlay wins over all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from manus.config.catalogue_file import Rates, Row
from scripts.catalogue import genai_prices, litellm_table
from scripts.catalogue.facts import CAPABILITIES, Facts
from scripts.catalogue.overlay import Fact, Overlay

_DATE = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|20\d{6})(?=$|[-:])")
"""A snapshot's date in a model's name; the loader knows the same rule."""

PRICES_ONLY = frozenset({"openrouter"})
"""Vendors of whose models no more is known than prices and windows, so that all names of one price are one row."""

_BEDROCK_ID = re.compile(r"(?!(us-gov|us|eu|apac|jp|au|ca|sa|in|mx|global)\.)[a-z0-9]+\.")
"""A foundation model's id; with the prefix of a profile before it, it is only a way to one."""


class Entry:
    """One model while its row is being made: what each source says of it, by area (empty but on Bedrock)."""

    __slots__ = ("also", "genai", "id", "litellm", "vendor")

    def __init__(self, vendor: str, name: str) -> None:
        self.vendor = vendor
        self.id = name
        self.also: list[str] = []
        self.litellm: dict[str, Facts] = {}
        self.genai: dict[str, Facts] = {}


class Disagreement(msgspec.Struct, frozen=True):
    """Two sources name different prices; `taken` says whose stands."""

    vendor: str
    model: str
    genai: Rates
    litellm: Rates
    taken: str


def merge(
    genai: Sequence[Facts], litellm: Sequence[Facts], overlay: Overlay
) -> tuple[dict[str, list[Row]], list[Disagreement]]:
    """Make the rows of every vendor, sorted by name, and list what the sources disagree on."""
    entries: dict[tuple[str, str], Entry] = {}
    for facts in litellm:
        if not overlay.leaves_out(facts.vendor, facts.id):
            entry = entries.setdefault((facts.vendor, facts.id), Entry(facts.vendor, facts.id))
            entry.litellm.setdefault(facts.area, facts)
    known = {vendor: [e for e in entries.values() if e.vendor == vendor] for vendor in {v for v, _ in entries}}
    for facts in genai:
        if facts.price is not None and not overlay.leaves_out(facts.vendor, facts.id):
            _attach(facts, known.get(facts.vendor, []), entries, overlay)
    disagreements: list[Disagreement] = []
    rows: dict[str, list[Row]] = {}
    for entry in entries.values():
        row = _row(entry, overlay, disagreements)
        if row is not None:
            rows.setdefault(entry.vendor, []).append(row)
    for model in overlay.models:
        row = Row(id=model.id, price=model.price, source={model.source: "*"})
        rows.setdefault(model.vendor, []).append(_overlaid(model.vendor, row, overlay))
    return {vendor: _tidied(rows[vendor]) for vendor in sorted(rows)}, disagreements


def _attach(facts: Facts, known: Iterable[Entry], entries: dict[tuple[str, str], Entry], overlay: Overlay) -> None:
    """Give genai-prices' facts to the models they are about, or make models of them.

    A name is only ever another name of a model that these very facts are about: what looks like a snapshot of another
    one may have a price of its own.
    """
    assert facts.matches is not None
    mine: list[Entry] = []
    for entry in known:
        if any(facts.matches(f"{area}.{entry.id}" if area else entry.id) for area in _areas(facts.area)):
            entry.genai.setdefault(facts.area, facts)
            mine.append(entry)
    names = [name for name in facts.names if (facts.vendor, name) not in entries]
    names = [name for name in names if not overlay.leaves_out(facts.vendor, name)]
    if facts.vendor == "bedrock":
        # Profiles of one model are several facts; their ids are the model's, however genai-prices ends them.
        mine.extend(e for e in entries.values() if e.vendor == "bedrock" and e.id == facts.id and e not in mine)
        names = [name for name in names if _BEDROCK_ID.match(name)] if not mine else []
    for name in names:
        owner = next((e for e in mine if _same(e.id, name) or facts.vendor in PRICES_ONLY), None)
        if owner is None:
            owner = entries[facts.vendor, name] = Entry(facts.vendor, name)
            mine.append(owner)
        elif not _is_snapshot(name, owner.id):
            owner.also.append(name)
    for entry in mine:
        entry.genai.setdefault(facts.area, facts)


def _areas(area: str) -> tuple[str, ...]:
    """Name the prefixes of an id that fall under genai-prices' area of a profile."""
    return {"regional": ("", "us"), "global": ("global",)}.get(area, ("",))


def _same(one: str, other: str) -> bool:
    """Whether two names differ in nothing but how a dot is spelt, a snapshot's date or a word for the newest."""
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return _DATE.sub("", name).removesuffix("-latest").removesuffix(":beta").replace(".", "-")


def _is_snapshot(name: str, of: str) -> bool:
    return _DATE.sub("", name) == of


# -- one row


def _row(entry: Entry, overlay: Overlay, disagreements: list[Disagreement]) -> Row | None:
    table = entry.litellm.get("") or next(iter(entry.litellm.values()), None)
    prices = next(iter(entry.genai.values()), None)
    window = _context(table, prices)
    areas = {
        area: (_met(rates, window), code) for area, (rates, code) in _prices(entry, overlay, disagreements).items()
    }
    price, priced_by = areas.pop("", (None, ""))
    flags = {} if table is None else dict(table.flags)
    row = Row(
        id=entry.id,
        also=tuple(
            sorted({name for name in entry.also if _DATE.sub("", name) not in {entry.id, *entry.also} - {name}})
        ),
        price=price,
        areas={area: rates for area, (rates, _) in sorted(areas.items()) if rates is not None and rates != price},
        services=_services(table, prices, price) | _services_of_areas(entry, areas),
        tools=_tools(table, prices),
        context=window,
        prompt=_prompt(table, prices),
        output=None if table is None else table.output,
        can=_words(flags, True),
        cannot=_words(flags, False),
        efforts="" if table is None or table.efforts is None else " ".join(table.efforts),
        retires=None if table is None else table.retires,
        source=_sources(table, prices, priced_by),
    )
    row = _overlaid(entry.vendor, row, overlay)
    return row if row.price or row.areas or row.can or row.cannot or row.context else None


def _met(rates: Rates | None, context: int | None) -> Rates | None:
    """Leave out bands that begin where the window ends: only a sum over rounds of tools is as long, and no prompt."""
    if rates is None or context is None:
        return rates
    return msgspec.structs.replace(rates, tiers=tuple(tier for tier in rates.tiers if tier.above < context))


def _prices(entry: Entry, overlay: Overlay, disagreements: list[Disagreement]) -> dict[str, tuple[Rates | None, str]]:
    """Choose the price of every area, and name whose it is."""
    chosen: dict[str, tuple[Rates | None, str]] = {}
    wanted = next((f.prices for f in reversed(overlay.facts) if f.prices and _about(f, entry.vendor, entry.id)), None)
    for area in sorted({*entry.litellm, *("" if a == "regional" else a for a in entry.genai)}):
        table = entry.litellm.get(area)
        # What genai-prices knows of regional profiles holds for an id without a prefix, and for every other prefix.
        dated = entry.genai.get(area) or (
            None if area == "global" else entry.genai.get("regional", entry.genai.get(""))
        )
        ours = _embedding_costs(dated.price, table) if dated is not None else None
        theirs = None if table is None else table.price
        if ours is None or theirs is None:
            code = genai_prices.CODE if ours is not None else litellm_table.CODE
            chosen[area] = (ours or theirs, code)
            continue
        code = wanted or (genai_prices.CODE if _dearness(ours) >= _dearness(theirs) else litellm_table.CODE)
        if _rate_words(ours) != _rate_words(theirs):
            name = f"{area}.{entry.id}" if area else entry.id
            disagreements.append(Disagreement(entry.vendor, name, ours, theirs, code))
        taken = ours if code == genai_prices.CODE else theirs
        chosen[area] = (_completed(taken, theirs if taken is ours else ours), code)
    if "" not in chosen:
        # Only profiles are listed: what no rule names costs as much as the dearest of the regional ones.
        regional = [rates for area, (rates, _) in chosen.items() if area != "global" and rates is not None]
        if regional:
            chosen[""] = (max(regional, key=_dearness), litellm_table.CODE)
    return chosen


def _completed(taken: Rates, other: Rates) -> Rates:
    """Add from the other source what the price lacks of rates for caches and sounds, if they agree on the rest."""
    if (taken.input, taken.output) != (other.input, other.output) or (taken.tiers != other.tiers and taken.tiers):
        return taken
    parts = ("read", "write", "write_long", "audio_in", "audio_out")
    missing = {f: getattr(other, f) for f in parts if getattr(taken, f) is None}
    taken = msgspec.structs.replace(taken, request=taken.request or other.request)
    return msgspec.structs.replace(taken, **{f: value for f, value in missing.items() if value is not None})


def _embedding_costs(price: Rates | None, table: Facts | None) -> Rates | None:
    """Vectors are not billed as output, whatever a price list repeats there."""
    if price is None or table is None or not table.flags.get("embeddings"):
        return price
    return Rates(input=price.input, output=0)


def _dearness(rates: Rates) -> tuple[int, int]:
    dearest = max((rates, *rates.tiers), key=_sum)
    return _sum(rates), _sum(dearest)


def _sum(rates: Rates) -> int:
    return (rates.input or 0) + (rates.output or 0)


def _rate_words(rates: Rates) -> tuple[object, ...]:
    return rates.input, rates.output, tuple((tier.above, tier.input, tier.output) for tier in rates.tiers)


def _services(table: Facts | None, prices: Facts | None, standard: Rates | None) -> dict[str, Rates]:
    """Give the prices of other services; `fast` is OpenAI's other word for `priority` (openai.md, section 2.2)."""
    found = {**({} if prices is None else prices.services), **({} if table is None else table.services)}
    if "fast" in found and any(facts is not None and facts.vendor == "openai" for facts in (table, prices)):
        found.setdefault("priority", found["fast"])
    if standard is not None and table is not None:
        for region, factor in table.regions.items():
            found[f"standard+{region}"] = _dearer(standard, factor)
            if "fast" in found:
                found[f"fast+{region}"] = _dearer(found["fast"], factor)
    return {name: rates for name, rates in sorted(found.items()) if standard is not None and rates != standard}


def _services_of_areas(entry: Entry, areas: dict[str, tuple[Rates | None, str]]) -> dict[str, Rates]:
    """Give the prices of other services in areas that have a price of their own, as `eu:flex`."""
    return {
        f"{area}:{name}": rates
        for area in sorted(areas.keys() & entry.litellm.keys())
        for name, rates in sorted(entry.litellm[area].services.items())
    }


def _dearer(rates: Rates, factor: Decimal) -> Rates:
    """Give rates of tokens times a factor."""
    fields = ("input", "output", "read", "write", "write_long", "audio_in", "audio_out")
    given = {field: rate for field in fields if (rate := getattr(rates, field)) is not None}
    # Over a million of a million: exact for every factor with two places.
    made = {field: int((rate * factor).to_integral_value(ROUND_HALF_EVEN)) for field, rate in given.items()}
    return msgspec.structs.replace(rates, tiers=tuple(_dearer(tier, factor) for tier in rates.tiers), **made)


def _tools(table: Facts | None, prices: Facts | None) -> dict[str, int]:
    """Give what calls of the vendor's tools cost; where the sources differ the dearer stands, as with tokens."""
    found = {} if prices is None else dict(prices.tools)
    for kind, cost in ({} if table is None else table.tools).items():
        found[kind] = max(cost, found.get(kind, 0))
    if table is not None and table.price is not None and table.price.request:
        found.pop("web_search", None)  # every call of it is a search already
    return dict(sorted(found.items()))


def _context(table: Facts | None, prices: Facts | None) -> int | None:
    """Give the larger window that a source knows: one of them rounds, and a bound must not be too low."""
    windows = [facts.context for facts in (table, prices) if facts is not None and facts.context is not None]
    return max(windows, default=None)


def _prompt(table: Facts | None, prices: Facts | None) -> int | None:
    """Give the longest prompt where it is less than the window."""
    longest = None if table is None else table.prompt
    window = _context(table, prices)
    # A tenth less is a matter of counting in thousands or in powers of two.
    return longest if longest is not None and window is not None and longest < window * 0.95 else None


def _words(flags: dict[str, bool], value: bool) -> str:
    return " ".join(name for name in CAPABILITIES if flags.get(name) is value)


def _sources(table: Facts | None, prices: Facts | None, priced_by: str) -> dict[str, str]:
    """Say by source which facts of a row are from it."""
    source = {"*": litellm_table.CODE if table is not None else genai_prices.CODE}
    if priced_by and priced_by != source["*"]:
        source["price"] = priced_by
    if (
        table is not None
        and prices is not None
        and prices.context is not None
        and prices.context > (table.context or 0)
    ):
        source["context"] = genai_prices.CODE
    if table is not None and prices is not None and prices.tools:
        source["tools"] = genai_prices.CODE
    return _by_source(source)


def _by_source(source: dict[str, str]) -> dict[str, str]:
    """Turn a source per fact into the facts per source, which is shorter."""
    facts: dict[str, list[str]] = {}
    for fact in sorted(source):
        facts.setdefault(source[fact], []).append(fact)
    return {code: " ".join(facts[code]) for code in sorted(facts)}


def _about(fact: Fact, vendor: str, model: str) -> bool:
    return vendor in fact.vendors and re.match(fact.models, model) is not None


def _overlaid(vendor: str, row: Row, overlay: Overlay) -> Row:
    """Write the hand-written facts over a row."""
    source = {fact: code for code, facts in row.source.items() for fact in facts.split()}
    for fact in overlay.facts:
        if not _about(fact, vendor, row.id):
            continue
        flags = {**dict.fromkeys(row.can.split(), True), **dict.fromkeys(row.cannot.split(), False)}
        for words, value in ((fact.unknown, None), (fact.can, True), (fact.cannot, False)):
            for name in words.split():
                if value is None:
                    flags.pop(name, None)
                    source.pop(name, None)
                elif flags.get(name) is not value:
                    flags[name] = value
                    source[name] = fact.source
        changed: dict[str, object] = {}
        for field in ("efforts", "context", "prompt", "output", "tier"):
            value = getattr(fact, field)
            if value is not None and value != getattr(row, field):
                changed[field] = value
                source[field] = fact.source
        if fact.tools:
            changed["tools"] = dict(sorted({**row.tools, **fact.tools}.items()))
            source["free_tools" if not any(fact.tools.values()) else "tools"] = fact.source
        row = msgspec.structs.replace(row, can=_words(flags, True), cannot=_words(flags, False), **changed)
    return msgspec.structs.replace(row, source=_by_source(source))


# -- all rows of a vendor


def _tidied(rows: list[Row]) -> list[Row]:
    """Sort rows and leave out dated snapshots that say nothing the model itself does not."""
    by_id = {row.id: row for row in rows}
    kept = []
    for row in rows:
        base = by_id.get(_DATE.sub("", row.id))
        if base is None or base is row or _essence(row) != _essence(base):
            kept.append(row)
    return sorted(kept, key=_id_of)


def _essence(row: Row) -> Row:
    return msgspec.structs.replace(row, id="", also=(), retires=None, tier=None, source={})


def _id_of(row: Row) -> str:
    return row.id
