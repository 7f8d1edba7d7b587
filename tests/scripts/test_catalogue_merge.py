"""Whom the catalogue believes, what it refuses to say, and how it is written."""

from __future__ import annotations

import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manus.config.catalogue import Catalogue, Place
from manus.config.catalogue_file import CatalogueFile, Rates, Row
from scripts.catalogue.__main__ import main, written
from scripts.catalogue.checks import complaints, jumps, strangers
from scripts.catalogue.facts import BadSource, Facts
from scripts.catalogue.litellm_table import TABLE
from scripts.catalogue.merge import merge
from scripts.catalogue.overlay import Overlay, parse_overlay

NOTHING = Overlay(as_of="2026-11-23", sources={})
SOURCES = {"g": "one", "l": "another", "h": "by hand"}

CHEAP, DEAR = Rates(input=1_000, output=2_000), Rates(input=1_500, output=3_000)


def named(*names: str, vendor: str = "openai", **more: Any) -> Facts:
    """What genai-prices would say of a model."""
    return Facts(vendor=vendor, id=names[0], names=names, matches=lambda name: name in names, **more)


def entry(name: str, vendor: str = "openai", **more: Any) -> Facts:
    """What litellm would say of one."""
    return Facts(vendor=vendor, id=name, names=(name,), **more)


def rows(genai: list[Facts], litellm: list[Facts], overlay: Overlay = NOTHING) -> dict[str, Row]:
    made, _ = merge(genai, litellm, overlay)
    return {row.id: row for models in made.values() for row in models}


def test_facts_of_both_sources_become_one_row_that_names_them() -> None:
    row = rows(
        [named("m", price=CHEAP, context=1_000)],
        [entry("m", price=CHEAP, context=900, output=100, flags={"vision": True, "tools": False})],
    )["m"]
    assert (row.price, row.context, row.output) == (CHEAP, 1_000, 100)
    assert (row.can, row.cannot) == ("vision", "tools")
    assert row.source == {"g": "context price", "l": "*"}


@pytest.mark.parametrize(("ours", "theirs", "code"), [(CHEAP, DEAR, "l"), (DEAR, CHEAP, "g")])
def test_of_two_prices_the_dearer_stands_and_the_disagreement_is_told(ours: Rates, theirs: Rates, code: str) -> None:
    made, disagreements = merge([named("m", price=ours)], [entry("m", price=theirs)], NOTHING)
    assert made["openai"][0].price == DEAR
    assert [(each.model, each.taken) for each in disagreements] == [("m", code)]


def test_a_band_that_begins_where_the_window_ends_is_none() -> None:
    bands = tuple(Rates(above=above, input=2_000, output=4_000) for above in (500, 1_000))
    price = msgspec.structs.replace(CHEAP, tiers=bands)
    row = rows([named("m", price=price, context=1_000)], [])["m"]
    assert row.price is not None
    assert [tier.above for tier in row.price.tiers] == [500]


def test_of_two_prices_of_a_tool_the_dearer_stands() -> None:
    row = rows(
        [named("m", price=CHEAP, tools={"web_search": 10, "file_search": 2})],
        [entry("m", price=CHEAP, tools={"web_search": 25})],
    )["m"]
    assert row.tools == {"file_search": 2, "web_search": 25}


def test_a_price_per_call_that_has_the_search_in_it_has_it_once() -> None:
    price = msgspec.structs.replace(CHEAP, request=25)
    row = rows([named("m", price=CHEAP, tools={"web_search": 10})], [entry("m", price=price)])["m"]
    assert row.price == price
    assert row.tools == {}


def test_an_answer_from_one_region_costs_what_all_of_its_classes_cost_times_the_factor() -> None:
    price = Rates(input=4_000, output=20_000, read=200, tiers=(Rates(above=9, input=8_000, output=30_000),))
    fast = Rates(input=8_000, output=40_000)
    row = rows(
        [named("m", vendor="anthropic", price=price, services={"fast": fast})],
        [entry("m", "anthropic", price=price, regions={"us": Decimal("1.1")})],
    )["m"]
    assert row.services == {
        "fast": fast,
        "fast+us": Rates(input=8_800, output=44_000),
        "standard+us": Rates(input=4_400, output=22_000, read=220, tiers=(Rates(above=9, input=8_800, output=33_000),)),
    }


def test_the_services_of_an_area_are_kept_apart() -> None:
    flex, dearer = Rates(input=500, output=1_000), Rates(input=550, output=1_100)
    row = rows(
        [],
        [
            entry("m", "azure", price=CHEAP, services={"flex": flex}),
            entry("m", "azure", area="eu", price=DEAR, services={"flex": dearer}),
        ],
    )["m"]
    assert row.areas == {"eu": DEAR}
    assert row.services == {"flex": flex, "eu:flex": dearer}


