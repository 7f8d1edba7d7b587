"""The public names, and the small parts that have no test file of their own."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import trio

import manus.supervisor
from manus.supervisor.shield import bounded_shield
from manus.supervisor.stacks import await_stack
from tests.supervisor.rig import settle


@pytest.mark.parametrize("name", manus.supervisor.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(manus.supervisor, name) is not None
    assert name in dir(manus.supervisor)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        manus.supervisor.nonsense  # noqa: B018


def test_importing_the_package_loads_no_loop() -> None:
    program = "import manus.supervisor, sys; sys.exit('trio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


async def test_a_bounded_shield_keeps_cancellation_away_until_its_bound(autojump_clock: object) -> None:
    reached: list[float] = []

    async def clean_up() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with bounded_shield(2.0):
                await trio.sleep(1.0)
                reached.append(trio.current_time())
                await trio.sleep_forever()

    with trio.move_on_after(1.0):
        await clean_up()
    assert (reached, trio.current_time()) == ([2.0], 3.0)


@pytest.mark.parametrize("seconds", [math.inf, math.nan, -1.0])
def test_a_shield_without_a_bound_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="finite bound"):
        bounded_shield(seconds)


async def test_the_stack_of_a_task_shows_its_children_and_is_bounded(autojump_clock: object) -> None:
    async def in_the_cellar() -> None:
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        for number in range(30):
            nursery.start_soon(in_the_cellar, name=f"cellar {number:02}")
        await settle()
        text = await_stack(trio.lowlevel.current_task())
        assert "task cellar 00" in text
        assert "in_the_cellar" in text
        assert "... and 15 tasks more" in text
        nursery.cancel_scope.cancel()
