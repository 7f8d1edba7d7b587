"""What found its way past a decoder once: ends that were believed without evidence, counts that nobody had reported."""

from __future__ import annotations

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.messages.policy import Bounds


def folded(wire: str, body: bytes, *, stream: bool) -> Assembly:
    decoder = codec_for(wire).decoder(stream=stream, model="m", options=CodecOptions())
    assembly = Assembly(wire, "m", Bounds())
    assembly.add(decoder.feed(body) + decoder.finish())
    return assembly


def test_a_whole_document_without_a_finish_reason_is_no_success() -> None:
    body = b'{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"Half a"},"finish_reason":null}]}'
    assembly = folded("openai-chat", body, stream=False)
    assert assembly.ended is not None
    assert assembly.ended.evidence == "none"
    assert assembly.answer().finish.reason == "incomplete"


def test_a_prompt_that_ollama_did_not_count_is_not_booked_as_reported() -> None:
    body = (
        b'{"model":"m","message":{"role":"assistant","content":"Hi"},"done":true,"done_reason":"stop","eval_count":2}\n'
    )
    assert folded("ollama", body, stream=True).usage.source == "missing"
    counted = body.replace(b'"eval_count":2', b'"prompt_eval_count":7')
    usage = folded("ollama", counted, stream=True).usage
    assert (usage.source, usage.input_uncached, usage.output) == ("reported", 7, 0)
