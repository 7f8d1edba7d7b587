"""Own the way from a policy to an open store of conversations and back, without holding up the loop."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import trio

from manus.actors.conversations.file import open_file, read_all
from manus.actors.conversations.store import ConversationStore, MemoryStore
from manus.actors.conversations.writer import SqliteStore
from manus.actors.ledger.threads import Post
from manus.messages.conversations import ConversationPolicy
from manus.supervisor.shield import bounded_shield

CLOSE_SLACK_S: Final = 1.0
"""Beyond the store's own bound, for the thread that waits for it."""


@contextlib.asynccontextmanager
async def open_conversations(
    policy: ConversationPolicy, *, redact: Callable[[str], str]
) -> AsyncIterator[ConversationStore]:
    """Open the store that `policy` describes, and close it at the end of the block, cancelled or not.

    Use it around the tree: the actor must have ended before its store closes. What the disk has not taken by then is
    lost, as it would be with the process.

    Raises:
        ConversationsUnusable: see `open_file` and `read_all`.
    """
    if policy.path is None:
        yield MemoryStore()
        return
    token = trio.lowlevel.current_trio_token()

    def post(call: Callable[[], object]) -> None:
        with contextlib.suppress(trio.RunFinishedError):  # nobody is left to be told
            token.run_sync_soon(call)

    path = Path(policy.path)
    # Not abandoned when cancelled: a store that nobody holds would keep its lock for as long as the process lives.
    store = await trio.to_thread.run_sync(lambda: _opened(path, policy, redact, post), abandon_on_cancel=False)
    try:
        yield store
    finally:
        with bounded_shield(policy.close_s + CLOSE_SLACK_S):
            await trio.to_thread.run_sync(store.close, abandon_on_cancel=True)


def _opened(path: Path, policy: ConversationPolicy, redact: Callable[[str], str], post: Post) -> SqliteStore:
    connection = open_file(path, busy_s=policy.busy_s)
    with contextlib.ExitStack() as undo:
        undo.callback(connection.close)
        loaded = read_all(connection, path)
        undo.pop_all()
    return SqliteStore(path, connection, loaded, policy, redact=redact, post=post)
