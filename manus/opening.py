"""Own how an agent comes to be and ends: its tree, its books, its model servers.

Everything an agent starts ends with its `async with` block: requests in flight drain or are cancelled, the books are
settled and closed.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypedDict

import trio

from manus.actors.conversations.file import ConversationsUnusable
from manus.actors.conversations.opening import open_conversations
from manus.actors.credentials.tokens import TokenProvider
from manus.actors.ledger.file import LedgerUnusable
from manus.actors.ledger.opening import open_ledger
from manus.actors.local.server import LocalServer
from manus.actors.redaction import Redaction
from manus.actors.upstream import TransportFactory
from manus.agent_config import AgentConfig, told_apart
from manus.config.load import Source
from manus.errors import ConfigurationError, InternalError, InvalidRequestError
from manus.in_force import InForce
from manus.open_agents import closed, opened
from manus.preparing import Preparation
from manus.reloading import SERVER_S, Reloader, open_reloader
from manus.supervisor.shield import bounded_shield
from manus.supervisor.stall import StallPolicy
from manus.supervisor.tree import RuntimeFailed, Tree, open_tree
from manus.trio_agent import TrioAgent
from manus.wiring import secrets_of, tree_spec

DRAIN_S: Final = 30.0
HARD_S: Final = 5.0


class OpenOptions(TypedDict, total=False):
    """What every way to an agent takes besides the configuration; `open_agent` tells of each."""

    transports: Mapping[str, TransportFactory] | None
    tokens: Mapping[str, TokenProvider] | None
    keep_books: bool
    drain_s: float
    hard_s: float
    seed: int | None
    stall: StallPolicy | None
    now_unix_s: Callable[[], float]


@asynccontextmanager
async def open_agent(
    config: Source | AgentConfig = None,
    *,
    config_path: Source = None,
    transports: Mapping[str, TransportFactory] | None = None,
    tokens: Mapping[str, TokenProvider] | None = None,
    keep_books: bool = True,
    drain_s: float = DRAIN_S,
    hard_s: float = HARD_S,
    seed: int | None = None,
    stall: StallPolicy | None = None,
    now_unix_s: Callable[[], float] = time.time,
) -> AsyncIterator[TrioAgent]:
    """Open an agent in the running Trio loop.

    Leaving the block by itself lets requests in flight drain for `drain_s`; an exception or a cancellation ends them
    at once. Either way every call ends in the books before the block does.

    Args:
        config: a path, an `LLMConfig`, a mapping in the file's shape; None searches the usual places and then the
            environment. Or an `AgentConfig`, the defaults of this agent.
        config_path: the configuration, where `config` is an `AgentConfig` or left out.
        transports: transports of your own, by provider: called with the base URL, once per incarnation.
        tokens: your own sources of bearer tokens, by provider, in place of configured keys. Each is awaited for a
            token and the Unix time at which it expires, in time before the last one does, and by one task at a time.
        keep_books: False keeps the ledger and conversations in memory, whatever the configuration says.
        drain_s: how long requests in flight may finish when the block ends.
        hard_s: how long what was cancelled may take to clean up.
        seed: makes jitter repeatable; for tests.
        stall: watch the loop from a thread of the operating system, and name what holds it.
        now_unix_s: the wall clock that ledger rows are dated with.

    Raises:
        ConfigurationError: the configuration cannot be used; it lists every problem.
        InternalError: an actor could not be kept running.
    """
    source, defaults = told_apart(config, config_path)
    preparation = Preparation(transports=transports, tokens=tokens, keep_books=keep_books, now_unix_s=now_unix_s)
    loaded, wiring = preparation.prepared(source)
    redact = Redaction(secret.reveal() for secret in secrets_of(loaded.config))
    servers = list(wiring.servers)
    try:
        async with (
            _closing(servers),
            open_ledger(wiring.ledger, now_unix_s=now_unix_s) as store,
            open_conversations(wiring.conversations, redact=redact) as memory,
        ):
            in_force = InForce(loaded, wiring, ledger_trouble=lambda: store.trouble)
            spec = tree_spec(wiring, store, memory=memory, counters=in_force.counters, now_unix_s=now_unix_s)
            async with (
                open_tree(spec, seed=seed, stall=stall, redact=redact, drain_s=drain_s, hard_s=hard_s) as tree,
                open_reloader(
                    tree, in_force, source=source, preparation=preparation, redaction=redact, servers=servers
                ) as reloader,
            ):
                preparation.say(loaded, wiring, tree.bus)
                agent = _agent(tree, in_force, reloader, defaults, now_unix_s)
                opened(agent, loop=trio.lowlevel.current_trio_token())
                try:
                    yield agent
                finally:
                    closed(agent)
    except (LedgerUnusable, ConversationsUnusable) as error:
        raise ConfigurationError(str(error)) from None
    except RuntimeFailed as error:
        raise InternalError(f"An actor could not be kept running: {error}") from error


@asynccontextmanager
async def _closing(servers: list[LocalServer]) -> AsyncIterator[None]:
    """End the model servers on this machine when nobody can call them any more, those of reloads too."""
    try:
        yield
    finally:
        for server in servers:
            with bounded_shield(SERVER_S):
                await server.aclose()


def _agent(
    tree: Tree, in_force: InForce, reloader: Reloader, defaults: AgentConfig, now_unix_s: Callable[[], float]
) -> TrioAgent:
    try:
        return TrioAgent(tree, in_force, reloader, defaults=defaults, now_unix_s=now_unix_s)
    except InvalidRequestError as error:
        raise ConfigurationError(f"AgentConfig.{error}") from None
