"""Own the refusals: what a catalogue must not say, whoever says it. A table that fails is not written.

A wrong price is worse than none: with none a budget refuses to guess, with a wrong one it is kept on paper only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from manus.config.catalogue import Catalogue, Place
from manus.config.catalogue_file import Rates, Row
from scripts.catalogue.facts import Facts
from scripts.catalogue.overlay import Overlay

RATE_MAX = 1_000 * 1_000_000_000
"""Nano-USD per million tokens: a thousand dollars. The dearest model of 2026 costs 600."""

CALL_MAX = 1_000_000_000
"""Nano-USD for one call of a tool: a dollar. The dearest on offer is a fortieth of that."""

TOKENS_MAX = 20_000_000
"""Tokens: twice the largest window on offer."""

JUMP_MAX = 3.0
"""A price that changed by more than this factor since the last catalogue is looked at by a person first."""

LOST_MAX = 0.2
"""If more than this share of a vendor's models disappears, a source has changed its shape."""

Rows = Mapping[str, Sequence[Row]]


def complaints(rows: Rows, overlay: Overlay, sources: Mapping[str, str]) -> Iterator[str]:
    """Say what is wrong with a catalogue by itself."""
    for vendor, models in rows.items():
        names: dict[str, str] = {}
        for row in models:
            place = f"{vendor}/{row.id}"
            for name in (row.id, *row.also):
                if name in names:
                    yield f"{place}: the name {name} is also that of {names[name]}"
                names[name] = row.id
            yield from _of_row(place, row, free=overlay.is_free(vendor, row.id))
            for code in row.source:
                if code not in sources:
                    yield f"{place}: its facts are from {code}, which `sources` lacks"


def jumps(rows: Rows, former: Rows, accepted: frozenset[str]) -> Iterator[str]:
    """Say what changed too much since the last catalogue to be believed unseen.

    `accepted` are `vendor/model`, or `vendor/*` for all of them.
    """
    for vendor, models in former.items():
        if f"{vendor}/*" in accepted:
            continue
        now = {row.id: row for row in rows.get(vendor, ())}
        lost = [row.id for row in models if row.id not in now]
        if len(lost) > LOST_MAX * len(models):
            yield f"{vendor}: {len(lost)} of {len(models)} models are gone; if that is true, accept {vendor}/*"
        for row in models:
            place = f"{vendor}/{row.id}"
            if row.id in now and place not in accepted:
                for what, before, after in _changes(row, now[row.id]):
                    yield f"{place}: {what} went from {before} to {after}; if that is true, accept {place}"


def strangers(catalogue: Catalogue, facts: Sequence[Facts], overlay: Overlay) -> Iterator[str]:
    """Say under which of the sources' own names the catalogue has a price that no source has for that name.

    Where a person decided between two prices, a name may well be found under the other one.
    """
    by_vendor: dict[str, list[Facts]] = {}
    for each in facts:
        if each.price is not None:
            by_vendor.setdefault(each.vendor, []).append(each)
    for vendor, described in by_vendor.items():
        for name in sorted({called for each in described for called in _called(each)}):
            found = catalogue.find(Place(vendor), name)
            if found is None or not found.price.known or overlay.decides_price(vendor, found.row.id):
                continue
            if (found.price.input, found.price.output) not in _prices_of(name, described):
                yield f"{vendor}/{name}: is found as {found.row.id}, whose price no source has for this name"


def _called(facts: Facts) -> Iterator[str]:
    """Give the names by which a model is asked for at the price of these facts."""
    prefixes = {"": ("",), "regional": ("", "us.")}.get(facts.area, (f"{facts.area}.",))
    yield from (f"{prefix}{name}" for prefix in prefixes for name in facts.names)


def _prices_of(name: str, described: Iterable[Facts]) -> set[tuple[int | None, int | None]]:
    prices: set[tuple[int | None, int | None]] = set()
    for each in described:
        about = name in _called(each) or (each.matches is not None and each.matches(name))
        if each.price is not None and about:
            # Vectors are billed by what goes in, whatever a list says of what comes out.
            prices.update({(each.price.input, each.price.output), (each.price.input, 0)})
    return prices


def _changes(before: Row, after: Row) -> Iterator[tuple[str, object, object]]:
    if before.price is None or after.price is None:
        if before.price is not None:
            yield "its price", "known", "unknown"
        return
    for field in ("input", "output", "read", "write", "write_long", "audio_in", "audio_out"):
        old, new = getattr(before.price, field), getattr(after.price, field)
        if old and new is not None and not 1 / JUMP_MAX <= new / old <= JUMP_MAX:
            yield f"price.{field}", old, new


def _of_row(place: str, row: Row, *, free: bool) -> Iterator[str]:
    for what, rates in (("price", row.price), *row.areas.items(), *row.services.items()):
        if rates is not None:
            yield from _of_rates(f"{place}, {what}", rates, free=free, embeds="embeddings" in row.can.split())
    for kind, cost in row.tools.items():
        if not 0 <= cost <= CALL_MAX:
            yield f"{place}: a call of {kind} is {cost} nano-USD"
    for field in ("context", "prompt", "output"):
        value = getattr(row, field)
        if value is not None and not 0 < value <= TOKENS_MAX:
            yield f"{place}: {field} is {value} tokens"
    if row.context is not None and row.prompt is not None and row.prompt > row.context:
        yield f"{place}: a prompt of {row.prompt} tokens does not fit its window of {row.context}"
    if both := set(row.can.split()) & set(row.cannot.split()):
        yield f"{place}: it both can and cannot {', '.join(sorted(both))}"
    if row.retires is not None and not _is_day(row.retires):
        yield f"{place}: retires on {row.retires}, which is no day"


def _of_rates(place: str, rates: Rates, *, free: bool, embeds: bool) -> Iterator[str]:
    if not 0 <= rates.request <= CALL_MAX:
        yield f"{place}: a call is {rates.request} nano-USD"
    for field in ("input", "output", "read", "write", "write_long", "audio_in", "audio_out"):
        value = getattr(rates, field)
        if value is not None and not 0 <= value <= RATE_MAX:
            yield f"{place}: {field} is {value} nano-USD per million tokens"
    if not free and (rates.input == 0 or (rates.output == 0 and not embeds)):
        yield f"{place}: costs nothing, and no entry of [free] in the overlay says that this is so"
    if rates.input is None or rates.output is None:
        yield f"{place}: only half of it is known"
        return
    if rates.read is not None and rates.read > rates.input:
        yield f"{place}: reading from the cache costs more than not having one"
    if rates.write is not None and rates.write > 4 * rates.input:
        yield f"{place}: writing to the cache costs more than four times the prompt"
    if rates.write_long is not None and rates.write_long < (rates.write or rates.input):
        yield f"{place}: writing to the cache for an hour costs less than for minutes"
    above = [tier.above for tier in rates.tiers]
    if above != sorted(set(above)) or any(threshold <= 0 for threshold in above):
        yield f"{place}: its tiers are not in order: {above}"
    for tier in rates.tiers:
        yield from _of_rates(f"{place} above {tier.above}", tier, free=free, embeds=embeds)


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
