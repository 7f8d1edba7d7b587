"""Own what is done with parameters that a model is known to reject, before a codec sees the request.

Pure. The card of the model decides; where it is silent nothing is touched, and the codec's own rules by the model's
name still hold. What can be left out without changing the question is left out with a warning, or refused if the
policy says so. What cannot (pictures, tools, a context) is `fitness`'s and routing's. What a codec can say in other
words (a forced tool, a last turn of the assistant, a thinking budget) is left to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from manus.actors.documents import text_of
from manus.actors.pictures import picture_of
from manus.messages.content import AnyPart, Document, Image, Text, Turn
from manus.messages.events import WarningRaised
from manus.messages.failures import Failed
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, Effort, OnUnsupported, ReasoningOptions, Sampling

EFFORTS: tuple[Effort, ...] = ("off", "minimal", "low", "medium", "high", "xhigh", "max")
"""From none to most."""

HINTS = ("cache", "name", "turn_name", "purpose", "tools_kept")
"""How warnings begin that concern no more than a hint: an answer without it is the same answer."""

_DROPPED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("sampling", "sampling parameters", ("temperature", "top_p", "top_k")),
    ("penalties", "presence or frequency penalties", ("presence_penalty", "frequency_penalty")),
    ("seed", "seed", ("seed",)),
    ("stop", "stop sequences", ("stop",)),
    ("logprobs", "log probabilities", ("logprobs",)),
)
"""A capability, what it is called, and the fields of `Sampling` that need it."""

_NO_SAMPLING = Sampling()


class Shaped(msgspec.Struct, frozen=True):
    """A request as the model takes it, and what the caller asked for and does not get."""

    request: ChatRequest
    warnings: tuple[WarningRaised, ...] = ()


class _Change(msgspec.Struct, frozen=True):
    """One thing that a model rejects: the field, the code of the warning, the fact, and what was done about it."""

    param: str
    code: str
    fact: str
    done: str


def shape(request: ChatRequest, card: ModelCard | None, on_unsupported: OnUnsupported = "drop") -> Shaped | Failed:
    """Take out of `request` what the model of `card` is known to reject, or refuse it.

    The request's own `on_unsupported` comes before the one given.
    """
    if card is None:
        return Shaped(request)
    changes: list[_Change] = []
    changed: dict[str, object] = {}
    if request.sampling != _NO_SAMPLING:
        sampling = _sampling(request.sampling, card, changes)
        if sampling is not request.sampling:
            changed["sampling"] = sampling
    if request.reasoning is not None:
        reasoning = _reasoning(request.reasoning, card, changes)
        if reasoning is not request.reasoning:
            changed["reasoning"] = reasoning
    most = card.max_output_tokens
    if most is not None and request.max_output_tokens is not None and request.max_output_tokens > most:
        asked = request.max_output_tokens
        fact = f"{card.name} writes at most {most} tokens, and {asked} were asked for"
        changes.append(_Change("max_output_tokens", "max_output_tokens_lowered", fact, f"{most} was sent"))
        changed["max_output_tokens"] = most
    if changes and (request.on_unsupported or on_unsupported) == "refuse":
        return _refused(changes[0].param, f"{changes[0].fact}.", card.name)
    notes = [WarningRaised(code=change.code, message=f"{change.fact}; {change.done}.") for change in changes]
    turns = _retyped(request.turns, notes)
    if card.documents is False:
        turns = _documents_in_words(turns)
    if turns is not request.turns:
        changed["turns"] = turns
    if not changed:
        return Shaped(request)
    return Shaped(msgspec.structs.replace(request, **changed), tuple(notes))


def refusal_of(warnings: Sequence[WarningRaised], model: str) -> Failed | None:
    """Turn what a codec would leave out or say in other words into a refusal; None where it is only hints."""
    for warning in warnings:
        if not warning.code.startswith(HINTS):
            return _refused(_param_of(warning.code), warning.message, model)
    return None


def _refused(param: str, message: str, model: str) -> Failed:
    mend = 'Leave it out, choose another model, or allow it to be dropped (on_unsupported = "drop").'
    return Failed(
        kind="unsupported",
        message=f"{param}: {message} {mend}",
        param=param,
        model=model,
        safe_to_retry=True,
        phase="queued",
    )


def _param_of(code: str) -> str:
    """Tell the field that a codec's warning is about: its code begins with it."""
    return next((field for field in _PARAMS if code.startswith(field)), code)