def test_a_tool_that_costs_nothing_is_told_by_hand() -> None:
    overlay = parse_overlay(
        b"""
        as_of = "2026-11-23"
        sources = { h = "by hand" }
        [[fact]]
        vendors = ["openai"]
        models = 'm'
        from = "h"
        tools = { mcp = 0 }
        """
    )
    row = rows([named("m", price=CHEAP, tools={"web_search": 10})], [], overlay)["m"]
    assert row.tools == {"mcp": 0, "web_search": 10}
    assert "free_tools" in row.source["h"].split()


def test_a_person_may_decide_otherwise() -> None:
    overlay = parse_overlay(
        b"as_of = '2026-11-23'\n[sources]\nh = 'x'\n"
        b"[[fact]]\nvendors = ['openai']\nmodels = 'm$'\nfrom = 'h'\nprices = 'l'\n"
    )
    assert rows([named("m", price=DEAR)], [entry("m", price=CHEAP)], overlay)["m"].price == CHEAP


def test_a_price_with_bands_is_dearer_than_one_without() -> None:
    banded = Rates(input=1_000, output=2_000, tiers=(DEAR,))
    assert rows([named("m", price=CHEAP)], [entry("m", price=banded)])["m"].price == banded


def test_rates_for_the_cache_are_completed_where_the_rest_agrees() -> None:
    cached = Rates(input=1_000, output=2_000, read=10)
    assert rows([named("m", price=CHEAP)], [entry("m", price=cached)])["m"].price == cached


def test_the_overlay_wins_over_every_source_and_can_take_back() -> None:
    overlay = parse_overlay(
        b"as_of = '2026-11-23'\n[sources]\nh = 'x'\n"
        b"[[fact]]\nvendors = ['openai']\nmodels = 'm'\nfrom = 'h'\n"
        b"can = 'tools'\ncannot = 'vision'\nunknown = 'audio'\noutput = 7\nefforts = 'low'\ntier = 3\n"
    )
    row = rows([], [entry("m", flags={"vision": True, "audio": True, "documents": True}, output=9)], overlay)["m"]
    assert (row.can, row.cannot, row.output, row.efforts, row.tier) == ("documents tools", "vision", 7, "low", 3)
    assert row.source == {"h": "efforts output tier tools vision", "l": "*"}


def test_a_dated_snapshot_that_says_nothing_new_is_left_out() -> None:
    same: dict[str, Any] = {"price": CHEAP, "flags": {"tools": True}}
    found = rows([], [entry("m", **same), entry("m-2026-01-02", **same), entry("m-20260303", price=DEAR)])
    assert set(found) == {"m", "m-20260303"}


def test_other_spellings_are_other_names_and_other_models_are_rows_of_their_own() -> None:
    found = rows([named("m-1.5", "m-1-5", "m-1.5-mini", price=CHEAP)], [entry("m-1.5", flags={"tools": True})])
    assert found["m-1.5"].also == ("m-1-5",)
    assert found["m-1.5-mini"].price == CHEAP
    assert found["m-1.5-mini"].can == ""


@pytest.mark.parametrize("vendor", ["openai", "openrouter"])
def test_what_looks_like_a_snapshot_and_costs_something_else_is_a_model_of_its_own(vendor: str) -> None:
    made, _ = merge(
        [
            named("acme/m", "acme/m-20260101", vendor=vendor, price=CHEAP),
            named("acme/m-20250101", vendor=vendor, price=DEAR),
        ],
        [],
        NOTHING,
    )
    table = Catalogue(lambda: written(made, SOURCES, "2026-11-23"))
    prices = {}
    for name in ("acme/m", "acme/m-20260101", "acme/m-20250101"):
        found = table.find(Place(vendor), name)
        assert found is not None
        prices[name] = found.price.input
    assert prices == {"acme/m": CHEAP.input, "acme/m-20260101": CHEAP.input, "acme/m-20250101": DEAR.input}


def test_all_names_of_one_price_are_one_row_where_nothing_else_is_known() -> None:
    found = rows([named("acme/m", "acme/m:beta", "acme/emm", vendor="openrouter", price=CHEAP)], [])
    assert found["acme/m"].also == ("acme/emm", "acme/m:beta")


def strange(made: dict[str, list[Row]], facts: list[Facts], overlay: Overlay = NOTHING) -> list[str]:
    return list(strangers(Catalogue(lambda: written(made, SOURCES, "2026-11-23")), facts, overlay))


