"""Own the reading of the model table that litellm's wheel carries as JSON. The package itself is never imported.

It has prices in USD per token, limits, and some fifty `supports_` flags. A flag that is absent says nothing.
"""

from __future__ import annotations

import re
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from manus.config.catalogue_file import Rates
from scripts.catalogue.facts import BadSource, Facts, nano_per_call, nano_per_million

CODE = "l"

TABLE = "litellm/model_prices_and_context_window_backup.json"

VENDORS = {
    "anthropic": "anthropic",
    "azure": "azure",
    "bedrock": "bedrock",
    "bedrock_converse": "bedrock",
    "deepseek": "deepseek",
    "groq": "groq",
    "mistral": "mistral",
    "ollama": "ollama",
    "openai": "openai",
    "together_ai": "together",
}

MODES = ("chat", "responses", "embedding")

Entry = dict[str, Any]
"""One entry of the table. Any: its values are whatever JSON holds."""

_FLAGS = {
    "supports_audio_input": "audio",
    "supports_assistant_prefill": "prefill",
    "supports_forced_tool_use": "forced_tools",
    "supports_function_calling": "tools",
    "supports_parallel_function_calling": "parallel_tools",
    "supports_pdf_input": "documents",
    "supports_prompt_cache_breakpoint": "cache_control",
    "supports_reasoning": "reasoning",
    "supports_response_schema": "json_schema",
    "supports_sampling_params": "sampling",
    "supports_vision": "vision",
}
_NATIVE_SCHEMA = ("supports_bedrock_native_structured_output", "supports_native_structured_output")
_EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")
_PARTS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "read",
    "cache_creation_input_token_cost": "write",
    "cache_creation_input_token_cost_above_1hr": "write_long",
    "input_cost_per_audio_token": "audio_in",
    "output_cost_per_audio_token": "audio_out",
}
_SOUNDS = ("audio_in", "audio_out")
_ABOVE = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")
_SERVICES = ("flex", "priority", "ultrafast")
_ALWAYS_SEARCHES = re.compile(r"search-(preview|api)")
"""Models that search the web for every answer, and say nothing of it in their usage."""
_AZURE_AREA = re.compile(r"(us|eu|apac|us-gov)/[^/]+$")
_AREA = re.compile(r"(us-gov|us|eu|apac|jp|au|ca|sa|in|mx|global)\.(?=[a-z0-9]+\.)")


def read_wheel(path: Path) -> list[Facts]:
    """Read the table in the wheel at `path`."""
    with zipfile.ZipFile(path) as wheel:
        return read_table(wheel.read(TABLE))


def read_table(raw: bytes) -> list[Facts]:
    """Read the table.

    Raises:
        BadSource: it is no longer the table we know.
    """
    try:
        # Numbers as they are written: a float of a price would be off by what binary fractions cannot say.
        table = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        decoder = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
        entries = {key: decoder.decode(value) for key, value in table.items() if key != "sample_spec"}
    except msgspec.DecodeError as error:
        raise BadSource(f"litellm: its table is not what we know: {error}") from None
    found = []
    for key, entry in entries.items():
        facts = _facts(key, entry)
        if facts is not None:
            found.append(facts)
    return found


def _facts(key: str, entry: Entry) -> Facts | None:
    vendor = VENDORS.get(entry.get("litellm_provider", ""))
    mode = entry.get("mode")
    name = _name(vendor or "", key)
    if vendor is None or mode not in MODES or name is None:
        return None
    area = ""
    if vendor == "bedrock" and (prefix := _AREA.match(name)):
        name, area = name[prefix.end() :], prefix[1]
    if vendor == "azure" and "/" in name:
        area, _, name = name.partition("/")
    tools = _tools(entry)
    try:
        price = _rates(entry, mode)
        if price is not None and _ALWAYS_SEARCHES.search(name) and "web_search" in tools:
            price = msgspec.structs.replace(price, request=tools.pop("web_search"))
        services = {service: _rates(entry, mode, f"_{service}") for service in _SERVICES}
    except BadSource as error:
        raise BadSource(f"litellm, {key}: {error}") from None
    if vendor == "ollama":
        # What a server gives depends on how it is told to run a model, and nobody is billed by the token.
        return Facts(vendor=vendor, id=name, names=(name,), flags=_flags(entry, vendor, mode))
    return Facts(
        vendor=vendor,
        id=name,
        names=(name,),
        area=area,
        price=price,
        services={service: rates for service, rates in services.items() if rates is not None},
        tools=tools,
        regions=_regions(entry),
        # The table has the longest prompt, which is the whole window where answers need no room of their own.
        context=entry.get("max_input_tokens"),
        prompt=entry.get("max_input_tokens"),
        output=entry.get("max_output_tokens") if mode != "embedding" else None,
        flags=_flags(entry, vendor, mode),
        efforts=_efforts(entry, vendor),
        retires=entry.get("deprecation_date"),
    )


