"""Own how much of its history a turn is sent with: all of it, if anybody who may be asked has a window for it.

The router says for whom a prompt would be and how long it is there; so this asks, cuts, and asks again, a bounded
number of times. It knows nothing of how the question travels: `next` is told an answer, and whether to ask again.

Where the history was cut once, later turns begin at the same place for as long as that fits, so that the vendor's cache
of the beginning stays good; hence a cut leaves some room (`trim_to`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from manus.actors.conversations.history import History
from manus.actors.conversations.trimming import cut_to, cuts_of
from manus.messages.content import Turn
from manus.messages.conversations import ConversationPolicy
from manus.messages.failures import Failed
from manus.messages.requests import ChatRequest
from manus.messages.routing import TokensTold

QUESTIONS_MAX: Final = 24
"""Questions per turn. Each that is answered by `context_length` halves what is sent: from megabytes to one turn."""

NOT_WHOLE: Final = 0.5
"""How much of what was sent is left where nobody knows how much is too much."""


class Fitting:
    """Finds the cut for one turn.

    Args:
        history: the conversation before it.
        asked: the turns that are new.
        asked_bytes: how much these hold.
        request: what else is asked: the answer's length counts against the window.
        remembered: where the conversation was cut last, and how many tokens fitted there.
    """

    __slots__ = (
        "_cuts",
        "_gone",
        "_history",
        "_policy",
        "_questions",
        "_remembered",
        "_request",
        "_rest_bytes",
        "cut",
        "limit",
    )

    def __init__(
        self,
        history: History,
        asked: Sequence[Turn],
        asked_bytes: int,
        *,
        request: ChatRequest,
        policy: ConversationPolicy,
        remembered: tuple[int, int] | None = None,
    ) -> None:
        self._history = history
        self._policy = policy
        self._request = request
        self._rest_bytes = history.system_bytes + asked_bytes
        self._gone = [0, *accumulate(history.sizes)]
        self._cuts = cuts_of([*(exchange.turns for exchange in history.exchanges), asked])
        self._questions = 0
        self._remembered: int | None = None
        self.cut = 0
        """How many of the oldest exchanges are left out."""
        self.limit: int | None = None
        """How many tokens the prompt may have at whoever would be asked, as far as that is known."""
        if remembered is not None and remembered[0] - history.first in self._cuts:
            self.cut = remembered[0] - history.first
            self._remembered = remembered[1]

    @property
    def oldest_sent(self) -> int:
        """The number of the oldest exchange that is sent."""
        return self._history.first + self.cut

    def next(self, told: object) -> bool:
        """Learn what the router says of the prompt with the present `cut`; whether to ask about another one.

        `told` is a `TokensTold`, or what came in its place: of a failure other than `context_length` the request
        itself will tell.
        """
        self._questions += 1
        if self._questions >= QUESTIONS_MAX:
            return False
        if isinstance(told, TokensTold):
            return self._measured(told)
        if isinstance(told, Failed) and told.kind == "context_length":
            return self.halve()
        return False

    def halve(self) -> bool:
        """Leave out more, so that about half of the history that was sent stays; whether that was possible."""
        self._remembered = None
        sent = self._gone[-1] - self._gone[self.cut]
        return self._cut_to(self._rest_bytes + NOT_WHOLE * sent)

    def _measured(self, told: TokensTold) -> bool:
        self.limit = self._limit_of(told)
        if self._remembered is not None:
            known, self._remembered = self._remembered, None
            if self.limit is None or self.limit > known:
                self.cut = 0  # a larger window than the one that it was cut for: all of it may fit
                return True
        if self.limit is None or told.expected <= self.limit:
            return False
        sent_bytes = self._rest_bytes + self._gone[-1] - self._gone[self.cut]
        return self._cut_to(sent_bytes * self.limit * self._policy.trim_to / told.expected)

    def _cut_to(self, bytes_max: float) -> bool:
        further = [cut for cut in self._cuts if cut > self.cut]
        if not further:
            return False
        self.cut = cut_to(self._history.sizes, further, self._rest_bytes, bytes_max)
        return True

    def _limit_of(self, told: TokensTold) -> int | None:
        """Tell how long the prompt may be, room for the answer kept; never less than half of the window."""
        window = told.window_tokens
        if window is None:
            return told.prompt_tokens_max
        answer = self._request.max_output_tokens or self._policy.answer_tokens
        if told.output_tokens_max is not None:
            answer = min(answer, told.output_tokens_max)
        limit = window - min(answer, window // 2)
        return limit if told.prompt_tokens_max is None else min(limit, told.prompt_tokens_max)
