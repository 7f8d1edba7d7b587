"""Own what planning remembers between requests: whose turn it is, and which deployment answered a conversation last.

Both live in the router's durable cell. Each method is one synchronous mutation, or a read that changes nothing.
"""

from __future__ import annotations

from collections import OrderedDict

from manus.messages.ids import DeploymentId

CONVERSATIONS_KEPT = 4096
"""Conversations whose deployment is remembered; the one that was answered longest ago is forgotten first."""

TURNS_KEPT = 1024
"""Groups of deployments whose turn is counted; requests may invent groups by naming models and fallbacks."""


class Affinity:
    """Which deployment answered a conversation last: its prompt cache is warm, so the next turn costs less there.

    Whoever sees an attempt succeed calls `remember`, with the attempt's own deployment, the key in it. Planning reads
    with `recall`, and a plan that is only explained leaves no trace.
    """

    __slots__ = ("_answered",)

    def __init__(self) -> None:
        self._answered: OrderedDict[str, tuple[DeploymentId, float]] = OrderedDict()

    def remember(self, conversation_id: str, deployment: DeploymentId, now: float) -> None:
        """Note that `deployment` answered the conversation at `now` (the loop's clock)."""
        answered = self._answered
        answered[conversation_id] = (deployment, now)
        answered.move_to_end(conversation_id)
        if len(answered) > CONVERSATIONS_KEPT:
            answered.popitem(last=False)

    def recall(self, conversation_id: str, *, now: float, for_s: float) -> DeploymentId | None:
        """Tell who answered the conversation last, unless that is `for_s` seconds ago or longer."""
        kept = self._answered.get(conversation_id)
        if kept is None or now - kept[1] >= for_s:
            return None
        return kept[0]


class Turns:
    """Whose turn it is in each group of deployments that are asked one after another."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken: OrderedDict[str, int] = OrderedDict()

    def next(self, group: str) -> int:
        """Give the number of the group's next turn, from zero on."""
        return self._taken.get(group, 0)

    def take(self, group: str) -> int:
        """Give the number of the group's next turn, and count it as taken."""
        taken = self._taken
        turn = taken.get(group, 0)
        taken[group] = turn + 1
        taken.move_to_end(group)
        if len(taken) > TURNS_KEPT:
            taken.popitem(last=False)
        return turn

    def copy(self) -> Turns:
        """Give turns that go on from here and are counted apart."""
        other = Turns()
        other._taken = self._taken.copy()
        return other
