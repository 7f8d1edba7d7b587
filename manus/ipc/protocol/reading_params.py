"""Own the reading of params: into the Struct of the method, or into an error that names the place and the mend.

The way in is one conversion by msgspec. Only where that finds something wrong is it found out again, in the words of
the checks that every host's requests pass, so that a C++ program reads the same sentence as a Python one. What those
checks ask beyond types (ranges that depend on each other, names of providers) they say when the request is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET

from manus.asking import checked_fields
from manus.config.did_you_mean import closest, listing
from manus.errors import InvalidRequestError
from manus.ipc.protocol.errors import BadParams, UnknownMethod, place_and_reason
from manus.ipc.protocol.methods import METHODS, NOTIFICATIONS
from manus.ipc.protocol.params import AskParams, Criteria, EmbedParams, GenerateParams, Params, Reasoning
from manus.ipc.protocol.plain_words import kind_of, shown, whole
from manus.messages.requests import ReasoningOptions, RoutingCriteria, ToolChoice
from manus.prompts import turns_of

_KINDS: Final = {name: method.params for name, method in METHODS.items()} | NOTIFICATIONS


def params_of(method: str, params: object) -> Params:
    """Read the params of a method.

    Raises:
        UnknownMethod: there is no such method.
        BadParams: they are not what it takes.
    """
    kind = _KINDS.get(method)
    if kind is None:
        raise unknown_method(method)
    given = given_params(params)
    try:
        read = msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise _bad_params(given, kind, str(error)) from None
    except UnicodeEncodeError:
        raise surrogate_in(given) from None
    if isinstance(read, GenerateParams) and (read.prompt is None) == (read.messages is None):
        both = "both are given; leave one out" if read.prompt is not None else "neither is given"
        raise BadParams("params.prompt", f"expected either prompt (a text) or messages (a list): {both}")
    if isinstance(read, AskParams) and isinstance(read.tool_choice, dict):
        _check_tool_choice(read.tool_choice)
    return read


def given_params(params: object) -> dict[str, Any]:
    """Give what was sent as params as an object; left out, `null` and `[]` are nothing. Any: JSON.

    Raises:
        BadParams: it is a list with members, or no structure at all.
    """
    if type(params) is dict:
        return params
    if params is UNSET or params is None or params == []:
        return {}
    raise BadParams("params", f"expected an object; got {kind_of(params)}")


def unknown_method(method: str) -> UnknownMethod:
    """Make the error of a method that does not exist."""
    near = closest(method, _KINDS)
    hint = f"; did you mean '{near}'?" if near else ""
    return UnknownMethod(f"Unknown method: there is no {shown(method)}{hint}", did_you_mean=near)


def _bad_params(given: Mapping[str, Any], kind: type[Params], found: str) -> BadParams:
    """Find out what is wrong, in our own words: `found` is msgspec's, and the last resort."""
    return (
        _unknown_member(given, kind, "params")
        or _missing(given, kind)
        or _wrong_option(given, kind)
        or in_other_words(found)
    )


def _unknown_member(given: Mapping[str, Any], kind: type[msgspec.Struct], place: str) -> BadParams | None:
    known = kind.__struct_encode_fields__
    for name, value in given.items():
        if name not in known:
            near = closest(name, known)
            hint = f"did you mean '{near}'?" if near else f"it may have {listing(known)}" if known else "it has none"
            path = f"{place}.{shown(name)[1:-1]}"
            return BadParams(path, f"there is no such parameter; {hint}", did_you_mean=near)
        inner = _INNER.get(name)
        if inner is not None and isinstance(value, dict) and place == "params":
            wrong = _unknown_member(value, inner, f"{place}.{name}")
            if wrong is not None:
                return wrong
    return None


def _missing(given: Mapping[str, Any], kind: type[Params]) -> BadParams | None:
    for field in msgspec.structs.fields(kind):
        if field.required and field.encode_name not in given:
            return BadParams(f"params.{field.encode_name}", "is missing")
    return None