def test_a_name_that_is_found_at_a_price_nobody_has_for_it_is_refused() -> None:
    facts = [named("m", price=CHEAP), named("m-2026-01-01", price=DEAR)]
    (said,) = strange({"openai": [Row(id="m", price=CHEAP)]}, facts)
    assert said.startswith("openai/m-2026-01-01: is found as m")
    assert strange({"openai": [Row(id="m", price=CHEAP), Row(id="m-2026-01-01", price=DEAR)]}, facts) == []
    assert strange({"openai": [Row(id="m")]}, facts) == []
    decided = parse_overlay(
        b"as_of = '2026-11-23'\n[sources]\nh = 'x'\n"
        b"[[fact]]\nvendors = ['openai']\nmodels = 'm'\nfrom = 'h'\nprices = 'l'\n"
    )
    assert strange({"openai": [Row(id="m", price=CHEAP)]}, facts, decided) == []


def test_the_price_of_a_region_holds_for_an_id_without_a_prefix_too() -> None:
    regional = msgspec.structs.replace(named("acme.m", vendor="bedrock", price=DEAR), area="regional")
    assert strange({"bedrock": [Row(id="acme.m", price=DEAR)]}, [regional]) == []
    assert len(strange({"bedrock": [Row(id="acme.m", price=CHEAP)]}, [regional])) == 2


def test_prices_of_profiles_stand_with_the_model_where_they_differ() -> None:
    regional = Facts(
        vendor="bedrock",
        id="acme.m",
        names=("acme.m",),
        matches=lambda name: name in ("acme.m", "us.acme.m"),
        area="regional",
        price=DEAR,
    )
    worldwide = Facts(
        vendor="bedrock",
        id="acme.m",
        names=("acme.m",),
        matches=lambda name: name == "global.acme.m",
        area="global",
        price=CHEAP,
    )
    table = [
        entry("acme.m", "bedrock", price=CHEAP),
        entry("acme.m", "bedrock", area="us", price=DEAR),
        entry("acme.m", "bedrock", area="global", price=CHEAP),
        entry("acme.m", "bedrock", area="us-gov", price=Rates(input=9_000, output=9_000)),
    ]
    row = rows([regional, worldwide], table)["acme.m"]
    assert row.price == DEAR
    assert row.areas == {"global": CHEAP, "us-gov": Rates(input=9_000, output=9_000)}


def test_a_model_of_profiles_only_costs_what_the_dearest_regional_one_does() -> None:
    table = [
        entry("acme.m", "bedrock", area="us", price=CHEAP),
        entry("acme.m", "bedrock", area="eu", price=DEAR),
        entry("acme.m", "bedrock", area="global", price=Rates(input=1, output=1)),
    ]
    assert rows([], table)["acme.m"].price == DEAR


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("can = 'fly'", "names no capability: fly"),
        ("from = 'nowhere'", "which `sources` lacks"),
        ("models = '('", "no regular expression"),
        ("colour = 'red'", "colour"),
    ],
)
def test_a_mistake_in_the_overlay_is_named(line: str, said: str) -> None:
    fields = {"vendors": "['openai']", "models": "'m'", "from": "'h'"}
    key, _, value = line.partition(" = ")
    fields[key] = value
    fact = "\n".join(f"{key} = {value}" for key, value in fields.items())
    with pytest.raises(BadSource, match=said):
        parse_overlay(f"as_of = '2026-11-23'\n[sources]\nh = 'x'\n[[fact]]\n{fact}\n".encode())


def complaint(row: Row, overlay: Overlay = NOTHING) -> str:
    return "\n".join(complaints({"openai": [row]}, overlay, SOURCES))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Row(id="m", price=Rates(input=0, output=1)), "costs nothing"),
        (Row(id="m", price=Rates(input=1, output=0)), "costs nothing"),
        (Row(id="m", price=Rates(input=-1, output=1)), "input is -1"),
        (Row(id="m", price=Rates(input=10**13, output=1)), "input is 10000000000000"),
        (Row(id="m", price=Rates(input=1)), "only half"),
        (Row(id="m", price=Rates(input=1, output=2, read=3)), "reading from the cache costs more"),
        (Row(id="m", price=Rates(input=1, output=2, write=5)), "writing to the cache"),
        (Row(id="m", price=Rates(input=1, output=2, tiers=(Rates(above=0, input=1, output=1),))), "not in order"),
        (Row(id="m", price=Rates(input=1, output=2, tiers=(Rates(above=9, input=0, output=1),))), "costs nothing"),
        (Row(id="m", services={"flex": Rates(input=0, output=0)}), "flex: costs nothing"),
        (Row(id="m", context=0), "context is 0"),
        (Row(id="m", output=10**9), "output is 1000000000"),
        (Row(id="m", context=10, prompt=11), "does not fit"),
        (Row(id="m", can="tools vision", cannot="vision"), "both can and cannot vision"),
        (Row(id="m", retires="soon"), "which is no day"),
        (Row(id="m", source={"x": "*"}), "which `sources` lacks"),
        (Row(id="m", also=("m",)), "is also that of m"),
    ],
)
def test_what_cannot_be_is_refused(row: Row, said: str) -> None:
    assert said in complaint(row)


