"""Own the step from canonical events to the chunks a caller of `stream` sees, and from chunks to SSE text. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from manus.messages.events import (
    ReasoningDelta,
    RefusalDelta,
    Reset,
    StreamEvent,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallStarted,
    WarningRaised,
)
from manus.responses import LLMResponse, StreamChunk, ToolCallDelta


def chunks_of(events: Iterable[StreamEvent]) -> Iterator[StreamChunk]:
    """Turn the events of one socket read into chunks; neighbouring pieces of one text become one chunk.

    Lifecycle events (usage so far, finish, pings) make no chunk: what they say is in the final one. Citations,
    log probabilities and vendors' own parts are in the response.
    """
    pieces: list[str] = []
    index = 0
    for event in events:
        if type(event) is TextDelta:
            if pieces and event.index != index:
                yield StreamChunk(delta="".join(pieces), index=index)
                pieces = []
            index = event.index
            pieces.append(event.text)
            continue
        chunk = _chunk_of(event)
        if chunk is not None:
            if pieces:
                yield StreamChunk(delta="".join(pieces), index=index)
                pieces = []
            yield chunk
    if pieces:
        yield StreamChunk(delta="".join(pieces), index=index)


def final_chunk(response: LLMResponse) -> StreamChunk:
    """Make the last chunk of a success."""
    return StreamChunk(
        kind="final",
        finish_reason=response.finish_reason,
        usage=response.usage,
        provider=response.provider,
        model=response.model,
    )


def sse_text(name: str, data: dict[str, object], *, event_id: str) -> str:
    """Write one server-sent event. JSON holds no line end, so one `data` line is enough."""
    return f"id: {event_id}\nevent: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def _chunk_of(event: StreamEvent) -> StreamChunk | None:
    match event:
        case ReasoningDelta(text=text, index=index):
            return StreamChunk(kind="reasoning", text=text, index=index)
        case RefusalDelta(text=text, index=index):
            return StreamChunk(kind="refusal", text=text, index=index)
        case ToolCallStarted(index=index, id=call_id, name=name):
            return StreamChunk(
                kind="tool_call", tool_call=ToolCallDelta(index=index, id=call_id, name=name), index=index
            )
        case ToolArgumentsDelta(index=index, json=text):
            return StreamChunk(kind="tool_arguments", tool_call=ToolCallDelta(index=index, arguments=text), index=index)
        case WarningRaised(message=message):
            return StreamChunk(kind="warning", text=message)
        case Reset(reason=reason, provider=provider, model=model):
            return StreamChunk(kind="reset", text=reason, provider=provider, model=model)
        case _:
            return None
