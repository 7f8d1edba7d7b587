"""From canonical events to chunks: nothing lost, nothing doubled, and only answers in `delta`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from manus.chunks import chunks_of, sse_text
from manus.messages.events import (
    FinishReported,
    Pinged,
    ReasoningDelta,
    RefusalDelta,
    Reset,
    Started,
    StreamEvent,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallStarted,
    UsageReported,
    WarningRaised,
)
from manus.messages.usage import Usage
from manus.responses import StreamChunk, ToolCallDelta


def test_each_kind_of_event_has_its_chunk_and_lifecycle_has_none() -> None:
    events: list[StreamEvent] = [
        Started(id="x"),
        ReasoningDelta(text="hm", index=0),
        TextDelta(text="a", index=1),
        TextDelta(text="b", index=1),
        TextDelta(text="c", index=2),
        Pinged(),
        ToolCallStarted(index=3, id="c1", name="look"),
        ToolArgumentsDelta(index=3, json="{}"),
        RefusalDelta(text="no", index=4),
        WarningRaised(code="dropped", message="top_k was dropped"),
        Reset(reason="network", provider="p", model="m"),
        UsageReported(usage=Usage()),
        FinishReported(reason="stop"),
    ]
    assert list(chunks_of(events)) == [
        StreamChunk(kind="reasoning", text="hm"),
        StreamChunk(delta="ab", index=1),
        StreamChunk(delta="c", index=2),
        StreamChunk(kind="tool_call", tool_call=ToolCallDelta(index=3, id="c1", name="look"), index=3),
        StreamChunk(kind="tool_arguments", tool_call=ToolCallDelta(index=3, arguments="{}"), index=3),
        StreamChunk(kind="refusal", text="no", index=4),
        StreamChunk(kind="warning", text="top_k was dropped"),
        StreamChunk(kind="reset", text="network", provider="p", model="m"),
    ]


texts = st.builds(TextDelta, text=st.text(min_size=1, max_size=3), index=st.integers(0, 2))
others = st.sampled_from([Pinged(), ReasoningDelta(text="r"), RefusalDelta(text="n"), UsageReported(usage=Usage())])


@given(st.lists(texts | others, max_size=12))
def test_texts_keep_their_order_and_their_part_whatever_stands_between(events: list[StreamEvent]) -> None:
    chunks = list(chunks_of(events))
    said = [(event.index, char) for event in events if isinstance(event, TextDelta) for char in event.text]
    assert [(chunk.index, char) for chunk in chunks for char in chunk.delta] == said
    assert [chunk.text for chunk in chunks if chunk.kind != "delta"] == [
        event.text for event in events if isinstance(event, ReasoningDelta | RefusalDelta)
    ]


@given(st.text(max_size=20))
def test_a_server_sent_event_has_one_line_of_data_whatever_it_says(text: str) -> None:
    event = sse_text("delta", {"delta": text}, event_id="r:1")
    lines = event.split("\n")
    assert [line.partition(": ")[0] for line in lines] == ["id", "event", "data", "", ""]
    assert "\r" not in event
