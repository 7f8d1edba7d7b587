"""Own the rig of the tests of conversations: the real actor, over the real journey or over a scripted router."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import trio

from manus.actors.conversations.actor import conversations_child
from manus.actors.conversations.shelf import Shelf
from manus.actors.conversations.store import ConversationStore, MemoryStore
from manus.messages.content import Text, Turn, text_of, text_turn
from manus.messages.conversations import (
    ChatAsked,
    ConversationAsked,
    ConversationPolicy,
    ConversationTold,
    DeleteConversation,
    Exchange,
)
from manus.messages.failures import Failed, FailureKind
from manus.messages.ids import RequestId
from manus.messages.outcomes import Answer, Finish, Finished, Unfinished
from manus.messages.requests import ChatRequest
from manus.messages.routing import TokensAsked, TokensTold
from manus.supervisor.bus import EventBus
from manus.supervisor.context import Context
from manus.supervisor.envelope import LATER, Envelope
from manus.supervisor.ref import Ref
from manus.supervisor.spec import Backoff, ChildSpec, Intensity, SupervisorSpec
from manus.supervisor.tree import Tree, open_tree

INTENSITY = Intensity(max_restarts=1000, period_s=60.0)
BACKOFF = Backoff(min_s=0.001, max_s=0.002, jitter=0.0)
WITHIN_S = 60.0

_numbers = itertools.count(1)


def unix_s() -> float:
    """Tell the virtual time as a wall clock would."""
    return 1_800_000_000.0 + trio.current_time()


def turn_asked(text: str = "Go on", conversation: str = "c", **fields: Any) -> ChatAsked:
    """Make a turn with a request id of its own."""
    opening = fields.pop("opening", ())
    turns = fields.pop("turns", (text_turn("user", text),))
    request = ChatRequest(
        request_id=RequestId(f"t{next(_numbers)}"), turns=turns, conversation_id=conversation, **fields
    )
    return ChatAsked(request=request, opening=opening)


def answered(request: ChatRequest, text: str = "", **fields: Any) -> Finished:
    """Make a success: the answer says what was asked, unless told otherwise."""
    said = text or f"answer to {text_of(request.turns[-1].parts)}"
    answer = Answer(parts=(Text(text=said),), finish=Finish(reason="stop"), turn=text_turn("assistant", said))
    return Finished(request_id=request.request_id, answer=answer, provider="p", model="m", cost_nano_usd=7, **fields)


def failed(request: ChatRequest, kind: FailureKind = "server", **fields: Any) -> Unfinished:
    """Make a failure."""
    return Unfinished(request_id=request.request_id, failure=Failed(kind=kind, message="No."), **fields)


class Gate:
    """Holds every answer back until it is let through, in the order of asking."""

    def __init__(self) -> None:
        self._passes = trio.Semaphore(0)

    async def answer(self, request: ChatRequest) -> object:
        """Wait to be let through."""
        await self._passes.acquire()
        return answered(request)

    def open_next(self) -> None:
        """Let the oldest one through, or the next one that comes."""
        self._passes.release()


class ScriptedRouter:
    """A router that answers as its test says, and takes down what it was asked.

    Args:
        answer: gives the outcome of a request; it may take its time, and is cancelled with the request.
        window: how many tokens a prompt may have. A token is a character here.
    """

    def __init__(
        self,
        answer: Callable[[ChatRequest], Awaitable[object]] | None = None,
        *,
        window: int | None = None,
    ) -> None:
        self.answer = answer
        self.window = window
        self.asked: list[ChatRequest] = []
        self.sinks: list[object] = []
        self.questions: list[ChatRequest] = []
        self.running = 0
        self.last_words = 0

    async def run(self, ctx: Context) -> None:
        """Serve."""
        ctx.started()
        await ctx.serve(self._handle, own_scope=True, at_once=self._at_once)

    def _at_once(self, env: Envelope) -> object:
        match env.message:
            case TokensAsked(request=request):
                self.questions.append(request)
                return self.measured(request)
            case _:
                return LATER

    def measured(self, request: ChatRequest) -> object:
        """Tell how long a prompt is."""
        told = TokensTold(provider="p", model="m", base="m", expected=length_of(request), bound=length_of(request))
        return msgspec.structs.replace(told, window_tokens=self.window)

    async def _handle(self, env: Envelope) -> object:
        request = env.message
        assert isinstance(request, ChatRequest)
        self.asked.append(request)
        self.sinks.append(env.sink)
        self.running += 1
        outcome: object = None
        try:
            with env.scope:
                outcome = answered(request) if self.answer is None else await self.answer(request)
        finally:
            self.running -= 1
        if outcome is None:
            self.last_words += 1
            kind: FailureKind = "deadline" if trio.current_time() >= env.deadline else "cancelled"
            return failed(request, kind, cost_nano_usd=3)
        return outcome


def length_of(request: ChatRequest) -> int:
    """Count the characters of a prompt."""
    return sum(len(text_of(turn.parts)) for turn in request.turns)


class Talk:
    """An open tree, and what its tests look at."""

    def __init__(self, tree: Tree, events: list[object]) -> None:
        self.tree = tree
        self.events = events
        self.conversations: Ref = tree.ref("conversations")

    @property
    def shelf(self) -> Shelf:
        """Give the durable cell."""
        shelf = self.tree._ground.slots["conversations"].cell
        assert isinstance(shelf, Shelf)
        return shelf

    async def say(
        self, text: str = "Go on", conversation: str = "c", *, within_s: float = WITHIN_S, **fields: Any
    ) -> object:
        """Ask for one turn, and give whatever comes."""
        chat = turn_asked(text, conversation, **fields)
        return await self.conversations.ask(chat, deadline=trio.current_time() + within_s)

    async def ask(self, question: object) -> object:
        """Ask a question that takes no time."""
        return await self.conversations.ask(question, deadline=trio.current_time() + 1.0)

    async def delete(self, conversation: str = "c") -> object:
        """Forget a conversation."""
        return await self.ask(DeleteConversation(conversation_id=conversation))

    async def told(self, conversation: str = "c") -> ConversationTold:
        """Insist on a conversation."""
        answer = await self.ask(ConversationAsked(conversation_id=conversation))
        assert isinstance(answer, ConversationTold), answer
        return answer

    async def told_or_none(self, conversation: str) -> ConversationTold | None:
        """Give a conversation, if it is there."""
        answer = await self.ask(ConversationAsked(conversation_id=conversation))
        return answer if isinstance(answer, ConversationTold) else None

    def said(self, conversation: str = "c") -> list[tuple[str, str]]:
        """Give what was asked and answered, as text."""
        history = self.shelf.get(conversation)
        return [] if history is None else [texts_of(exchange) for exchange in history.exchanges]

    def in_hand(self) -> int:
        """Count what is in hand of all actors."""
        return sum(each.in_hand + each.queued for each in self.tree.status())


def texts_of(exchange: Exchange) -> tuple[str, str]:
    """Give an exchange as text."""
    return " ".join(text_of(turn.parts) for turn in exchange.asked), text_of(exchange.answer.parts)


def restless(spec: ChildSpec) -> ChildSpec:
    """Let a child be restarted as often as a test crashes it."""
    return msgspec.structs.replace(spec, intensity=INTENSITY, backoff=BACKOFF)


def memory_of(policy: ConversationPolicy | None = None, store: ConversationStore | None = None) -> ChildSpec:
    """Describe the actor under test."""
    return restless(conversations_child(store or MemoryStore(), policy or ConversationPolicy(), now_unix_s=unix_s))


@asynccontextmanager
async def open_talk(
    router: ScriptedRouter | None = None,
    policy: ConversationPolicy | None = None,
    store: ConversationStore | None = None,
) -> AsyncIterator[Talk]:
    """Open conversations over a scripted router."""
    scripted = restless(ChildSpec(id="router", start=(router or ScriptedRouter()).run))
    bus = EventBus()
    events: list[object] = []
    bus.add_listener(events.append)
    root = SupervisorSpec(id="root", children=(scripted, memory_of(policy, store)))
    async with open_tree(root, seed=1, bus=bus) as tree:
        yield Talk(tree, events)


def system(text: str) -> Turn:
    """Make a system turn."""
    return text_turn("system", text)


def roles_sent(request: ChatRequest) -> list[tuple[str, str]]:
    return [(turn.role, text_of(turn.parts)) for turn in request.turns]


def finished(outcome: object) -> Finished:
    assert isinstance(outcome, Finished), outcome
    return outcome


def of_kind(outcome: object, kind: str) -> Unfinished:
    assert isinstance(outcome, Unfinished), outcome
    assert outcome.failure.kind == kind
    return outcome
