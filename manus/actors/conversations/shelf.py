"""Own all conversations within their bounds, and what is told to the store: the actor's durable cell.

Every method is one synchronous, total mutation, so that a crash falls between two of them and what is held is whole.
Conversations stand in the order of their use, the one that was unused for longest first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container

import msgspec

from manus.actors.conversations.history import History, opened
from manus.actors.conversations.store import ConversationKept, ConversationRemoved, ConversationStore
from manus.actors.conversations.trimming import cut_to, cuts_of
from manus.messages.content import Turn
from manus.messages.conversations import ConversationPolicy, Exchange, WhyForgotten

OVERHEAD_BYTES = 1024
"""What a conversation costs beside what it holds; without it a million empty ones would count as nothing."""


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that had to go."""

    conversation_id: str
    why: WhyForgotten
    exchanges: int


class Shelf:
    """What survives a crash of the actor."""

    __slots__ = ("_bytes", "_histories", "_now_unix_s", "_numbers", "policy", "remembered_cuts", "store")

    def __init__(
        self, policy: ConversationPolicy, store: ConversationStore, *, now_unix_s: Callable[[], float]
    ) -> None:
        self.policy = policy
        """What holds now; a new one may be put here at any time."""
        self.store = store
        self.remembered_cuts: dict[str, tuple[int, int]] = {}
        """Where each conversation was cut last, by the number of its oldest exchange sent, and for how many tokens."""
        self._now_unix_s = now_unix_s
        self._histories: OrderedDict[str, History] = OrderedDict(store.loaded())
        self._numbers: dict[str, int] = {}
        self._bytes = sum(map(_cost_of, self._histories.values()))

    def __len__(self) -> int:
        return len(self._histories)

    def __contains__(self, conversation_id: str) -> bool:
        return self.get(conversation_id) is not None

    @property
    def size_bytes(self) -> int:
        """What all of them take."""
        return self._bytes

    def get(self, conversation_id: str) -> History | None:
        """Give a conversation; None where there is none, or nobody has used it for too long."""
        history = self._histories.get(conversation_id)
        return None if history is None or self._is_idle(history) else history

    def on_disk(self, conversation_id: str) -> bool:
        """Whether a conversation outlives the process as it is now."""
        return self.store.durable and self._numbers.get(conversation_id, 0) <= self.store.confirmed

    def has_room(self, more: int) -> bool:
        """Whether `more` conversations can be begun, or for 0 any can grow, without forgetting one."""
        fit = not more or len(self._histories) + more <= self.policy.conversations_max
        return fit and self._bytes < self.policy.bytes_max

    def begin(self, conversation_id: str, system: tuple[Turn, ...]) -> int:
        """Begin a conversation that is not there; gives the number of the change."""
        self._drop(conversation_id)
        history = opened(system, self._now_unix_s())
        return self._set(conversation_id, history, None)

    def append(self, conversation_id: str, exchange: Exchange, system: tuple[Turn, ...]) -> int:
        """Add an exchange, beginning the conversation with it if need be; gives the number of the change.

        A conversation that grew too large forgets its oldest exchanges.
        """
        before = self.get(conversation_id) or opened(system, exchange.at_unix_s)
        body = msgspec.json.encode(exchange)
        history = before.spoken(system).extended(exchange, len(body))
        return self._set(conversation_id, self._bounded(history), body)

    def retract(self, conversation_id: str, exchange: Exchange, before: History | None) -> None:
        """Take the latest exchange back, if it is this one: its caller never got the answer.

        `before` is what was there before it.
        """
        history = self._histories.get(conversation_id)
        if history is None or not history.exchanges or history.exchanges[-1] is not exchange:
            return
        if before is None:
            self.remove(conversation_id)
        else:
            self._set(conversation_id, history.shortened(before.system), None)

    def remove(self, conversation_id: str) -> bool:
        """Forget a conversation; tell whether it was there."""
        existed = self.get(conversation_id) is not None
        if self._drop(conversation_id):
            self.store.put(ConversationRemoved(conversation_id=conversation_id))
        return existed

    def tidied(self, busy: Container[str]) -> list[Forgotten]:
        """Forget what is idle and, if that is wanted, what is too much: longest unused first, and nothing `busy`."""
        gone: list[Forgotten] = []
        oldest = next(iter(self._histories.values()), None)
        if oldest is None or self._why_forget(oldest) is None:
            return gone
        for conversation_id, history in list(self._histories.items()):
            why = self._why_forget(history)
            if why is None:
                break
            if conversation_id not in busy:
                gone.append(Forgotten(conversation_id=conversation_id, why=why, exchanges=len(history.exchanges)))
                self._drop(conversation_id)
                self.store.put(ConversationRemoved(conversation_id=conversation_id))
        return gone

    def _why_forget(self, history: History) -> WhyForgotten | None:
        if self._is_idle(history):
            return "idle"
        if self.policy.when_full == "refuse":
            return None
        if len(self._histories) > self.policy.conversations_max:
            return "count"
        return "bytes" if self._bytes > self.policy.bytes_max else None

    def _is_idle(self, history: History) -> bool:
        idle_s = self.policy.idle_s
        return idle_s is not None and self._now_unix_s() - history.used_unix_s > idle_s

    def _bounded(self, history: History) -> History:
        if history.size_bytes <= self.policy.conversation_bytes_max:
            return history
        cuts = cuts_of([*(exchange.turns for exchange in history.exchanges), ()])
        # The latest exchange stays in any case: it has just been answered.
        cuts = tuple(cut for cut in cuts if cut < len(history.exchanges))
        return history.forgetting(cut_to(history.sizes, cuts, history.system_bytes, self.policy.conversation_bytes_max))

    def _set(self, conversation_id: str, history: History, exchange: bytes | None) -> int:
        former = self._histories.pop(conversation_id, None)
        self._bytes += _cost_of(history) - (0 if former is None else _cost_of(former))
        self._histories[conversation_id] = history
        number = self.store.put(
            ConversationKept(
                conversation_id=conversation_id,
                system=history.system,
                created_unix_s=history.created_unix_s,
                used_unix_s=history.used_unix_s,
                first=history.first,
                next_number=history.next_number,
                exchange=exchange,
            )
        )
        if self.store.durable:
            self._numbers[conversation_id] = number
        return number

    def _drop(self, conversation_id: str) -> bool:
        history = self._histories.pop(conversation_id, None)
        self._numbers.pop(conversation_id, None)
        self.remembered_cuts.pop(conversation_id, None)
        if history is None:
            return False
        self._bytes -= _cost_of(history)
        return True


def _cost_of(history: History) -> int:
    return history.size_bytes + OVERHEAD_BYTES
