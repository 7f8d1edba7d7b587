"""Lines that leave are one object each, valid UTF-8 whatever text is in them, and say what the face's objects say."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.config.problems import InvalidConfig
from manus.embedding import EmbeddingResponse
from manus.errors import (
    ConversationNotFoundError,
    LLMError,
    ReloadError,
    configuration_error,
    error_of,
    error_of_terminal,
)
from manus.health_report import Health, LedgerHealth
from manus.ipc.protocol.errors import CODE_OF, NAME_OF, error_object
from manus.ipc.protocol.lines import error_line, event_line, reply_line
from manus.ipc.protocol.results import Embeddings
from manus.ipc.refusals import DuplicateId, FrameTooLarge, Overloaded, Refusal, UnsupportedVersion
from manus.messages.accounting import RequestStatus
from manus.messages.content import Citation, Text, ToolCall
from manus.messages.failures import ADVICE, Failed
from manus.messages.ids import DeploymentId, RequestId, RequestKey
from manus.messages.outcomes import Answer, Attempt, Candidate, Route, Unfinished
from manus.messages.usage import Usage
from manus.reports import UsageLine, UsageReport
from manus.responses import LLMResponse, ResponseUsage, StreamChunk, ToolCallDelta
from manus.supervisor.phase import Phase
from manus.supervisor.terminals import ActorFailed

ROUTE = Route(
    candidates=(Candidate(deployment=DeploymentId("a/b"), provider="a", model="b", rank=0, score=1.5, reason="first"),),
    attempts=(
        Attempt(
            number=1,
            deployment=DeploymentId("a/b"),
            provider="a",
            model="b",
            result="failed",
            started_s=0.0,
            ended_s=1.0,
            failure=Failed(kind="server", message="HTTP 500", provider="a", model="b"),
            usage=Usage(input_uncached=5, source="reported"),
        ),
    ),
)
RESPONSE = LLMResponse(
    content="Grüße \0 ",
    parsed={"name": "Ada", "n": [1.5, None]},
    tool_calls=(ToolCall(id="t", name="weather", arguments='{"city": "Zürich"}'),),
    citations=(Citation(title="A page", url="https://example.org", raw=msgspec.Raw(b'{"k": 1}')),),
    logprobs=({"token": "a", "logprob": -0.5},),
    finish_reason="tool_calls",
    provider="a",
    model="b",
    usage=ResponseUsage(input_tokens=3, output_tokens=4, cost_nano_usd=12_500, source="reported"),
    request_id="req-1",
    latency_ms=12.25,
    warnings=("a warning",),
    route=ROUTE,
)


def told(line: bytes) -> Any:  # Any: JSON
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    return json.loads(line.decode("utf-8"))


@pytest.mark.parametrize(
    "result",
    [
        RESPONSE,
        LLMResponse(content=""),
        ROUTE,
        UsageReport(lines=(UsageLine(provider="a", model="b", requests=2),), total=UsageLine(requests=2)),
        Health(status="ok", ledger=LedgerHealth(durability="process", state="running")),
    ],
    ids=lambda result: type(result).__name__,
)
def test_a_reply_says_what_the_object_says_of_itself(result: Any) -> None:  # Any: whatever has to_dict
    assert told(reply_line("q", result)) == {
        "jsonrpc": "2.0",
        "id": "q",
        "result": json.loads(json.dumps(result.to_dict())),
    }


def test_a_reply_of_plain_data_is_that_data() -> None:
    assert told(reply_line(0, {"known": True})) == {"jsonrpc": "2.0", "id": 0, "result": {"known": True}}


def test_what_the_ledger_knows_is_told_in_full() -> None:
    status = RequestStatus(
        request_key=RequestKey("k"),
        state="settled",
        request_id=RequestId("r"),
        attempts=1,
        usage=Usage(input_uncached=3, cache_read=2, output=4, source="reported"),
        cost_nano_usd=2_000_000_000,
    )
    result = told(reply_line(1, status))["result"]
    assert {name: result[name] for name in ("request_key", "state", "request_id", "attempts", "cost_nano_usd")} == {
        "request_key": "k",
        "state": "settled",
        "request_id": "r",
        "attempts": 1,
        "cost_nano_usd": 2_000_000_000,
    }
    assert (result["usage"]["input_tokens"], result["usage"]["total_tokens"], result["usage"]["cost_usd"]) == (
        5,
        9,
        2.0,
    )
    unknown = told(reply_line(1, RequestStatus(request_key=RequestKey("k"), state="unknown")))["result"]
    assert (unknown["request_id"], unknown["attempts"], unknown["cost_nano_usd"]) == (None, 0, None)


def test_the_shape_of_embeddings_is_that_of_the_faces() -> None:
    told_ = EmbeddingResponse(vectors=()).__struct_fields__
    assert {*told_, "dimensions"} == set(Embeddings.__struct_fields__)


CHUNKS = [
    StreamChunk(delta='Grüße \n"x"'),
    StreamChunk(delta="b", index=3),
    StreamChunk(kind="reasoning", text="hm", index=1),
    StreamChunk(kind="refusal", text="no"),
    StreamChunk(kind="tool_call", tool_call=ToolCallDelta(index=1, id="t", name="weather"), index=1),
    StreamChunk(kind="tool_arguments", tool_call=ToolCallDelta(index=1, arguments='{"a'), index=1),
    StreamChunk(kind="warning", text="w"),
    StreamChunk(kind="reset", text="why", provider="a", model="b"),
]


@pytest.mark.parametrize("chunk", CHUNKS, ids=lambda chunk: f"{chunk.kind}-{chunk.index}")
def test_an_event_says_what_the_chunk_says_of_itself(chunk: StreamChunk) -> None:
    assert told(event_line("s", 7, chunk)) == {
        "jsonrpc": "2.0",
        "method": "stream.event",
        "params": {"id": "s", "seq": 7, "event": chunk.to_dict()},
    }


@given(st.text(alphabet=st.characters()) | st.text(alphabet="a\ud83d\ude00\udc00\0é\U0001f600"))
@settings(max_examples=200)
def test_any_text_leaves_as_valid_utf8_with_nothing_lost_but_lone_surrogates(text: str) -> None:
    mended = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert told(event_line(1, 0, StreamChunk(delta=text)))["params"]["event"]["delta"] == mended
    assert told(reply_line(1, LLMResponse(content=text)))["result"]["content"] == mended
    assert told(reply_line(1, {text: [text]}))["result"] == {mended: [mended]}


# --- errors ---------------------------------------------------------------------------------------

ALWAYS = {"kind", "retryable", "retry_after_ms", "provider", "model", "attempts", "request_id"}


def error_of_kind(failure: Failed, **more: Any) -> LLMError:  # Any: fields of an outcome
    return error_of(Unfinished(request_id=RequestId("req-1"), failure=failure, **more))


@pytest.mark.parametrize("kind", sorted(ADVICE))
def test_every_kind_of_failure_has_its_code(kind: Any) -> None:  # Any: a FailureKind
    error = error_object(error_of_kind(Failed(kind=kind, message="It went wrong.", provider="a", model="b")))
    assert error.code == CODE_OF[kind]
    assert error.code in NAME_OF
    said = told(error_line(3, error))
    assert said["id"] == 3
    assert set(said["error"]["data"]) == ALWAYS
    assert said["error"]["data"]["kind"] == kind


def test_an_error_has_what_a_program_needs_to_go_on() -> None:
    failure = Failed(kind="incomplete", message="It broke off.", provider="a", model="b", retry_after_s=0.0011)
    used = Usage(input_uncached=5, output=2, source="estimated")
    error = error_of_kind(
        failure, partial=Answer(parts=(Text(text="One tw"),)), usage=used, cost_nano_usd=70, route=ROUTE
    )
    data = told(error_line("x", error_object(error)))["error"]["data"]
    assert {name: data[name] for name in sorted(ALWAYS)} == {
        "attempts": 1,
        "kind": "incomplete",
        "model": "b",
        "provider": "a",
        "request_id": "req-1",
        "retry_after_ms": 2,  # rounded up
        "retryable": True,
    }
    assert data["partial"] == "One tw"
    assert data["usage"] == json.loads(json.dumps(error.to_dict()["usage"]))


@pytest.mark.parametrize(
    ("error", "code", "kind", "retryable"),
    [
        (ConversationNotFoundError("conversation_id: there is none"), -32016, "no_such_conversation", False),
        (configuration_error(InvalidConfig(())), -32015, "configuration", False),
        (ReloadError("The agent closes."), -32015, "reload", False),
        (
            error_of_terminal(ActorFailed(kind="actor_crashed", phase=Phase.QUEUED, safe_to_retry=True), "r"),
            -32603,
            "actor_crashed",
            True,
        ),
        (
            error_of_terminal(ActorFailed(kind="actor_crashed", phase=Phase.SENT, safe_to_retry=False), "r"),
            -32009,
            "actor_crashed",
            False,
        ),
        (error_of_kind(Failed(kind="network", phase="streaming", message="m")), -32008, "network", True),
        (error_of_kind(Failed(kind="no_candidate", param="model", message="m")), -32019, "no_candidate", False),
        (Overloaded("full", retry_after_s=1.5), -32000, "overloaded", True),
        (UnsupportedVersion(2, (1,)), -32012, "unsupported_version", False),
        (DuplicateId("a"), -32600, "duplicate_id", False),
        (FrameTooLarge(5), -32700, "frame_too_large", False),
        (KeyError("a defect of ours: sk-secret"), -32603, "internal", False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_every_other_error_has_its_own(error: Exception, code: int, kind: str, retryable: bool) -> None:
    made = error_object(error)
    assert (made.code, made.data.kind, made.data.retryable) == (code, kind, retryable)
    assert set(told(error_line(None, made))["error"]["data"]) >= ALWAYS
    assert "sk-secret" not in made.message


def test_every_refusal_of_the_connection_has_a_code_that_is_documented() -> None:
    def all_of(kind: type[Refusal]) -> list[type[Refusal]]:
        return [kind, *(each for one in kind.__subclasses__() for each in all_of(one))]

    assert {kind.code for kind in all_of(Refusal)} <= set(NAME_OF)
