"""Own the look-up of a model in the catalogue: which vendor an entry talks to, and what is known of a model there.

Names are matched as a vendor spells them, never by likeness: the name itself, one of its other names, or the name of a
dated snapshot less its date. What is not found is unknown, and unknown is permitted. The file is read when something
is first looked up, and of it only the part of the vendor that is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from manus.config.catalogue_file import FILE_NAME, FORMAT, CatalogueFile, Rates, Row
from manus.messages.policy import CATALOGUE
from manus.messages.usage import UNKNOWN_PRICE, Price, PriceTier

HOSTS: Final = {
    "api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "openrouter.ai": "openrouter",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.deepseek.com": "deepseek",
    "api.together.xyz": "together",
    "api.together.ai": "together",
}
"""Whose prices and capabilities hold at a host. Elsewhere a familiar name may be anybody's model at any price."""

UNPRICED_HOSTS: Final = {"eu.api.openai.com": "openai", "us.api.openai.com": "openai"}
"""Hosts of a vendor with a surcharge of their own, which the catalogue does not have."""

_DATE: Final = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|20\d{6})(?=$|[-:])")
_AREA: Final = re.compile(r"(us-gov|us|eu|apac|jp|au|ca|sa|in|mx|global)\.(?=[a-z0-9]+\.)")
_ARN: Final = re.compile(r"arn:[a-z-]+:bedrock:[^:]*:[^:]*:(inference-profile|foundation-model)/(.+)")
_BEDROCK_SUFFIXES: Final = (re.compile(r":\d+k$"), re.compile(r":\d+$"), re.compile(r"(-v\d+)?(:\d+)?$"))


class Place(msgspec.Struct, frozen=True):
    """The vendor of the catalogue that an entry talks to.

    `priced`: at that vendor's prices; `area`: at those of one of its areas, where the name of a model does not say it.
    """

    vendor: str
    priced: bool = True
    area: str = ""


class Found(msgspec.Struct, frozen=True):
    """What the catalogue has under a name: the model's row, and the prices that hold for this very name."""

    row: Row
    price: Price
    service_prices: dict[str, Price] = {}


def place_of(kind: str, base_url: str | None) -> Place | None:
    """Tell whose catalogue holds for an entry of type `kind` at `base_url`; None where nobody's does."""
    host = _host_of(base_url)
    match kind:
        case "openai" if host in UNPRICED_HOSTS:
            return Place(UNPRICED_HOSTS[host], priced=False)
        case "openai":
            vendor = HOSTS.get(host)
            return None if vendor is None or vendor == "anthropic" else Place(vendor)
        case "anthropic":
            return Place("anthropic") if not host or HOSTS.get(host) == "anthropic" else None
        case "bedrock" | "azure":
            return Place(kind)
        case "ollama":
            # Who runs the model decides what it costs, and that is told by the address.
            return Place("ollama", priced=False)
        case _:
            return None


