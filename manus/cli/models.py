"""Own `manus models`: what is known of the models one may ask: prices, windows, abilities, and from when that is."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any, Final

from manus.cli import exits
from manus.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from manus.config.catalogue import Catalogue
    from manus.config.load import Loaded
    from manus.messages.policy import ModelCard
    from manus.messages.usage import Price, PriceTier

ABILITIES: Final = {
    "V": "vision",
    "D": "documents",
    "T": "tools",
    "J": "json_schema",
    "R": "reasoning",
    "E": "embeddings",
}
"""What the table shows of a model's abilities; `--json` has them all."""

LEGEND: Final = (
    "USD per million tokens (CACHE: read/write/write for an hour, SOUND: in/out); EXTRA: USD by the call, and services "
    "with a price of their own; "
    + ", ".join(f"{letter} {name}" for letter, name in ABILITIES.items())
    + "; ? is unknown, and unknown is permitted"
)

_FLAGS: Final = (
    "vision",
    "documents",
    "audio",
    "tools",
    "parallel_tools",
    "forced_tools",
    "json_schema",
    "reasoning",
    "thinking_budget",
    "thinking_off",
    "streaming",
    "sampling",
    "seed",
    "stop",
    "penalties",
    "logprobs",
    "prefill",
    "cache_control",
    "responses_api",
    "embeddings",
)

Line = tuple[str, "ModelCard", str]
"""One model: who has it, its card, and who says what it costs."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "models",
        help="what models cost and can do: those configured, or the whole catalogue",
        description="Without arguments, the configured models: the catalogue's facts with what is configured laid "
        "over them. Nothing is asked of a provider.",
    )
    parser.add_argument("--all", action="store_true", help="the whole catalogue, configured or not")
    parser.add_argument("--provider", metavar="NAME", help="only this entry, or this vendor of the catalogue")
    parser.add_argument("--find", metavar="TEXT", help="only models with TEXT in their name")
    parser.add_argument("--config", metavar="FILE", help="the configuration (see: manus config)")
    parser.add_argument("--json", action="store_true", help="one JSON object, with all that is known")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List them."""
    from manus.config.catalogue import packaged_catalogue
    from manus.config.problems import InvalidConfig

    catalogue = packaged_catalogue()
    vendor = arguments.provider if arguments.provider in catalogue.vendors else None
    loaded = None
    if not arguments.all:
        try:
            loaded = _loaded(arguments.config)
        except InvalidConfig as error:
            # A vendor's name needs no configuration; neither does a machine without one to read the catalogue.
            if arguments.config is not None or (vendor is None and arguments.provider is not None):
                say(f"manus: {error}")
                return exits.BAD_INPUT
    lines = _lines(arguments, catalogue, loaded)
    if lines is None:
        from manus.config.did_you_mean import suggestion

        known = (*catalogue.vendors, *(() if loaded is None else loaded.config.providers))
        say(f"manus: --provider: nobody is called {arguments.provider!r}{suggestion(arguments.provider, known)}")
        return exits.BAD_INPUT
    if arguments.find is not None:
        wanted = arguments.find.lower()
        lines = [line for line in lines if wanted in line[1].name.lower() or wanted in (line[1].base or "").lower()]
    if arguments.json:
        told = {"as_of": catalogue.as_of, "sources": catalogue.sources, "models": [_as_data(line) for line in lines]}
        print(json.dumps(told))
    else:
        print(_table(lines))
        say(f"[{LEGEND}]")
        say(f"[the catalogue is of {catalogue.as_of}; manus models --all lists all of it]")
    return exits.OK


def _loaded(path: str | None) -> Loaded:
    from manus.config.load import load

    return load(path)


def _lines(arguments: argparse.Namespace, catalogue: Catalogue, loaded: Loaded | None) -> list[Line] | None:
    """Choose the models to list; None where nobody has the name that was given."""
    asked = arguments.provider
    if loaded is not None and (asked is None or asked in loaded.config.providers):
        return _configured(loaded, asked)
    vendors: Iterable[str] = catalogue.vendors
    if asked is not None:
        if asked not in catalogue.vendors:
            return None
        vendors = (asked,)
    return [line for vendor in vendors for line in _of_vendor(vendor, catalogue)]


def _configured(loaded: Loaded, asked: str | None) -> list[Line]:
    from manus.config.policies import provider_policies

    return [
        (provider.name, card, card.price.version or "unknown")
        for provider in provider_policies(loaded.config)
        if asked in (None, provider.name)
        for card in provider.models
    ]


