"""Own what OpenAI's two wires write and read alike: choice of tools, schema, effort, caller, and the list of models."""

from __future__ import annotations

import hashlib
import re

import msgspec

from manus.actors.codecs.base import CodecOptions
from manus.actors.codecs.encoding import Body, Warnings, options_of
from manus.actors.codecs.json_text import MALFORMED_ERRORS
from manus.actors.codecs.openai_models import Family
from manus.messages.content import Text, Turn
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, Effort, OutputFormat, ToolChoice

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""Which names of tools OpenAI takes, in a history as well."""

CACHE_KEY_CHARS = 32
"""Enough that no two conversations share a key; half of what is taken."""


class Surface(msgspec.Struct, frozen=True, kw_only=True):
    """Where one of the two wires is spoken, and what it takes there.

    Args:
        wire: the wire family; it tells whose thinking may be sent back, and which of the caller's options are meant.
        path: below the entry's base URL.
        files: Chat Completions takes documents as files.
        newer_fields: `safety_identifier` and `prompt_cache_key` are known.
    """

    wire: str
    path: str
    files: bool = True
    newer_fields: bool = True


class ModelEntry(msgspec.Struct, gc=False):
    """One entry of `GET /models`."""

    id: str | None = None


class ModelList(msgspec.Struct, gc=False):
    """The body of `GET /models`."""

    data: list[ModelEntry] | None = None


_IN_JSON = Turn(role="system", parts=(Text(text="Answer with a JSON object."),))

_decode_models = msgspec.json.Decoder(ModelList).decode


def model_names(body: bytes) -> tuple[str, ...]:
    """Read the ids of `GET /models`; empty where the body is no such list."""
    try:
        listed = _decode_models(body)
    except MALFORMED_ERRORS:
        return ()
    return tuple(entry.id for entry in listed.data or () if entry.id)


def turns_to_write(request: ChatRequest, family: Family, surface: Surface) -> tuple[Turn, ...]:
    """Give the conversation, which has to ask for JSON in words where any object is to be answered.

    OpenAI refuses `json_object` if the word stands nowhere; other servers take the conversation as it is.
    """
    output = request.output
    if output is None or not output.any_object or not (family.openai or surface.wire.startswith("azure")):
        return request.turns
    texts = (part.text for turn in request.turns for part in turn.parts if isinstance(part, Text))
    return request.turns if any("json" in text.lower() for text in texts) else (_IN_JSON, *request.turns)


def tool_choice(choice: ToolChoice | None, *, nested: bool) -> Body:
    """Write `tool_choice` and `parallel_tool_calls`; both are refused in a request without tools.

    Args:
        nested: the name stands in an object of its own, as Chat Completions wants it.
    """
    written: Body = {}
    if choice is None:
        return written
    if choice.mode == "tool":
        name = {"name": choice.name}
        written["tool_choice"] = {"type": "function", "function": name} if nested else {"type": "function", **name}
    else:
        written["tool_choice"] = choice.mode
    if not choice.parallel:
        written["parallel_tool_calls"] = False
    return written


def named_schema(output: OutputFormat) -> Body:
    """Write the schema of an answer with its name, which stands at two places in the two wires."""
    written: Body = {"name": output.name}
    if output.description:
        written["description"] = output.description
    return {**written, "schema": output.schema, "strict": output.strict}


def chosen_effort(request: ChatRequest, family: Family, options: CodecOptions, warnings: Warnings) -> Effort | None:
    """Choose the effort to send: the nearest that the family takes; None to send none."""
    wanted = None if request.reasoning is None else request.reasoning.effort
    if request.reasoning is not None and request.reasoning.budget_tokens is not None:
        warnings.say("reasoning_budget_dropped", "This wire has no thinking budget in tokens; set an effort.")
    if wanted is None:
        return None
    thoughtless = options.card is not None and options.card.reasoning is False
    nearest = None if thoughtless else family.nearest_effort(wanted)
    if nearest is None:
        if wanted != "off":
            warnings.say("reasoning_effort_dropped", "The model does not think, or takes no effort.")
        return None
    if nearest != wanted:
        warnings.say("reasoning_effort_changed", f"The model takes no effort {wanted!r}; {nearest!r} was sent.")
    return nearest


def sampling_is_free(family: Family, effort: Effort | None, card: ModelCard | None) -> bool:
    """Tell whether the model takes temperature and the like, with this effort."""
    if card is not None and card.sampling is not None:
        return card.sampling
    return not family.thinks_with(effort)


def own_options(
    request: ChatRequest, surface: Surface, options: CodecOptions, warnings: Warnings
) -> dict[str, msgspec.Raw]:
    """Read the caller's own options for this wire; those that were only given for the other one are said to be lost.

    Raises:
        Unencodable: one of them is no JSON object.
    """
    vendor, _, api = surface.wire.partition("-")
    other = f"{vendor}-{'chat' if api == 'responses' else 'responses'}"
    if other in request.extra and surface.wire not in request.extra:
        warnings.say("extra_dropped", f"This model is asked over {surface.wire}; options for {other} were left out.")
    return options_of(request.extra, surface.wire, options.provider)


def caller_fields(request: ChatRequest, family: Family, surface: Surface) -> Body:
    """Write the tier, who asks, and the key that leads a conversation's requests to the same cache.

    The key is a digest: it need not tell whose conversation it is.
    """
    written: Body = {}
    newer = family.openai and surface.newer_fields
    if request.service_tier is not None:
        written["service_tier"] = request.service_tier
    if request.end_user_id is not None:
        written["safety_identifier" if newer else "user"] = request.end_user_id
    if request.conversation_id is not None and newer:
        digest = hashlib.sha256(request.conversation_id.encode("utf-8", "replace")).hexdigest()
        written["prompt_cache_key"] = digest[:CACHE_KEY_CHARS]
    return written
