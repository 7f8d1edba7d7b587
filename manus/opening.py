"""Own how an agent comes to be and ends: its tree, its books, its model servers.

Everything an agent starts ends with its `async with` block: requests in flight drain or are cancelled, the books are
settled and closed.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from logging import INFO, WARNING
from pathlib import Path
from typing import Final

import msgspec

from manus.actors.credentials.tokens import TokenProvider
from manus.actors.ledger.file import LedgerUnusable
from manus.actors.ledger.opening import open_ledger
from manus.actors.redaction import redactor
from manus.actors.upstream import TransportFactory
from manus.config.dated_facts import dated_warnings
from manus.config.load import Loaded, Source
from manus.config.problems import InvalidConfig
from manus.errors import ConfigurationError, InternalError, configuration_error
from manus.event_log import LOGGER, log_event
from manus.loading import load_source, state_directory_of_user
from manus.supervisor.shield import bounded_shield
from manus.supervisor.stall import StallPolicy
from manus.supervisor.tree import RuntimeFailed, open_tree
from manus.trio_agent import TrioAgent
from manus.wiring import Wiring, secrets_of, tree_spec, wire

SERVER_S: Final = 5.0
"""How long a model server on this machine may take to end; it asks politely first, then kills."""

DRAIN_S: Final = 30.0
HARD_S: Final = 5.0


@asynccontextmanager
async def open_agent(
    config: Source = None,
    *,
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
            environment.
        transports: transports of your own, by provider: called with the base URL, once per incarnation.
        tokens: your own sources of bearer tokens, by provider, in place of configured keys. Each is awaited for a
            token and the Unix time at which it expires, in time before the last one does, and by one task at a time.
        keep_books: False keeps the ledger in memory, whatever the configuration says.
        drain_s: how long requests in flight may finish when the block ends.
        hard_s: how long what was cancelled may take to clean up.
        seed: makes jitter repeatable; for tests.
        stall: watch the loop from a thread of the operating system, and name what holds it.
        now_unix_s: the wall clock that ledger rows are dated with.

    Raises:
        ConfigurationError: the configuration cannot be used; it lists every problem.
        InternalError: an actor could not be kept running.
    """
    loaded, wiring = _prepare(config, transports, tokens)
    today = datetime.fromtimestamp(now_unix_s(), UTC).date()
    dated = dated_warnings(wiring.policies, today=today, price_age_days=loaded.config.price_age_warning_days)
    loaded = msgspec.structs.replace(loaded, notes=(*loaded.notes, *dated))
    books = wiring.ledger if keep_books else msgspec.structs.replace(wiring.ledger, path=None)
    redact = redactor(secret.reveal() for secret in secrets_of(loaded.config))
    try:
        async with _closing(wiring), open_ledger(books, now_unix_s=now_unix_s) as store:
            spec = tree_spec(wiring, store, now_unix_s=now_unix_s)
            async with open_tree(spec, seed=seed, stall=stall, redact=redact, drain_s=drain_s, hard_s=hard_s) as tree:
                if loaded.config.enable_logging:
                    tree.bus.add_listener(log_event)
                    for note in loaded.notes:
                        LOGGER.log(WARNING if note in dated else INFO, "%s", note)
                yield TrioAgent(tree, wiring, loaded, now_unix_s=now_unix_s)
    except LedgerUnusable as error:
        raise ConfigurationError(str(error)) from None
    except RuntimeFailed as error:
        raise InternalError(f"An actor could not be kept running: {error}") from error


@asynccontextmanager
async def _closing(wiring: Wiring) -> AsyncIterator[None]:
    """End the model servers on this machine when nobody can call them any more."""
    try:
        yield
    finally:
        for server in wiring.servers:
            with bounded_shield(SERVER_S):
                await server.aclose()


def _prepare(
    config: Source, transports: Mapping[str, TransportFactory] | None, tokens: Mapping[str, TokenProvider] | None
) -> tuple[Loaded, Wiring]:
    loaded = load_source(config)
    base = Path() if loaded.path is None else loaded.path.parent
    try:
        wiring = wire(
            loaded.config,
            base=base,
            state=state_directory_of_user(),
            transports=transports,
            tokens=tokens,
        )
    except InvalidConfig as invalid:
        raise configuration_error(invalid) from None
    return loaded, wiring
