"""Own deterministic runs: one seed, one schedule, one virtual clock, and nothing from outside.

Trio can be made to schedule by a seed, but not through its public face: this file alone touches the private names that
do it, and a test guards that they still exist and still work. Beware of hypothesis: it seeds the same generator to 0
for every example, so the schedule's seed has to be drawn as an input and given here.
"""

from __future__ import annotations

import hashlib
import math
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import trio
import trio.abc
import trio.lowlevel
import trio.testing
from trio._core import _run as trio_run  # the one place that touches trio's private names; see the module docstring

T = TypeVar("T")

STEPS_MAX = 2_000_000
"""Task steps after which a run is taken for a loop that never lets the clock move."""


class HorizonReached(Exception):
    """Virtual time came to the horizon: something waits for what never comes."""


class TooManySteps(Exception):
    """A run took more steps than any honest one: something spins without waiting."""


class OutsideTouched(Exception):
    """Code inside a simulation reached for the real network, the real clock, real threads or real chance."""


class Trace(trio.abc.Instrument):
    """The order of all task steps, as a hash, and their number. Tasks count by name and birth, not by address."""

    def __init__(self, steps_max: int = STEPS_MAX) -> None:
        self.steps = 0
        self._steps_max = steps_max
        self._hash = hashlib.sha256()
        self._scope: trio.CancelScope | None = None
        self._births: dict[trio.lowlevel.Task, int] = {}
        self._born = 0
        self.spinning = False

    def watch(self, scope: trio.CancelScope) -> None:
        """Cancel `scope` when the steps run over."""
        self._scope = scope

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        """Number the task."""
        self._born += 1
        self._births[task] = self._born

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        """Let the task go."""
        self._births.pop(task, None)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Note that `task` runs."""
        self.steps += 1
        self._hash.update(f"{trio.current_time():.6f} {task.name} {self._births.get(task)}\n".encode())
        if self.steps > self._steps_max and self._scope is not None:
            self.spinning = True
            self._scope.cancel()

    def hexdigest(self) -> str:
        """Name the schedule: equal for equal runs."""
        return self._hash.hexdigest()


def simulate(
    main: Callable[[], Awaitable[T]],
    *,
    schedule_seed: int,
    horizon_s: float,
    trace: Trace | None = None,
    fenced: bool = True,
) -> T:
    """Run `main` on a virtual clock that starts at 0 and jumps, with the task order that `schedule_seed` gives.

    Args:
        main: what to run. It must not use threads, sockets, the wall clock or global chance.
        schedule_seed: decides the order of tasks that are ready together.
        horizon_s: virtual time by which it must be done.
        trace: takes down the schedule.
        fenced: make the outside raise `OutsideTouched`.

    Raises:
        HorizonReached: it was not done by the horizon.
        TooManySteps: it spun.
    """
    watching = trace or Trace()

    async def bounded() -> T:
        with trio.CancelScope() as steps:
            watching.watch(steps)
            with trio.move_on_at(horizon_s):
                return await main()
        if watching.spinning:
            raise TooManySteps(f"{watching.steps} task steps, at virtual time {trio.current_time():g} s")
        raise HorizonReached(f"not done at virtual time {horizon_s:g} s")

    with _scheduled_by(schedule_seed), _fence() if fenced else _no_fence():
        return trio.run(
            bounded,
            clock=trio.testing.MockClock(autojump_threshold=0),
            instruments=[watching],
            strict_exception_groups=True,
        )


def cancel_at_each_step(
    scenario: Callable[[StepCanceller], Awaitable[T]],
    check: Callable[[T], None],
    *,
    persistent: bool = False,
    steps_max: int = 10_000,
) -> int:
    """Run `scenario` again and again, cancelled at its 1st, 2nd, 3rd ... step, until it ends uncancelled.

    The scenario wraps what is to be cancelled in `with canceller:`, once or several times, and returns whatever `check`
    is to judge. A cancelled block stays cancelled: every later wait in it fails as well. Transient cancellation strikes
    one block; `persistent` also every block that is entered after it, as when nobody wants anything any more.

    Returns:
        How many steps there were to cancel at.
    """
    for step in range(1, steps_max):
        canceller = StepCanceller(step, persistent=persistent)

        async def run(canceller: StepCanceller = canceller) -> T:
            return await scenario(canceller)

        try:
            check(simulate(run, schedule_seed=step, horizon_s=100_000.0))
        except Exception as error:
            error.add_note(f"cancelled at step {step}{' and ever after' if persistent else ''}")
            raise
        if not canceller.fired:
            return step - 1
    raise TooManySteps(f"the scenario still has steps after {steps_max}")


class StepCanceller(trio.abc.Instrument):
    """Cancels the block it wraps after a given number of steps taken by the tasks inside such blocks.

    It may wrap one block after another, not one within another. Steps count over all of them.
    """

    def __init__(self, at_step: int, *, persistent: bool = False) -> None:
        self.fired = False
        self._at_step = at_step
        self._persistent = persistent
        self._steps = 0
        self._task: trio.lowlevel.Task | None = None
        self._scope: trio.CancelScope | None = None

    def __enter__(self) -> trio.CancelScope:
        assert self._scope is None, "a canceller wraps one block at a time"
        self._task = trio.lowlevel.current_task()
        self._scope = trio.CancelScope()
        if self.fired and self._persistent:
            self._scope.cancel()
        trio.lowlevel.add_instrument(self)
        return self._scope.__enter__()

    def __exit__(self, *exc_info: Any) -> bool | None:  # Any: passed on as it came
        scope, self._scope = self._scope, None
        assert scope is not None, "it was entered before"
        trio.lowlevel.remove_instrument(self)
        return scope.__exit__(*exc_info)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count the steps of the task inside, and cancel when its turn has come."""
        if task is not self._task or self._scope is None:
            return
        self._steps += 1
        if self._steps == self._at_step:
            self.fired = True
            self._scope.cancel()