def _of_vendor(vendor: str, catalogue: Catalogue) -> list[Line]:
    from manus.config.model_cards import catalogue_cards

    return [
        (vendor, card, _priced_by(row.source, catalogue.sources) if row.price else "unknown")
        for row, card in catalogue_cards(vendor, catalogue)
    ]


def _priced_by(source: dict[str, str], sources: dict[str, str]) -> str:
    """Name who says what a model costs."""
    by_fact = {fact: code for code, facts in source.items() for fact in facts.split()}
    return sources[by_fact.get("price", by_fact["*"])].split(",")[0]


# -- the table


def _table(lines: Sequence[Line]) -> str:
    rows = [
        (
            "PROVIDER",
            "MODEL",
            "IN",
            "OUT",
            "CACHE",
            "SOUND",
            "EXTRA",
            "WINDOW",
            "ANSWER",
            "ABILITIES",
            "AS OF",
            "PRICE FROM",
        )
    ]
    for provider, card, source in lines:
        name = card.name if card.base is None else f"{card.name} ({card.base})"
        price = card.price
        rows.append(
            (
                provider,
                name if card.retires is None else f"{name} [until {card.retires}]",
                _rate(price, "input"),
                _rate(price, "output"),
                _several(price, "cache_read", "cache_write_short", "cache_write_long"),
                _several(price, "audio_input", "audio_output"),
                _extra(card),
                _tokens(card.context_tokens),
                _tokens(card.max_output_tokens),
                "".join(f"{letter}{_mark(getattr(card, field))}" for letter, field in ABILITIES.items()),
                card.as_of or "unknown",
                source,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return "\n".join(
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1])) for row in rows
    )


def _rate(price: Price, field: str) -> str:
    """Write a rate with those of its bands: `$2.50, >272k $5.00`. A price that is unknown is never written as $0."""
    if not price.known:
        return "unknown"
    bands = [f">{_tokens(tier.above_tokens)} {_usd(getattr(tier, field))}" for tier in price.tiers]
    return ", ".join((_usd(getattr(price, field)), *bands))


def _several(price: Price, *fields: str) -> str:
    """Write rates beside each other: `$0.10/$1.25/-`, or one dash where there are none."""
    if not price.known:
        return "unknown"
    rates = [getattr(price, field) for field in fields]
    return "-" if all(rate is None for rate in rates) else "/".join(_usd(rate) for rate in rates)


def _extra(card: ModelCard) -> str:
    """Write what is charged by the call, and which services have a price: `web_search $0.01, flex, priority`.

    Tools that cost nothing are left to `--json`.
    """
    price = card.price
    told = [f"call {_usd(price.per_request)}"] if price.per_request else []
    told += [f"{kind} {_usd(fee)}" for kind, fee in sorted(price.tool_calls.items()) if fee]
    return ", ".join((*told, *sorted(card.service_prices))) or "-"


def _usd(nano: int | None) -> str:
    from manus.messages.usage import format_usd

    return "-" if nano is None else format_usd(nano)


def _tokens(count: int | None) -> str:
    if count is None:
        return "unknown"
    return f"{count // 1000}k" if count >= 10_000 else str(count)


def _mark(known: bool | None) -> str:
    return "?" if known is None else "+" if known else "-"


# -- JSON


def _as_data(line: Line) -> dict[str, Any]:
    """Give all that is known of a model as plain data; unknown is null."""
    provider, card, source = line
    return {
        "provider": provider,
        "model": card.name,
        "base": card.base,
        "price": _price_as_data(card.price),
        "service_prices": {tier: _price_as_data(price) for tier, price in card.service_prices.items()},
        "price_from": source,
        "context_tokens": card.context_tokens,
        "prompt_tokens": card.prompt_tokens,
        "max_output_tokens": card.max_output_tokens,
        "capabilities": {flag: getattr(card, flag) for flag in _FLAGS},
        "efforts": None if card.efforts is None else list(card.efforts),
        "tier": card.tier,
        "retires": card.retires,
        "as_of": card.as_of,
    }


def _price_as_data(price: Price) -> dict[str, Any] | None:
    """Give a price in integers of nano-USD per million tokens; null where it is unknown."""
    if not price.known:
        return None
    tiers = [{"above_tokens": tier.above_tokens, **_rates(tier)} for tier in price.tiers]
    sounds = {"audio_input": price.audio_input, "audio_output": price.audio_output}
    by_call = {"per_request": price.per_request, "tool_calls": price.tool_calls}
    return {**_rates(price), **sounds, **by_call, "tiers": tiers, "version": price.version}


def _rates(price: Price | PriceTier) -> dict[str, int | None]:
    fields = ("input", "output", "cache_read", "cache_write_short", "cache_write_long")
    return {field: getattr(price, field) for field in fields}
