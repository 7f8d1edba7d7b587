"""Own what is said about conversations: their exchanges, what is asked of them, and the bounds on what is kept.

A conversation is its system turns and a list of exchanges. An exchange is what was asked and the answer to it, both
whole; nothing else is ever kept, so that a turn that failed or was cancelled leaves no trace.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from manus.messages.base import Message
from manus.messages.content import Turn
from manus.messages.requests import ChatRequest

WhenFull = Literal["forget_oldest", "refuse"]
"""What happens when there is no room for one more conversation: the one idle for longest goes, or the new one."""

WhyForgotten = Literal["deleted", "idle", "count", "bytes"]
"""Why a conversation is gone: somebody said so, nobody used it for too long, or there were too many, or too large."""


class ConversationPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How conversations are kept.

    Args:
        path: the SQLite file they are kept in, or None for conversations that end with the process.
        conversations_max: how many there may be.
        bytes_max: how much all of them may hold together, in bytes of JSON; they are held in memory.
        conversation_bytes_max: how much one of them may hold; beyond, its oldest exchanges are forgotten.
        idle_s: forget a conversation that was not used for so long; None keeps it.
        when_full: what happens when there is no room for one more.
        waiting_max: turns that may wait in one conversation's line for the turn that runs; more are refused.
        in_hand_max: turns in all conversations that run or wait; more are refused.
        answer_tokens: room that is kept in a model's window for the answer, where the request does not say.
        trim_to: how full the window is left by trimming, as a share of what fits. Less than all of it, so that the
            next turns find the same beginning and the vendor's prompt cache stays warm.
        confirm_s: how long an answer waits for a stalled disk before it goes out with a warning.
        busy_s: how long opening waits for another process to let go of the file.
        retry_s: pause before something the disk refused is tried again.
        backlog_max: changes that may wait for the disk; above it new turns are refused.
        close_s: how long a clean end waits for the disk.
    """

    path: str | None = None
    conversations_max: int = 10_000
    bytes_max: int = 256 * 1024 * 1024
    conversation_bytes_max: int = 4 * 1024 * 1024
    idle_s: float | None = None
    when_full: WhenFull = "forget_oldest"
    waiting_max: int = 16
    in_hand_max: int = 2048
    answer_tokens: int = 1024
    trim_to: float = 0.75
    confirm_s: float = 5.0
    busy_s: float = 1.0
    retry_s: float = 1.0
    backlog_max: int = 4096
    close_s: float = 10.0


class Exchange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One turn of a conversation that came to its end: what was asked, and the answer.

    Args:
        asked: the caller's turns: text, parts, results of tools; none of them is empty.
        answer: the assistant's turn with all its parts, and the vendor's own payload where it gave one.
        at_unix_s: when the answer was whole.
        request_id: names it in the books.
        provider, model: who answered.
    """

    asked: tuple[Turn, ...]
    answer: Turn
    at_unix_s: float = 0.0
    request_id: str = ""
    provider: str = ""
    model: str = ""

    @property
    def turns(self) -> tuple[Turn, ...]:
        """All its turns, in their order."""
        return (*self.asked, self.answer)


class CreateConversation(Message, frozen=True, kw_only=True, tag="create_conversation", omit_defaults=True):
    """Begin a conversation with these system turns; answered with a `ConversationTold`, or the `Failed` met.

    A conversation that is there already is a failure: its history would be mistaken for an empty one.
    """

    conversation_id: str
    system: tuple[Turn, ...] = ()


class ConversationAsked(Message, frozen=True, kw_only=True, tag="conversation_asked", omit_defaults=True):
    """Ask for a conversation as it is now; answered with `ConversationTold` or `ConversationUnknown`."""

    conversation_id: str


class DeleteConversation(Message, frozen=True, kw_only=True, tag="delete_conversation", omit_defaults=True):
    """Forget a conversation; answered with `ConversationDeleted`. A turn that runs in it is cancelled."""

    conversation_id: str


class ChatAsked(Message, frozen=True, kw_only=True, tag="chat_asked", omit_defaults=True):
    """Ask for the next turn of a conversation; answered with the request's `Outcome`.

    Args:
        request: its `conversation_id` names the conversation; one that there is not yet is begun. Its turns are the new
            ones alone. System turns that come first become the conversation's, in place of those that it had.
        opening: system turns for a conversation that is begun now and is given none by the request.
    """

    request: ChatRequest
    opening: tuple[Turn, ...] = ()


class ConversationTold(Message, frozen=True, kw_only=True, tag="conversation_told", omit_defaults=True):
    """A conversation as it is now.

    Args:
        system: its system turns.
        exchanges: its history, without the turn that may run.
        created_unix_s, used_unix_s: when it was begun, and when it last changed.
        size_bytes: what it holds, in bytes of JSON.
        forgotten: exchanges that were forgotten because it had grown too large (`conversation_bytes_max`).
        in_hand: turns that run or wait in its line.
        on_disk: whether it outlives the process, all of it as told here.
    """

    conversation_id: str
    system: tuple[Turn, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    created_unix_s: float = 0.0
    used_unix_s: float = 0.0
    size_bytes: int = 0
    forgotten: int = 0
    in_hand: int = 0
    on_disk: bool = False


class ConversationsReconfigured(
    Message, frozen=True, kw_only=True, tag="conversations_reconfigured", omit_defaults=True
):
    """Keep conversations by `policy` from now on; its `path` is not looked at. Answered with the policy that holds."""

    policy: ConversationPolicy


class ConversationUnknown(Message, frozen=True, kw_only=True, tag="conversation_unknown", omit_defaults=True):
    """There is no conversation of this name."""

    conversation_id: str


class ConversationDeleted(Message, frozen=True, kw_only=True, tag="conversation_deleted", omit_defaults=True):
    """There is no such conversation any more; `existed` says whether there was one."""

    existed: bool


class ConversationForgotten(Message, frozen=True, kw_only=True, tag="conversation_forgotten", omit_defaults=True):
    """An event: a conversation was forgotten, though nobody asked for it. `at` is seconds of the loop's clock."""

    at: float
    conversation_id: str
    why: WhyForgotten
    exchanges: int = 0
