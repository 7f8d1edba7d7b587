"""Own the conversations actor: what it is asked, and what it answers at once.

A turn is a task of this actor; everything else is answered in the asker's own step. Histories live in the durable cell
(`Shelf`); who stands in which line does not: with an incarnation everything it had in hand is answered for, turns that
still waited as safe to retry.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from manus.actors.conversations.desk import Desk
from manus.actors.conversations.history import problem_of_turns
from manus.actors.conversations.shelf import Shelf
from manus.actors.conversations.store import ConversationStore
from manus.actors.conversations.turn import ChatTurn, unsent
from manus.messages.conversations import (
    ChatAsked,
    ConversationAsked,
    ConversationDeleted,
    ConversationPolicy,
    ConversationsReconfigured,
    ConversationTold,
    ConversationUnknown,
    CreateConversation,
    DeleteConversation,
)
from manus.messages.failures import Failed, FailureKind
from manus.messages.outcomes import Unfinished
from manus.supervisor.context import Context
from manus.supervisor.envelope import LATER, Envelope
from manus.supervisor.spec import ChildSpec, MailboxSpec


def conversations_child(
    store: ConversationStore, policy: ConversationPolicy, *, now_unix_s: Callable[[], float]
) -> ChildSpec:
    """Describe the actor to its supervisor, over an open store."""
    return ChildSpec(
        id="conversations",
        start=partial(run_conversations, now_unix_s),
        mailbox=MailboxSpec(capacity=policy.in_hand_max, overflow="block"),
        uses=("router",),
        cell=partial(Shelf, policy, store, now_unix_s=now_unix_s),
    )


async def run_conversations(now_unix_s: Callable[[], float], ctx: Context) -> None:
    """Serve until drained, cancelled or broken."""
    conversations = Conversations(Desk(ctx, now_unix_s=now_unix_s))
    ctx.started()
    # No limit on places: what is beyond the bound must be told so, not left waiting behind other conversations.
    await ctx.serve(conversations.handle, own_scope=True, at_once=conversations.answer_at_once)


class Conversations:
    """One incarnation."""

    __slots__ = ("_desk",)

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        desk.tidy()  # the file may hold more than today's bounds allow

    def answer_at_once(self, env: Envelope) -> object:
        """Answer what takes no work; a turn is `LATER`'s, if there is room for one."""
        match env.message:
            case ChatAsked() as chat:
                return LATER if self._has_room else self._shed(chat)
            case CreateConversation() as asked:
                return self._create(asked)
            case ConversationAsked(conversation_id=conversation_id):
                return self._told(conversation_id)
            case DeleteConversation(conversation_id=conversation_id):
                return ConversationDeleted(existed=self._desk.delete(conversation_id, env.id))
            case ConversationsReconfigured(policy=policy):
                return self._reconfigured(policy)
            case other:
                raise TypeError(f"conversations were sent a {type(other).__name__}")

    async def handle(self, env: Envelope) -> object:
        """Have a turn its outcome."""
        chat = env.message
        assert isinstance(chat, ChatAsked), "all else is answered at once"
        desk = self._desk
        if not self._has_room:
            return self._shed(chat)  # others of the same moment were faster
        desk.in_hand += 1
        try:
            return await ChatTurn(desk, env, chat).run()
        finally:
            desk.in_hand -= 1

    @property
    def _has_room(self) -> bool:
        return self._desk.in_hand < self._desk.policy.in_hand_max

    def _shed(self, chat: ChatAsked) -> Unfinished:
        why = f"{self._desk.in_hand} turns run or wait, the most that may (`conversations.in_hand_max`)."
        return unsent(chat.request.request_id, "shed", why)

    def _create(self, asked: CreateConversation) -> ConversationTold | Failed:
        desk, conversation_id = self._desk, asked.conversation_id
        if conversation_id in desk.shelf or desk.waiting_in(conversation_id):
            return _refused("invalid_request", "conversation_id: there is a conversation of this name already.")
        problem = problem_of_turns(asked.system)
        if problem is not None:
            return _refused("invalid_request", f"system: {problem}")
        if desk.is_full_for(conversation_id):
            return _refused("shed", "There is no room for one more conversation (`conversations.conversations_max`).")
        desk.shelf.begin(conversation_id, asked.system)
        desk.tidy()
        told = self._told(conversation_id)
        assert isinstance(told, ConversationTold), "what was begun is there"
        return told

    def _reconfigured(self, policy: ConversationPolicy) -> ConversationPolicy:
        shelf = self._desk.shelf
        shelf.policy = policy = msgspec.structs.replace(policy, path=shelf.policy.path)
        self._desk.tidy()
        return policy

    def _told(self, conversation_id: str) -> ConversationTold | ConversationUnknown:
        shelf = self._desk.shelf
        history = shelf.get(conversation_id)
        if history is None:
            return ConversationUnknown(conversation_id=conversation_id)
        return ConversationTold(
            conversation_id=conversation_id,
            system=history.system,
            exchanges=history.exchanges,
            created_unix_s=history.created_unix_s,
            used_unix_s=history.used_unix_s,
            size_bytes=history.size_bytes,
            forgotten=history.first,
            in_hand=self._desk.waiting_in(conversation_id),
            on_disk=shelf.on_disk(conversation_id),
        )


def _refused(kind: FailureKind, message: str) -> Failed:
    return Failed(kind=kind, message=message, safe_to_retry=True, phase="queued")
