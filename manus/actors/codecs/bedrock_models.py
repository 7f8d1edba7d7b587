"""Own what is known of Bedrock's model families by their names: what a Converse request to each may hold.

Converse is one wire over many vendors' models, and passes their limits on as 400s. Names come bare
(`anthropic.claude-opus-5-5`), with a region before them (`us.`, `global.`) or inside an ARN; a profile of one's own
has only a number for a name, and is then an unknown family, which is permitted everything.
Source: bedrock.md section 7, read 2026-11, and recorded traffic. What is Claude's own stands in `anthropic_models`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

import msgspec

from manus.actors.codecs import anthropic_models

EffortStyle = Literal["none", "claude", "reasoning_effort", "reasoning_config", "nova"]
"""Where a family reads how much to think, inside `additionalModelRequestFields`."""


class BedrockFamily(msgspec.Struct, frozen=True, kw_only=True):
    """What a family accepts. The defaults are those of a model we know nothing of.

    Args:
        claude: what Anthropic's table says of it; None for all others.
        system: takes system text; without, the user says it.
        forced_any, forced_tool: takes `toolChoice` `any`, and a named tool.
        result_images: takes images inside of tool results.
        results_alone: a turn with tool results may hold nothing else.
        results_as_json: reads a result that is a JSON object better as one.
        result_status: takes `status` in tool results.
        stop: takes stop sequences.
        text_format: has `outputConfig.textFormat`, by which an answer keeps to a schema.
        cache: takes cache points; `long_cache` also such that live an hour.
        top_k: the way to `top_k` inside the additional fields; empty where there is none.
        effort: how it is told how much to think.
        prefill: continues a last turn of the assistant.
    """

    claude: anthropic_models.Family | None = None
    system: bool = True
    forced_any: bool = True
    forced_tool: bool = True
    result_images: bool = True
    results_alone: bool = False
    results_as_json: bool = False
    result_status: bool = True
    stop: bool = True
    text_format: bool = True
    cache: bool = True
    long_cache: bool = True
    top_k: tuple[str, ...] = ()
    effort: EffortStyle = "none"
    prefill: bool = False


UNKNOWN_FAMILY = BedrockFamily()

_PLAIN = BedrockFamily(cache=False, long_cache=False, result_images=False)
"""A vendor of whose models Bedrock's own pages say no more than that Converse serves them."""

_AUTO_ONLY = msgspec.structs.replace(_PLAIN, forced_any=False, forced_tool=False)

_NOVA = BedrockFamily(long_cache=False, text_format=False, top_k=("inferenceConfig", "topK"))
_NOVA_2 = msgspec.structs.replace(_NOVA, effort="nova")
_TITAN = msgspec.structs.replace(_AUTO_ONLY, system=False, text_format=False)
_LLAMA = msgspec.structs.replace(_AUTO_ONLY, result_images=True, results_alone=True, text_format=False)
_MISTRAL = msgspec.structs.replace(
    _PLAIN, forced_tool=False, results_alone=True, results_as_json=True, text_format=False, top_k=("top_k",)
)
_MISTRAL_NEWER = msgspec.structs.replace(_MISTRAL, text_format=True)
_MISTRAL_SMALL = msgspec.structs.replace(_MISTRAL, system=False)
_QWEN = msgspec.structs.replace(_AUTO_ONLY, effort="reasoning_config")
_GPT_OSS = msgspec.structs.replace(_AUTO_ONLY, effort="reasoning_effort")
_PALMYRA = msgspec.structs.replace(_PLAIN, result_status=False, text_format=False)
_OLDER = msgspec.structs.replace(_PLAIN, text_format=False)

# First match wins; the text begins at the vendor's name.
_TABLE: tuple[tuple[re.Pattern[str], BedrockFamily], ...] = tuple(
    (re.compile(pattern), family)
    for pattern, family in (
        (r"amazon\.nova-(?:micro|lite|pro|premier)-v1", _NOVA),
        (r"amazon\.nova", _NOVA_2),
        (r"amazon\.titan", _TITAN),
        (r"meta\.llama", _LLAMA),
        (r"mistral\.(?:mistral-7b|mixtral)", _MISTRAL_SMALL),
        (r"mistral\.(?:ministral|magistral|voxtral|devstral|mistral-large-3)", _MISTRAL_NEWER),
        (r"mistral\.", _MISTRAL),
        (r"qwen\.", _QWEN),
        (r"openai\.gpt-oss", _GPT_OSS),
        (r"writer\.", _PALMYRA),
        (r"(?:cohere|ai21)\.", _OLDER),
        (r"(?:deepseek|moonshotai?|minimax|nvidia|google|zai|openai)\.", _PLAIN),
    )
)

_NAME = re.compile(
    r"(?:^|[./:])((?:anthropic|amazon|meta|mistral|qwen|openai|writer|cohere|ai21|deepseek|moonshotai?|minimax|nvidia"
    r"|google|zai)\..+)$"
)

_HAS_TEXT_FORMAT_NOT = re.compile(r"claude-(?:opus-4-[178](?!\d)|(?:opus|sonnet|haiku|fable|mythos)-[5-9])")
"""Claude models whose own API has JSON schemas, and which lack them here (bedrock.md section 7). The later ones are
taken to be like those before them: asking by a tool works on all."""

_CACHES_SINCE = re.compile(r"claude-3-5-(?:haiku|sonnet-20241022)")
"""The first Claude models with cache points here; all later ones think."""


@lru_cache(maxsize=256)
def family_of(model: str) -> BedrockFamily:
    """Tell the family by the model's id, with or without a region, or by an ARN that names the model."""
    name = model.lower()
    claude = anthropic_models.family_of(name)
    if claude.claude:
        return _claude(claude, name)
    found = _NAME.search(name)
    if found is None:
        return UNKNOWN_FAMILY
    return next((family for pattern, family in _TABLE if pattern.match(found[1])), UNKNOWN_FAMILY)


def _claude(claude: anthropic_models.Family, name: str) -> BedrockFamily:
    return BedrockFamily(
        claude=claude,
        forced_any=claude.forced_tools,
        forced_tool=claude.forced_tools,
        text_format=claude.json_schema and not _HAS_TEXT_FORMAT_NOT.search(name),
        cache=bool(claude.thinking) or _CACHES_SINCE.search(name) is not None,
        long_cache=claude.json_schema,
        top_k=("top_k",) if claude.sampling else (),
        effort="claude" if claude.thinking else "none",
        prefill=claude.prefill,
    )