def _wrong_option(given: Mapping[str, Any], kind: type[Params]) -> BadParams | None:
    """Ask the checks of the face, one by one, in the order in which the options were named."""
    if not issubclass(kind, AskParams | EmbedParams):
        return None
    for name, value in given.items():
        if value is None:
            continue
        try:
            _check_option(name, value, kind)
        except InvalidRequestError as error:
            path, reason = place_and_reason(str(error))
            return BadParams(f"params.{path or name}", reason)
    return None


def _check_option(name: str, value: object, kind: type[Params]) -> None:
    match name, value:
        case "criteria", dict():
            checked_fields({name: _loosely(RoutingCriteria, value)})
        case "reasoning", dict():
            checked_fields({name: _loosely(ReasoningOptions, value)})
        case "messages", list():
            turns_of(value)
        case "system_prompt", _:
            turns_of("", system_prompt=value)
        case _ if name in _PROMPTS:
            return
        case _ if name in AskParams.__struct_fields__ or name in EmbedParams.__struct_fields__:
            checked_fields({name: value})


def _loosely(kind: type[msgspec.Struct], value: Mapping[str, Any]) -> msgspec.Struct:
    """Make a Struct without a look at what it is made of: the check that follows looks."""
    return kind(**{name: each for name, each in value.items() if name in kind.__struct_fields__})


def _check_tool_choice(value: Mapping[str, Any]) -> None:
    if "mode" not in value:
        return  # OpenAI's own spelling, which the agent reads
    for name in value:
        if name not in ToolChoice.__struct_fields__:
            near = closest(name, ToolChoice.__struct_fields__)
            raise BadParams(
                f"params.tool_choice.{shown(name)[1:-1]}",
                f"there is no such member; it may have {listing(ToolChoice.__struct_fields__)}",
                did_you_mean=near,
            )
    try:
        msgspec.convert(value, ToolChoice)
    except msgspec.ValidationError as error:
        raise in_other_words(str(error), "params.tool_choice") from None


def surrogate_in(value: object, top: str = "params") -> BadParams:
    """Make the error of JSON that holds a lone surrogate where no text can have one."""
    reason = "holds a lone surrogate, which is no character; decode the text anew, or remove it"
    return BadParams(_place_of_surrogate(value, top) or top, reason)


def _place_of_surrogate(value: object, place: str) -> str | None:
    match value:
        case str():
            return place if whole(value) != value else None
        case dict():
            for name, each in value.items():
                if whole(name) != name:
                    return f"{place}.{shown(name)[1:-1]}"
                found = _place_of_surrogate(each, f"{place}.{shown(name)[1:-1]}")
                if found is not None:
                    return found
            return None
        case list():
            places = (_place_of_surrogate(each, f"{place}[{number}]") for number, each in enumerate(value))
            return next(filter(None, places), None)
        case _:
            return None


def in_other_words(found: str, top: str = "params") -> BadParams:
    """Turn a sentence of msgspec into one of ours, without the value that it may quote."""
    what, _, place = found.partition(" - at `$")
    path = f"{top}{place[:-1]}"
    expected = _EXPECTED.match(what)
    if expected is not None:
        wanted = listing(_WORDS.get(each, each) for each in expected[1].split(" | ") if each != "null")
        return BadParams(path, f"expected {wanted}; got {_WORDS.get(expected[2], expected[2])}")
    missing = _MISSING.match(what)
    if missing is not None:
        return BadParams(f"{path}.{missing[1]}", "is missing")
    if what.startswith("Invalid enum value"):
        return BadParams(path, "is none of the words that it may be (manus schema)")
    return BadParams(path, what[:1].lower() + what[1:])


_PROMPTS: Final = ("prompt", "messages", "message", "inputs", "window", "streamed", "exact")
_INNER: Final[dict[str, type[msgspec.Struct]]] = {"criteria": Criteria, "reasoning": Reasoning}
_EXPECTED: Final = re.compile(r"Expected `([^`]+)`, got `([^`]+)`$")
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`$")
_WORDS: Final = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