def test_what_can_be_is_not_refused() -> None:
    embedder = Row(id="e", price=Rates(input=1, output=0), can="embeddings", source={"g": "*"})
    assert complaint(embedder) == ""
    free = Overlay(as_of="2026-11-23", sources={}, free={"openai": "m"})
    assert complaint(Row(id="m", price=Rates(input=0, output=0)), free) == ""


def jumped(before: Row, after: Row, *accepted: str) -> list[str]:
    return list(jumps({"openai": [after]}, {"openai": [before]}, frozenset(accepted)))


def test_a_price_that_jumps_is_looked_at_by_a_person_first() -> None:
    before, after = Row(id="m", price=Rates(input=100, output=1)), Row(id="m", price=Rates(input=301, output=1))
    (said,) = jumped(before, after)
    assert "price.input went from 100 to 301" in said
    assert len(jumped(after, before)) == 1
    assert jumped(before, after, "openai/m") == jumped(before, after, "openai/*") == []
    assert jumped(before, Row(id="m", price=Rates(input=300, output=1))) == []
    assert "unknown" in jumped(before, Row(id="m"))[0]


def test_many_models_that_disappear_at_once_are_a_broken_source() -> None:
    former = {"openai": [Row(id=f"m{number}") for number in range(10)]}
    assert list(jumps({"openai": former["openai"][:8]}, former, frozenset())) == []
    (said,) = jumps({"openai": former["openai"][:7]}, former, frozenset())
    assert "3 of 10" in said


def test_the_file_has_one_model_a_line_and_is_read_back() -> None:
    models = [Row(id="a", price=CHEAP), Row(id="b", can="tools")]
    raw = written({"openai": models, "anthropic": [Row(id="c")]}, SOURCES, "2026-11-23")
    file = msgspec.json.decode(raw, type=CatalogueFile)
    assert file.as_of == "2026-11-23"
    assert list(file.vendors) == ["anthropic", "openai"]
    assert msgspec.json.decode(file.vendors["openai"], type=list[Row]) == models
    lines = raw.decode().splitlines()
    assert sum(line.startswith('{"id":') for line in lines) == 3


@pytest.fixture
def workshop(tmp_path: Path) -> list[str]:
    """Two wheels and an overlay of our own making; gives the arguments that use them."""
    data = (
        "providers: list[Provider] = [Provider(id='openai', models=[ModelInfo(id='m', "
        "match=ClauseEquals(equals='m'), prices=ModelPrice(input_mtok=Decimal('PRICE'), output_mtok=Decimal('2')))])]"
    )
    for name, price in (("first", "1"), ("second", "9")):
        wheels = tmp_path / name
        wheels.mkdir()
        with zipfile.ZipFile(wheels / "genai_prices-0.1-py3-none-any.whl", "w") as wheel:
            wheel.writestr("genai_prices/data.py", data.replace("PRICE", price))
        with zipfile.ZipFile(wheels / "litellm-0.2-py3-none-any.whl", "w") as wheel:
            wheel.writestr(TABLE, b"{}")
    (tmp_path / "overlay.toml").write_text("as_of = '2026-11-23'\n[sources]\n")
    return ["--overlay", str(tmp_path / "overlay.toml"), "--target", str(tmp_path / "catalogue.json"), "--wheels"]


def test_the_script_makes_a_file_and_refuses_a_jump_until_it_is_accepted(
    workshop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "catalogue.json"
    assert main([*workshop, str(tmp_path / "first")]) == 0
    made = target.read_bytes()
    assert b"genai-prices 0.1" in made

    assert main([*workshop, str(tmp_path / "second")]) == 1
    assert "accept openai/m" in capsys.readouterr().err
    assert target.read_bytes() == made

    assert main([*workshop, str(tmp_path / "second"), "--accept", "openai/m"]) == 0
    assert target.read_bytes() != made


def test_the_script_says_which_wheel_is_missing(
    workshop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main([*workshop, str(tmp_path / "empty")]) == 1
    assert "one wheel of genai_prices" in capsys.readouterr().err
