"""Which codec carries an embedding, and what of it is refused before anything is sent."""

from __future__ import annotations

import pytest

from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.dialect import dialect_of
from manus.messages.calls import Call
from manus.messages.content import text_turn
from manus.messages.failures import Failed
from manus.messages.ids import RequestId, deployment_id
from manus.messages.requests import ChatRequest, EmbedRequest, OnUnsupported

TITAN = "amazon.titan-embed-text-v2:0"


def _call(request: ChatRequest | EmbedRequest, model: str = TITAN) -> Call:
    return Call(request=request, model=model, deployment=deployment_id("p", model), attempt=1)


def _embed(*, on_unsupported: OnUnsupported | None = None) -> EmbedRequest:
    return EmbedRequest(
        request_id=RequestId("r"), inputs=("a",), end_user_id="u", purpose="query", on_unsupported=on_unsupported
    )


@pytest.mark.parametrize(
    ("wire", "path"),
    [
        ("openai-chat", "/embeddings"),
        ("openai-responses", "/embeddings"),
        ("azure-chat", "/openai/v1/embeddings"),
        ("bedrock", "/model/amazon.titan-embed-text-v2%3A0/invoke"),
        ("ollama", "/api/embed"),
    ],
)
def test_an_embedding_goes_where_the_vendor_embeds(wire: str, path: str) -> None:
    dialect = dialect_of(wire, _call(_embed()), CodecOptions())
    written = dialect.encode()
    assert isinstance(written, HttpRequest)
    assert written.path == path
    assert not dialect.streamed
    assert dialect.decoder(written, {}).done is False


def test_a_vendor_without_embeddings_refuses_before_anything_is_sent() -> None:
    refused = dialect_of("anthropic", _call(_embed()), CodecOptions()).encode()
    assert isinstance(refused, Failed)
    assert (refused.kind, refused.safe_to_retry, refused.what_to_do.elsewhere) == ("unsupported", True, "yes")
    chat = ChatRequest(request_id=RequestId("r"), turns=(text_turn("user", "Hi"),))
    assert isinstance(dialect_of("anthropic", _call(chat, "claude-sonnet-4-5"), CodecOptions()).encode(), HttpRequest)


@pytest.mark.parametrize(
    ("asked", "entry", "refused"),
    [(None, "drop", False), (None, "refuse", True), ("drop", "refuse", False), ("refuse", "drop", True)],
)
def test_what_cannot_be_said_is_dropped_with_a_warning_or_refused(
    asked: OnUnsupported | None, entry: OnUnsupported, refused: bool
) -> None:
    written = dialect_of("bedrock", _call(_embed(on_unsupported=asked)), CodecOptions(), entry).encode()
    if refused:
        assert isinstance(written, Failed)
        assert (written.kind, written.param) == ("unsupported", "end_user_id")
    else:
        assert isinstance(written, HttpRequest)
        assert {"end_user_id_dropped", "purpose_dropped"} == {warning.code for warning in written.warnings}