def _name(vendor: str, key: str) -> str | None:
    """Give the vendor's own name of an entry; None for entries of regions, commitments and other bookkeeping."""
    if vendor in ("openai", "anthropic", "bedrock"):
        return None if "/" in key or "@" in key else key
    prefix = {"together": "together_ai"}.get(vendor, vendor)
    if not key.startswith(f"{prefix}/"):
        return None
    name = key.removeprefix(f"{prefix}/")
    return None if vendor == "azure" and "/" in name and not _AZURE_AREA.match(name) else name


def _tools(entry: Entry) -> dict[str, int]:
    """Read what a search of the web costs: the dearest, since how much of it is read does not say so in the usage."""
    costs = entry.get("search_context_cost_per_query")
    return {"web_search": nano_per_call(max(map(Decimal, costs.values())))} if costs else {}


def _regions(entry: Entry) -> dict[str, Decimal]:
    """Read by how much answers from one region are dearer."""
    factors = entry.get("provider_specific_entry")
    return {"us": Decimal(factors["us"])} if isinstance(factors, dict) and "us" in factors else {}


def _rates(entry: Entry, mode: str, service: str = "") -> Rates | None:
    """Read a price with its tiers; None where it is not per token, or where the entry has none for `service`."""
    given = {field: entry[part + service] for part, field in _PARTS.items() if entry.get(part + service) is not None}
    if mode == "embedding":
        given["output"] = 0  # what comes back is numbers, and nobody counts those
    if "input" not in given or "output" not in given:
        return None
    starts = sorted(int(found[1]) for part in entry if (found := _ABOVE.fullmatch(part)))
    tiers = []
    for start in starts:
        above = f"_above_{start}k_tokens"
        named = {field: entry.get(f"{part}{above}{service}") for part, field in _PARTS.items() if field not in _SOUNDS}
        if named["input"] is not None and named["output"] is not None:
            tiers.append(msgspec.structs.replace(_flat(named), above=start * 1000))
    return msgspec.structs.replace(_flat(given), tiers=tuple(tiers))


def _flat(costs: dict[str, Decimal | int | None]) -> Rates:
    nano = {field: nano_per_million(Decimal(cost) * 1_000_000) for field, cost in costs.items() if cost is not None}
    return msgspec.structs.replace(Rates(), **nano)


def _flags(entry: Entry, vendor: str, mode: str) -> dict[str, bool]:
    if mode == "embedding":
        return {"embeddings": True}
    flags = {ours: entry[theirs] for theirs, ours in _FLAGS.items() if isinstance(entry.get(theirs), bool)}
    if vendor != "ollama":
        flags["embeddings"] = False
    if vendor not in ("anthropic", "bedrock"):
        flags.pop("prefill", None)  # elsewhere it means a field of its own, which the last turn does not set
    if vendor in ("anthropic", "bedrock"):
        flags.pop("json_schema", None)  # there it covers a forced tool too
        native = [entry[flag] for flag in _NATIVE_SCHEMA if isinstance(entry.get(flag), bool)]
        if native:
            flags["json_schema"] = any(native)
        if isinstance(entry.get("supports_prompt_caching"), bool):
            flags["cache_control"] = entry["supports_prompt_caching"]
    if entry.get("thinking_always_on") is True:
        flags["thinking_off"] = False
    if vendor in ("openai", "azure") and isinstance(none := entry.get("supports_none_reasoning_effort"), bool):
        flags["thinking_off"] = none
    endpoints = entry.get("supported_endpoints") or ()
    chat, responses = "/v1/chat/completions" in endpoints, "/v1/responses" in endpoints
    if vendor in ("openai", "azure") and chat != responses:
        flags["responses_api"] = responses
    if entry.get("supports_native_streaming") is False and mode == "chat":
        flags["streaming"] = False
    return flags


def _efforts(entry: Entry, vendor: str) -> tuple[str, ...] | None:
    """List the efforts a model takes, where the table says enough to tell."""
    if isinstance(levels := entry.get("reasoning_effort_levels"), list):
        return tuple("off" if level == "none" else level for level in levels)
    none = entry.get("supports_none_reasoning_effort")
    if vendor not in ("openai", "azure") or entry.get("supports_reasoning") is not True or none is None:
        return None
    taken = ["off"] if none else []
    for effort in _EFFORTS:
        # Low, medium and high are what every model with efforts takes, unless the table denies it.
        usual = effort in ("low", "medium", "high")
        if entry.get(f"supports_{effort}_reasoning_effort", usual):
            taken.append(effort)
    return tuple(taken)