_PARAMS = (
    "max_output_tokens",
    "end_user_id",
    "service_tier",
    "tool_choice",
    "reasoning",
    "sampling",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "stop",
    "penalties",
    "logprobs",
)


def _sampling(sampling: Sampling, card: ModelCard, changes: list[_Change]) -> Sampling:
    cleared: dict[str, object] = {}
    for capability, called, fields in _DROPPED:
        if getattr(card, capability) is not False:
            continue
        given = [field for field in fields if getattr(sampling, field) not in (None, ())]
        if given:
            done = f"left out: {', '.join(given)}"
            fact = f"{card.name} takes no {called}"
            changes.append(_Change(f"sampling.{given[0]}", f"{capability}_dropped", fact, done))
            cleared.update((field, getattr(_NO_SAMPLING, field)) for field in given)
    return msgspec.structs.replace(sampling, **cleared) if cleared else sampling


def _reasoning(options: ReasoningOptions, card: ModelCard, changes: list[_Change]) -> ReasoningOptions | None:
    """Choose what is asked of the model's thinking. Off, and budgets, are the codec's to say."""
    effort = options.effort
    if card.reasoning is False:
        if effort not in (None, "off") or options.budget_tokens is not None:
            param = "reasoning.effort" if effort is not None else "reasoning.budget_tokens"
            changes.append(_Change(param, "reasoning_dropped", f"{card.name} does not reason", "it was not asked to"))
        return None
    if card.efforts is None or effort is None or effort == "off" or effort in card.efforts:
        return options
    nearest = _nearest(effort, card.efforts)
    if nearest is not None:
        fact = f"{card.name} takes no effort {effort!r}"
        changes.append(_Change("reasoning.effort", "reasoning_effort_changed", fact, f"{nearest!r} was sent"))
        return msgspec.structs.replace(options, effort=nearest)
    if card.thinking_budget is True:
        return options  # an older model, which thinks by a budget: the codec makes one of the effort
    changes.append(_Change("reasoning.effort", "reasoning_effort_dropped", f"{card.name} takes no effort", "left out"))
    return msgspec.structs.replace(options, effort=None)


def _nearest(wanted: Effort, taken: Sequence[Effort]) -> Effort | None:
    """Give the effort nearest to `wanted`, of two the lower. Who asks for thought is never given none."""
    place = EFFORTS.index(wanted)
    ranked = [(abs(EFFORTS.index(effort) - place), EFFORTS.index(effort)) for effort in taken if effort != "off"]
    return EFFORTS[min(ranked)[1]] if ranked else None


# -- pictures and documents


def _documents_in_words(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Write documents that are text into the prompt, for a model that reads no documents. Nothing is lost by it."""
    if not any(type(part) is Document for turn in turns for part in turn.parts):
        return turns
    return tuple(msgspec.structs.replace(turn, parts=tuple(_in_words(part) for part in turn.parts)) for turn in turns)


def _in_words(part: AnyPart) -> AnyPart:
    if not isinstance(part, Document):
        return part
    text = text_of(part)
    return part if text is None else Text(text=f"{part.name}:\n{text}", cache=part.cache)


def _retyped(turns: tuple[Turn, ...], notes: list[WarningRaised]) -> tuple[Turn, ...]:
    """Correct what a picture is said to be by what its first bytes show: vendors refuse a mismatch.

    Pictures among a tool's results are corrected by the codecs in silence: a tool declared them, not the caller.
    """
    if not any(type(part) is Image for turn in turns for part in turn.parts):
        return turns
    wrong = [index for index, turn in enumerate(turns) if any(_shown_type(part) is not None for part in turn.parts)]
    if not wrong:
        return turns
    message = "A picture was declared as another type than its bytes show; the type they show was sent."
    notes.append(WarningRaised(code="image_type_corrected", message=message))
    corrected = list(turns)
    for index in wrong:
        parts = tuple(_corrected(part) for part in turns[index].parts)
        corrected[index] = msgspec.structs.replace(turns[index], parts=parts)
    return tuple(corrected)


def _shown_type(part: AnyPart) -> str | None:
    """Give the type that a picture's bytes show where another one was declared; else None."""
    if not isinstance(part, Image) or part.data is None or part.media_type is None:
        return None
    shown = picture_of(part.data)
    return None if shown is None or shown.media_type == part.media_type else shown.media_type


def _corrected(part: AnyPart) -> AnyPart:
    shown = _shown_type(part)
    return part if shown is None else msgspec.structs.replace(part, media_type=shown)
