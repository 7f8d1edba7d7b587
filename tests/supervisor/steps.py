"""The proof of cancel-safety: strike a scenario after its first step, then its second, until it ends untouched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio
import trio.testing
from trio.lowlevel import Task

STEPS_MAX = 2_000
"""A scenario that takes more steps than this does not end."""

HORIZON_S = 3_600.0
"""A scenario that takes more virtual time than this waits for what never comes."""


class Strike(trio.abc.Instrument):
    """Calls `blow` once, when the tasks picked by name have been run `step` times altogether.

    The scenario sets `blow`; until it has, steps do not count.
    """

    def __init__(self, step: int, *task_names: str) -> None:
        self.blow: Callable[[], None] | None = None
        self.struck = False
        self._left = step
        self._task_names = task_names

    def after_task_step(self, task: Task) -> None:
        if self._left > 0 and self.blow is not None and task.name.startswith(self._task_names):
            self._left -= 1
            if self._left == 0:
                self.struck = True
                self.blow()


Scenario: TypeAlias = Callable[[Strike], Awaitable[None]]


def strike_at_each_step(scenario: Scenario, *task_names: str) -> int:
    """Run `scenario` once per step of the tasks whose names begin so, on a virtual clock; return how many steps.

    The scenario decides what the blow is, and raises when its invariants do not hold after it.
    """

    async def main(strike: Strike) -> None:
        with trio.move_on_after(HORIZON_S) as horizon:
            await scenario(strike)
        assert not horizon.cancelled_caught, "it waits for what never comes"

    for step in range(1, STEPS_MAX):
        strike = Strike(step, *task_names)
        clock = trio.testing.MockClock(autojump_threshold=0)
        try:
            trio.run(main, strike, clock=clock, instruments=[strike])
        except BaseException as error:
            error.add_note(f"struck after step {step}")
            raise
        if not strike.struck:
            return step - 1
    raise AssertionError(f"the scenario takes more than {STEPS_MAX} steps")
