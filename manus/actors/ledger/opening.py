"""Own the way from a policy to an open store and back, without holding up the loop.

Opening may have to recover dead runs and closing flushes to the disk, so both happen in a thread. Books in memory need
none, which is what a simulation relies on.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

import trio

from manus.actors.ledger.journaled import open_journaled
from manus.actors.ledger.store import LedgerStore, MemoryStore
from manus.messages.policy import LedgerPolicy
from manus.supervisor.shield import bounded_shield

CLOSE_SLACK_S = 5.0
"""Beyond the store's own bounds, for the last checkpoint of the file."""


@contextlib.asynccontextmanager
async def open_ledger(policy: LedgerPolicy, *, now_unix_s: Callable[[], float]) -> AsyncIterator[LedgerStore]:
    """Open the ledger that `policy` describes, and close it at the end of the block, cancelled or not.

    Use it around the tree: accounting must have ended before its store closes. Closing is shielded for the time that
    the store may take by itself; what SQLite has not taken by then is recovered by the next start.

    Raises:
        LedgerUnusable: see `open_journaled`.
    """
    if policy.path is None:
        yield MemoryStore(rows_max=policy.rows_max)
        return
    token = trio.lowlevel.current_trio_token()

    def post(call: Callable[[], object]) -> None:
        with contextlib.suppress(trio.RunFinishedError):  # nobody is left to be told
            token.run_sync_soon(call)

    # Not abandoned when cancelled: a store that nobody holds would keep its lock for as long as the process lives.
    store = await trio.to_thread.run_sync(
        lambda: open_journaled(policy, now_unix_s=now_unix_s, post=post), abandon_on_cancel=False
    )
    try:
        yield store
    finally:
        with bounded_shield(2 * policy.close_s + CLOSE_SLACK_S):
            await trio.to_thread.run_sync(store.close, abandon_on_cancel=True)
