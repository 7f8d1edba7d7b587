"""Own what the turns of one incarnation share: who stands in which line, and how many there are in all."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import trio

from manus.actors.conversations.line import Line
from manus.actors.conversations.shelf import Shelf
from manus.messages.conversations import ConversationForgotten, ConversationPolicy
from manus.supervisor.context import Context

DELETIONS_KEPT: Final = 1024
"""Deletions that are remembered. One matters for a scheduler pass; so many do not come in one."""


class Ticket:
    """One turn's place in line.

    `number` orders those of one line; `called` is set when its turn has come; `scope` is the turn's own, for whoever
    deletes the conversation.
    """

    __slots__ = ("called", "deleted", "number", "scope")

    def __init__(self, number: int) -> None:
        self.number = number
        self.called = trio.Event()
        self.scope = trio.CancelScope()
        self.deleted = False


class Desk:
    """What one incarnation's turns share."""

    __slots__ = ("_deletions", "_emit", "_lines", "in_hand", "now_unix_s", "router", "shelf")

    def __init__(self, ctx: Context, *, now_unix_s: Callable[[], float]) -> None:
        self.shelf: Shelf = ctx.cell
        self.router = ctx.ref("router")
        self.now_unix_s = now_unix_s
        self.in_hand = 0
        """Turns that run or wait, in all conversations."""
        self._emit = ctx.emit
        self._lines: dict[str, Line[Ticket]] = {}
        self._deletions: OrderedDict[str, int] = OrderedDict()

    @property
    def policy(self) -> ConversationPolicy:
        """What holds now."""
        return self.shelf.policy

    def line_of(self, conversation_id: str) -> Line[Ticket]:
        """Give the line of a conversation, empty where nobody stands in it."""
        line = self._lines.get(conversation_id)
        if line is None:
            line = self._lines[conversation_id] = Line(self.policy.waiting_max)
        return line

    def waiting_in(self, conversation_id: str) -> int:
        """Tell how many turns run or wait in a conversation."""
        line = self._lines.get(conversation_id)
        return 0 if line is None else len(line)

    def leave(self, conversation_id: str, line: Line[Ticket], ticket: Ticket) -> None:
        """Take a turn out of its line, and call the one whose turn it is then."""
        following = line.leave(ticket)
        if following is not None:
            following.called.set()
        if not len(line) and self._lines.get(conversation_id) is line:
            del self._lines[conversation_id]

    def delete(self, conversation_id: str, number: int) -> bool:
        """Forget a conversation and cancel every turn that was asked for before `number`; tell whether there was one.

        Turns that have yet to come to the line, in this very moment, find out by `is_deleted`.
        """
        self._deletions[conversation_id] = number
        self._deletions.move_to_end(conversation_id)
        if len(self._deletions) > DELETIONS_KEPT:
            self._deletions.popitem(last=False)
        line = self._lines.pop(conversation_id, None)
        for ticket in () if line is None else line.tickets:
            ticket.deleted = True
            ticket.scope.cancel(reason="the conversation was deleted")
        return self.shelf.remove(conversation_id) or line is not None

    def is_deleted(self, conversation_id: str, number: int) -> bool:
        """Whether a conversation was deleted after the turn of this number was asked for."""
        return self._deletions.get(conversation_id, number) > number

    def is_full_for(self, conversation_id: str) -> bool:
        """Whether a conversation may not be begun, or go on, because there is no room and none is made."""
        if self.policy.when_full != "refuse":
            return False
        if conversation_id in self.shelf:
            return not self.shelf.has_room(0)
        begun = sum(each not in self.shelf and each != conversation_id for each in self._lines)
        return not self.shelf.has_room(begun + 1)

    def tidy(self) -> None:
        """Forget what is too much, and say so."""
        for gone in self.shelf.tidied(self._lines):
            self._emit(
                ConversationForgotten(
                    at=trio.current_time(),
                    conversation_id=gone.conversation_id,
                    why=gone.why,
                    exchanges=gone.exchanges,
                )
            )