class Catalogue:
    """The table of models.

    Args:
        read: gives the bytes of the file; called once, at the first look-up.
    """

    __slots__ = ("_file", "_names", "_read", "_rows")

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._file: CatalogueFile | None = None
        self._rows: dict[str, tuple[Row, ...]] = {}
        self._names: dict[str, dict[str, Row]] = {}

    @property
    def as_of(self) -> str:
        """The day on which its facts were read, as `2026-11-23`."""
        return self._opened().as_of

    @property
    def sources(self) -> dict[str, str]:
        """What the codes of its rows' sources stand for."""
        return self._opened().sources

    @property
    def vendors(self) -> tuple[str, ...]:
        """The vendors it has, in order."""
        return tuple(sorted(self._opened().vendors))

    def rows(self, vendor: str) -> tuple[Row, ...]:
        """Give all models of a vendor, in order; none for a vendor it does not have."""
        rows = self._rows.get(vendor)
        if rows is None:
            raw = self._opened().vendors.get(vendor)
            rows = self._rows[vendor] = () if raw is None else _decode_rows(raw)
        return rows

    def find(self, place: Place, name: str) -> Found | None:
        """Look a model up by the name it is called by at `place`."""
        match place.vendor:
            case "bedrock":
                found = self._find_bedrock(name, place.area)
            case "azure":
                row = self._row("azure", name)
                rates = None if row is None else row.areas.get(place.area) if place.area else row.price
                found = self._priced(row, rates, place.area)
                if found is None:
                    # What a model can do it can do wherever it is hosted; what it costs there is another matter.
                    found = self._priced(self._row("openai", name), None)
            case "openai" if name.startswith("ft:"):
                found = self._find_tuned(name)
            case "openrouter" if ":" in name:
                row = self._row("openrouter", name)
                other = self._row("openrouter", name.partition(":")[0])
                found = self._priced(row, row.price) if row is not None else self._priced(other, None)
            case vendor:
                row = self._row(vendor, name)
                found = self._priced(row, None if row is None else row.price)
        if found is None or place.priced:
            return found
        return Found(found.row, UNKNOWN_PRICE)

    def price(self, rates: Rates | None, tools: dict[str, int]) -> Price:
        """Turn rates of a row, and what its tools cost, into a price that names where it is from."""
        if rates is None or rates.input is None or rates.output is None:
            return UNKNOWN_PRICE
        return Price(
            input=rates.input,
            output=rates.output,
            cache_read=rates.read,
            cache_write_short=rates.write,
            cache_write_long=rates.write_long,
            audio_input=rates.audio_in,
            audio_output=rates.audio_out,
            per_request=rates.request,
            tool_calls=tools,
            tiers=tuple(_tier(each) for each in rates.tiers if each.input is not None and each.output is not None),
            version=f"{CATALOGUE} {self.as_of}",
        )

    def listed(self, row: Row) -> Found:
        """Give a row with what it costs under its own name."""
        found = self._priced(row, row.price)
        assert found is not None
        return found

    def _priced(self, row: Row | None, rates: Rates | None, area: str = "") -> Found | None:
        if row is None:
            return None
        if rates is None:
            return Found(row, UNKNOWN_PRICE)
        # A service of an area stands under both names: what it costs elsewhere is no word on what it costs there.
        prefix = f"{area}:" if area in row.areas else ""
        services = {
            name.removeprefix(prefix): self.price(each, row.tools)
            for name, each in row.services.items()
            if name.startswith(prefix) and ":" not in name.removeprefix(prefix)
        }
        return Found(row, self.price(rates, row.tools), services)

    def _find_bedrock(self, name: str, area: str) -> Found | None:
        """Find a foundation model by its id, by the id of a profile of the system, or by the ARN of either.

        Profiles of one's own have ARNs that say nothing of the model behind.
        """
        if name.startswith("arn:"):
            arn = _ARN.fullmatch(name)
            if arn is None:
                return None
            name = arn[2]
        prefix = _AREA.match(name)
        area = area if prefix is None else prefix[1]
        name = name if prefix is None else name[prefix.end() :]
        row = self._row("bedrock", name)
        for suffix in _BEDROCK_SUFFIXES:
            row = row or self._row("bedrock", suffix.sub("", name))
        return None if row is None else self._priced(row, row.areas.get(area, row.price), area)

    def _find_tuned(self, name: str) -> Found | None:
        """Find a tuned model (`ft:BASE:organisation:name:id`) by what it was tuned from."""
        base = name.split(":")[1]
        row = self._row("openai", f"ft:{base}")
        return self._priced(row, row.price) if row is not None else self._priced(self._row("openai", base), None)

    def _row(self, vendor: str, name: str) -> Row | None:
        names = self._names.get(vendor)
        if names is None:
            names = self._names[vendor] = _index(self.rows(vendor))
        row = names.get(name)
        if row is None:
            undated = _DATE.sub("", name)
            if undated != name:
                row = names.get(undated)
        return row

    def _opened(self) -> CatalogueFile:
        if self._file is None:
            file = _decode_file(self._read())
            if file.format != FORMAT:
                raise ValueError(
                    f"the catalogue has format {file.format}, this version reads {FORMAT}; install it anew"
                )
            self._file = file
        return self._file


def _host_of(base_url: str | None) -> str:
    try:
        return (urlsplit(base_url).hostname or "") if base_url else ""
    except ValueError:  # the configuration's own rules say what is wrong with it
        return ""


@cache
def packaged_catalogue() -> Catalogue:
    """Give the catalogue that came with the package."""
    return Catalogue(Path(__file__).with_name(FILE_NAME).read_bytes)


def _index(rows: tuple[Row, ...]) -> dict[str, Row]:
    names = {name: row for row in rows for name in (*row.also, row.id)}
    for row in rows:
        # A snapshot of `x-latest` is called `x-2026-11-23`.
        if row.id.endswith("-latest"):
            names.setdefault(row.id.removesuffix("-latest"), row)
    return names


def _tier(rates: Rates) -> PriceTier:
    assert rates.input is not None
    assert rates.output is not None
    return PriceTier(
        above_tokens=rates.above,
        input=rates.input,
        output=rates.output,
        cache_read=rates.read,
        cache_write_short=rates.write,
        cache_write_long=rates.write_long,
    )


_decode_file = msgspec.json.Decoder(CatalogueFile).decode
_decode_rows = msgspec.json.Decoder(tuple[Row, ...]).decode
