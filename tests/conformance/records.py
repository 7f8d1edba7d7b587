"""Own what of an outcome is held against another host's: all of it but what differs from one run to the next."""

from __future__ import annotations

from typing import Final

from tests.conformance.driver import HostStream, Plain

_VOLATILE: Final = frozenset({"request_id", "vendor_request_id", "latency_ms", "route", "conversation_id"})
_ATTEMPT: Final = ("number", "deployment", "provider", "model", "result", "role", "usage", "cost_nano_usd", "booking")
_JOINED: Final = {"delta": "delta", "reasoning": "text"}
"""Kinds of chunks of which neighbours may be one, and the field that then holds both."""


def response_record(response: Plain) -> Plain:
    """Keep what every host must say alike of one response; ids must be there and are all that is left out of them."""
    assert response["request_id"].startswith("req-"), response
    assert response["latency_ms"] > 0, response
    kept = {name: value for name, value in response.items() if name not in _VOLATILE}
    return kept | {"route": route_record(response["route"])}


def route_record(route: Plain) -> Plain:
    """Keep the plan and the attempts, without their times."""
    attempts = [
        {name: attempt.get(name) for name in _ATTEMPT} | {"failure": (attempt.get("failure") or {}).get("kind")}
        for attempt in route.get("attempts", ())
    ]
    return {
        "strategy": route.get("strategy"),
        "candidates": [candidate["deployment"] for candidate in route.get("candidates", ())],
        "attempts": attempts,
    }


def without_sums(record: Plain) -> Plain:
    """Leave out what was estimated: how much that is depends on what the estimator learned from earlier calls."""
    attempts = [
        {name: value for name, value in attempt.items() if name not in ("usage", "cost_nano_usd")}
        for attempt in record["route"]["attempts"]
    ]
    kept = {name: value for name, value in record.items() if name != "usage"}
    return kept | {"route": record["route"] | {"attempts": attempts}}


def read_all(stream: HostStream) -> list[Plain]:
    """Read every chunk."""
    chunks: list[Plain] = []
    while (chunk := stream.next()) is not None:
        chunks.append(chunk)
    return chunks


def joined(chunks: list[Plain]) -> list[Plain]:
    """Join what a host may hand over in fewer or more pieces: neighbouring texts of one part."""
    made: list[Plain] = []
    for chunk in chunks:
        field = _JOINED.get(chunk["kind"])
        if field and made and _place(made[-1]) == _place(chunk):
            made[-1] = made[-1] | {field: made[-1][field] + chunk[field]}
        else:
            made.append(chunk)
    return made


def text_in(chunks: list[Plain]) -> str:
    """Join the text of the answer."""
    return "".join(chunk["delta"] for chunk in chunks)


def _place(chunk: Plain) -> tuple[object, object]:
    return chunk["kind"], chunk.get("index", 0)
