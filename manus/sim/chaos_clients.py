"""Own the clients of a chaos world: what they ask, when they lose interest, and what they have seen at the end."""

from __future__ import annotations

import math

import msgspec
import trio

from manus.messages.content import text_turn
from manus.messages.events import (
    ReasoningDelta,
    RefusalDelta,
    Reset,
    StreamEvent,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallStarted,
)
from manus.messages.ids import RequestId
from manus.messages.requests import ChatRequest
from manus.sim.chaos_plan import ClientPlan
from manus.supervisor.dialog import Dialog
from manus.supervisor.ref import Ref


class Seen(msgspec.Struct, kw_only=True):
    """What one client saw.

    Args:
        outcome: the terminal, or None where the client walked away before it.
        walked_away: it left without waiting for the last word.
        text: what a caller has who prints what comes and starts over when told to, and
        parts: what one has who keeps the parts of the answer apart, by their numbers: kind and text of each.
        after_end: items that came after the terminal was there and the stream had been read to its end.
    """

    client: ClientPlan
    began_at: float
    ended_at: float = math.nan
    outcome: object = None
    walked_away: bool = False
    text: str = ""
    parts: dict[int, tuple[str, str]] = {}
    resets: int = 0
    items: int = 0
    after_end: int = 0


async def be_client(router: Ref, seen: Seen) -> None:
    """Come when the plan says, ask, read at one's own pace, leave when the plan says."""
    client = seen.client
    await trio.sleep_until(client.at_s)
    request = request_of(client)
    leaves_at = math.inf if client.leaves_after_s is None else client.at_s + client.leaves_after_s
    if not client.stream and client.leaves == "close":
        with trio.move_on_at(leaves_at) as interest:
            seen.outcome = await router.ask(request, deadline=client.at_s + client.timeout_s)
        seen.walked_away = interest.cancelled_caught
    else:
        await _stream(router, seen, request, leaves_at)
    seen.ended_at = trio.current_time()


def request_of(client: ClientPlan) -> ChatRequest:
    """Write a client's request; its number stands in the prompt."""
    return ChatRequest(
        request_id=RequestId(f"client-{client.number}"),
        turns=(text_turn("user", f"client {client.number} asks"),),
        provider=client.provider,
        fallback_providers=() if client.alone else client.fallbacks,
        stream=client.stream,
        on_interrupt=client.on_interrupt,
        strategy=client.strategy,
        priority=client.priority,
        conversation_id=client.conversation,
        on_cancel=client.on_cancel,
        tags=client.tags,
    )


async def _stream(router: Ref, seen: Seen, request: ChatRequest, leaves_at: float) -> None:
    client = seen.client
    deadline = client.at_s + client.timeout_s
    with router.ask_stream(request, deadline=deadline, buffer=client.buffer) as dialog:
        with trio.move_on_at(leaves_at) as interest:
            await _read(dialog, seen)
        if not interest.cancelled_caught:
            return
        if client.leaves == "close":
            seen.walked_away = True
            return
        dialog.cancel()
        await _read(dialog, seen)


async def _read(dialog: Dialog, seen: Seen) -> None:
    """Read a stream to its end, at the client's own pace."""
    async for item in dialog:
        assert isinstance(item, list)
        seen.items += 1
        _take(item, seen)
        if seen.client.read_gap_s:
            await trio.sleep(seen.client.read_gap_s)
    seen.outcome = await dialog.outcome()
    if await dialog.receive() is not None:
        seen.after_end += 1


def _take(events: list[StreamEvent], seen: Seen) -> None:
    for event in events:
        match event:
            case TextDelta(text=text, index=index):
                seen.text += text
                _more(seen, index, "text", text)
            case ReasoningDelta(text=text, index=index):
                _more(seen, index, "reasoning", text)
            case RefusalDelta(text=text, index=index):
                _more(seen, index, "refusal", text)
            case ToolCallStarted(name=name, index=index):
                _more(seen, index, "tool_call", name)
            case ToolArgumentsDelta(json=json, index=index):
                _more(seen, index, "tool_call", json)
            case Reset():
                seen.text, seen.parts = "", {}
                seen.resets += 1
            case _:
                pass


def _more(seen: Seen, index: int, kind: str, text: str) -> None:
    known, begun = seen.parts.get(index, (kind, ""))
    # A part that changes its kind is none that an answer can have.
    seen.parts[index] = (kind if kind == known else f"{known} and {kind}", begun + text)
