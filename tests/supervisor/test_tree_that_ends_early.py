"""A tree may come to its end before its host's body begins; the host is told, and waits for nothing."""

from __future__ import annotations

import pytest
import trio

from manus.supervisor.context import Context
from manus.supervisor.tree import RuntimeFailed
from tests.supervisor.rig import running, worker


async def gives_up(_ctx: Context) -> None:
    """End before having started."""


async def test_a_significant_child_that_never_starts_fails_the_tree_instead_of_keeping_its_host_waiting(
    autojump_clock: object,
) -> None:
    begun = False
    with trio.fail_after(60.0):
        with pytest.raises(RuntimeFailed, match="shut down by end of a"):
            async with running(worker("a", gives_up, restart="temporary", significant=True)):
                begun = True
    assert not begun
