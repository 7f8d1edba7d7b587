"""Make `manus/config/catalogue.json`: `make catalogue`, or `python -m scripts.catalogue --wheels DIRECTORY`.

Reads the wheels of the sources without installing them, and the overlay beside this file. What looks wrong is refused
with a list; what the sources disagree on is told, so that a person can decide it in the overlay.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import msgspec

from manus.config.catalogue import Catalogue
from manus.config.catalogue_file import FILE_NAME, FORMAT, CatalogueFile, Rates, Row
from scripts.catalogue import genai_prices, litellm_table
from scripts.catalogue.checks import complaints, jumps, strangers
from scripts.catalogue.facts import BadSource
from scripts.catalogue.merge import Disagreement, merge
from scripts.catalogue.overlay import read_overlay

ROOT = Path(__file__).resolve().parents[2]
OVERLAY = Path(__file__).with_name("overlay.toml")
TARGET = ROOT / "manus" / "config" / FILE_NAME


def main(argv: Sequence[str] | None = None) -> int:
    """Make the file, or say why not."""
    parser = argparse.ArgumentParser(prog="catalogue", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--wheels", type=Path, required=True, help="where the wheels of the sources are")
    parser.add_argument("--overlay", type=Path, default=OVERLAY)
    parser.add_argument("--target", type=Path, default=TARGET)
    parser.add_argument("--accept", action="append", default=[], metavar="VENDOR/MODEL", help="believe a large change")
    arguments = parser.parse_args(argv)
    try:
        return _make(arguments)
    except BadSource as error:
        print(f"catalogue: {error}", file=sys.stderr)
        return 1


def _make(arguments: argparse.Namespace) -> int:
    overlay = read_overlay(arguments.overlay)
    genai_wheel, litellm_wheel = _wheel(arguments.wheels, "genai_prices"), _wheel(arguments.wheels, "litellm")
    genai = genai_prices.read_wheel(genai_wheel, date.fromisoformat(overlay.as_of))
    litellm = litellm_table.read_wheel(litellm_wheel)
    rows, disagreements = merge(genai, litellm, overlay)
    sources = {
        genai_prices.CODE: f"genai-prices {_version(genai_wheel)}",
        litellm_table.CODE: f"litellm {_version(litellm_wheel)}, its table of models",
        **overlay.sources,
    }
    former = _rows_of(arguments.target) if arguments.target.exists() else {}
    made = written(rows, sources, overlay.as_of)
    wrong = [
        *complaints(rows, overlay, sources),
        *strangers(Catalogue(lambda: made), (*genai, *litellm), overlay),
        *jumps(rows, former, frozenset(arguments.accept)),
    ]
    for disagreement in disagreements:
        print(_told(disagreement), file=sys.stderr)
    if wrong:
        print(*wrong, sep="\n", file=sys.stderr)
        print(f"catalogue: {len(wrong)} complaints, nothing was written", file=sys.stderr)
        return 1
    arguments.target.write_bytes(made)
    print(f"catalogue: {sum(map(len, rows.values()))} models, as of {overlay.as_of}: {arguments.target}")
    return 0


def written(rows: Mapping[str, Sequence[Row]], sources: Mapping[str, str], as_of: str) -> bytes:
    """Write the file: one model a line, in order, so that a change of one is one line of a diff."""
    encode = msgspec.json.encode
    head = [b"{", b'"format":%d,' % FORMAT, b'"as_of":%s,' % encode(as_of), b'"sources":{']
    named = [encode(code) + b":" + encode(text) for code, text in sorted(sources.items())]
    vendors = [
        encode(vendor) + b":[\n" + b",\n".join(encode(row) for row in models) + b"\n]"
        for vendor, models in sorted(rows.items())
    ]
    return b"\n".join((*head, b",\n".join(named), b"},", b'"vendors":{', b",\n".join(vendors), b"}", b"}", b""))


def _rows_of(path: Path) -> dict[str, list[Row]]:
    file = msgspec.json.decode(path.read_bytes(), type=CatalogueFile)
    return {vendor: msgspec.json.decode(raw, type=list[Row]) for vendor, raw in file.vendors.items()}


def _wheel(directory: Path, distribution: str) -> Path:
    found = sorted(directory.glob(f"{distribution}-*.whl"))
    if len(found) != 1:
        raise BadSource(f"expected one wheel of {distribution} in {directory}, found {len(found)}")
    return found[0]


def _version(wheel: Path) -> str:
    return wheel.name.split("-")[1]


def _told(each: Disagreement) -> str:
    taken = {genai_prices.CODE: "genai-prices", litellm_table.CODE: "litellm"}[each.taken]
    return (
        f"{each.vendor}/{each.model}: genai-prices has {_usd(each.genai)}, litellm {_usd(each.litellm)}; {taken} stands"
    )


def _usd(rates: Rates) -> str:
    both = (rates, *rates.tiers)
    return ", above ".join(f"${(r.input or 0) / 1e9:g} in and ${(r.output or 0) / 1e9:g} out" for r in both)


if __name__ == "__main__":
    sys.exit(main())
