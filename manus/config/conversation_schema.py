"""Own the shape of `[conversations]`: where chat memory is kept, how much of it, and how it fits a model's window."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from manus.config.units import Count, Seconds, Section, ShareAboveNone
from manus.messages.conversations import WhenFull

Bytes = Annotated[int, Meta(ge=1024, le=2**40, description="bytes, 1024 or more")]


class ConversationsConfig(Section, frozen=True, kw_only=True):
    """`[conversations]`: the memory of `chat`.

    Args:
        path: the SQLite file that keeps them, relative to the configuration file, for this process alone; left out (or
            `:memory:`), conversations end with the process.
        conversations_max: how many there may be; `when_full` says what happens to the one that is too many.
        bytes_max: how much all of them may hold, as JSON. They are held in memory also where a file keeps them.
        conversation_bytes_max: how much one of them may hold; beyond, its oldest exchanges are forgotten.
        idle_days: forget a conversation that was not used for so long; left out, never.
        when_full: `forget_oldest` forgets the conversation that was unused for longest, `refuse` takes no new one.
        waiting_max: turns that may wait in one conversation while another one runs; more are refused.
        in_hand_max: turns that may run or wait in all conversations together; more are refused.
        answer_tokens: room that is kept in a model's window for the answer where a request has no `max_tokens`.
        trim_to: how full the prompt leaves that window once older exchanges have to be left out of it. Less than 1, so
            that several turns begin alike and a vendor's prompt cache stays warm.
        confirm_s: how long an answer waits for a stalled disk.
    """

    path: str | None = None
    conversations_max: Count = 10_000
    bytes_max: Bytes = 256 * 1024 * 1024
    conversation_bytes_max: Bytes = 4 * 1024 * 1024
    idle_days: Annotated[float, Meta(gt=0, le=36_500, description="days, more than 0")] | None = None
    when_full: WhenFull = "forget_oldest"
    waiting_max: Annotated[int, Meta(ge=0, le=1024, description="a whole number from 0 to 1024")] = 16
    in_hand_max: Annotated[int, Meta(ge=1, le=100_000, description="a whole number from 1 to 100000")] = 2048
    answer_tokens: Count = 1024
    trim_to: ShareAboveNone = 0.75
    confirm_s: Seconds = 5.0
