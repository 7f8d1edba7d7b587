"""Own the simulated Azure: Chat Completions at a deployment's path or under v1, with the filter's annotations.

The shapes are those of the provider notes (Azure, sections 1 and 4 to 7) and of recorded traffic. Requests are read
and answers written as at OpenAI, then dressed: places, keys, headers and errors are Azure's.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec

from manus.sim.errors_azure import error_reply, rejection, served_by
from manus.sim.wire import ChatAsked, Headers, Piece, Reply, SimRequest, Spoken, WireName, encode_json, header_of
from manus.sim.wire_openai import OpenAIWire

_DEPLOYMENTS = "/openai/deployments/"
_V1 = "/openai/v1/"

_SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
_PROMPT = {**_SAFE, "jailbreak": {"filtered": False, "detected": False}}


class AzureWire(OpenAIWire):
    """Both surfaces of one resource; an implementation of `Wire`."""

    name: WireName = "azure"
    base_path = ""

    def read(self, request: SimRequest, models: tuple[str, ...]) -> ChatAsked | Reply:
        """Read a request at either surface. The classic one wants a version, and has the deployment in its path."""
        path = request.path.rstrip("/")
        if path.startswith(_V1):
            return self._read_at(request, path.removeprefix(_V1), models, None)
        dated = bool(parse_qs(request.query).get("api-version", [""])[0])
        if not path.startswith("/openai/") or not dated:
            return error_reply(404, "404", "Resource not found")
        if path == "/openai/models":
            return self._read_at(request, "models", models, None)
        deployment, _, operation = path.removeprefix(_DEPLOYMENTS).partition("/")
        if not path.startswith(_DEPLOYMENTS) or not operation:
            return error_reply(404, "404", "Resource not found")
        return self._read_at(request, operation, models, unquote(deployment))

    def key_of(self, request: SimRequest) -> str:
        """Find the key: in a header of its own, or as a bearer token, which an Entra token always is."""
        return header_of(request, "api-key") or super().key_of(request)

    def stream_head(self, spoken: Spoken) -> Headers:
        """Give the headers of an event stream."""
        return (
            ("content-type", "text/event-stream; charset=utf-8"),
            *served_by(spoken.number, spoken.request_id),
            ("transfer-encoding", "chunked"),
        )

    def body_head(self, spoken: Spoken) -> Headers:
        """Give the headers of a JSON answer."""
        return (("content-type", "application/json; charset=utf-8"), *served_by(spoken.number, spoken.request_id))

    def pieces(self, spoken: Spoken, *, usage: bool) -> list[Piece]:
        """Write the verdict on the prompt first, then OpenAI's stream with one on every piece, and one behind all."""
        prompt = [{"prompt_index": 0, "content_filter_results": _PROMPT}]
        nobody: dict[str, Any] = {"choices": [], "created": 0, "id": "", "model": "", "object": ""}
        pieces = [Piece("opening", self.event(encode_json({**nobody, "prompt_filter_results": prompt})))]
        for piece in super().pieces(spoken, usage=usage):
            if piece.kind == "content":
                pieces.append(Piece("content", self.event(_annotated(piece.data)), piece.tokens))
            elif piece.kind == "terminal":
                offsets = {"check_offset": 0, "start_offset": 0, "end_offset": len(spoken.text)}
                choice = {"index": 0, "finish_reason": None, "content_filter_results": _SAFE}
                late = {**nobody, "choices": [{**choice, "content_filter_offsets": offsets}]}
                pieces.append(Piece("usage", self.event(encode_json(late))))
                pieces.append(piece)
            else:
                pieces.append(piece)
        return pieces

    def body(self, spoken: Spoken, *, finished: bool, usage: bool) -> bytes:
        """Write one `chat.completion` object with the filter's verdicts."""
        written = super().body(spoken, finished=finished, usage=usage)
        if spoken.embed is not None:
            return written
        answer = msgspec.json.decode(written)
        answer["choices"][0]["content_filter_results"] = _SAFE
        answer["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": _PROMPT}]
        return encode_json(answer)

    def rejection(
        self, status: int, *, number: int, model: str, code: str | None = None, retry_after_s: float | None = None,
        key: str = "",
    ) -> Reply:  # fmt: skip
        """Write an HTTP error as Azure does, which never repeats a key."""
        return rejection(status, number=number, code=code, retry_after_s=retry_after_s)

    def _read_at(
        self, request: SimRequest, operation: str, models: tuple[str, ...], deployment: str | None
    ) -> ChatAsked | Reply:
        inner = msgspec.structs.replace(request, path=f"/v1/{operation}")
        if deployment is not None:
            # The body's own model counts for nothing here, and may be missing.
            try:
                body = msgspec.json.decode(request.body)
            except msgspec.DecodeError:
                body = None
            if isinstance(body, dict):
                inner = msgspec.structs.replace(inner, body=encode_json({**body, "model": deployment}))
        return super().read(inner, models)


def _annotated(event: bytes) -> bytes:
    chunk = msgspec.json.decode(event.removeprefix(b"data: "))
    chunk["choices"][0]["content_filter_results"] = _SAFE
    return encode_json(chunk)