def on_grid(seconds: float, grid_s: float) -> float:
    """Round a time up to the grid on which a simulation lives."""
    return math.ceil(seconds / grid_s - 1e-9) * grid_s


@contextmanager
def _scheduled_by(seed: int) -> Iterator[None]:
    """Have trio order its run queue by `seed`, and leave everything as it was."""
    switches = vars(trio_run)  # the flag is declared final, for everybody but those who must have order
    flag, state = switches["_ALLOW_DETERMINISTIC_SCHEDULING"], trio_run._r.getstate()
    switches["_ALLOW_DETERMINISTIC_SCHEDULING"] = True
    trio_run._r.seed(seed)
    try:
        yield
    finally:
        switches["_ALLOW_DETERMINISTIC_SCHEDULING"] = flag
        trio_run._r.setstate(state)


@contextmanager
def _no_fence() -> Iterator[None]:
    yield


_OUTSIDE: tuple[tuple[Any, str], ...] = (  # Any: modules and classes alike
    (socket.socket, "connect"),
    (socket.socket, "connect_ex"),
    (socket, "create_connection"),
    (time, "time"),
    (time, "time_ns"),
    (time, "monotonic"),
    (time, "sleep"),
    (os, "urandom"),
    (uuid, "uuid4"),
    (random, "random"),
    (random, "randint"),
    (random, "choice"),
    (random, "uniform"),
    (random, "randrange"),
    (random, "getrandbits"),
    (random, "shuffle"),
    (random, "sample"),
    (trio.to_thread, "run_sync"),
)


@contextmanager
def _fence() -> Iterator[None]:
    """Make the outside raise, for this thread alone: others (a test runner's) go on as before."""
    inside = threading.get_ident()
    kept = [(owner, name, getattr(owner, name)) for owner, name in _OUTSIDE]
    for owner, name, real in kept:
        setattr(owner, name, _guarded(real, f"{getattr(owner, '__name__', owner)}.{name}", inside))
    try:
        yield
    finally:
        for owner, name, real in kept:
            setattr(owner, name, real)


def _guarded(real: Callable[..., Any], name: str, inside: int) -> Callable[..., Any]:  # Any: stands for any function
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() == inside:
            _touched(name)
        return real(*args, **kwargs)

    return guarded


def _touched(name: str) -> NoReturn:
    raise OutsideTouched(f"{name} was called inside a simulation")
