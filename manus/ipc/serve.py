"""Own serving from start to end: the agent is opened, its adapters are added, and whatever wants an end gets it.

Ends are: the host's (EOF, `shutdown`, `exit`), its death, and signals. The first signal lets what is in flight drain, a
second ends at once. With stdin and stdout served, that host is the owner: its end is the end of all.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from logging import ERROR, WARNING
from pathlib import Path
from typing import Final, Literal, NoReturn, final

import msgspec
import trio

from manus.actors.redaction import redactor
from manus.actors.upstream import TransportFactory
from manus.config.load import Source as Configuration
from manus.errors import ConfigurationError, LLMError
from manus.ipc import notify
from manus.ipc.descriptors import open_sink, open_source
from manus.ipc.drain import Drain
from manus.ipc.log_lines import LogLines
from manus.ipc.methods import Methods
from manus.ipc.parent_watch import wait_parent_dead
from manus.ipc.policy import IpcPolicy, ipc_policy
from manus.ipc.served import Host
from manus.ipc.session import Ending, Session
from manus.ipc.stdio_adapter import SPARE_S, stdio_child
from manus.ipc.stdio_guard import TakenStdio, hold_stderr, take_stdio
from manus.ipc.unix_adapter import UnixServer, unix_child
from manus.ipc.unix_socket import bind
from manus.opening import open_agent
from manus.supervisor.bus import Subscription
from manus.supervisor.exits import open_bare_nursery
from manus.trio_agent import TrioAgent
from manus.wiring import secrets_of

Level = Literal["debug", "info", "warning"]

STDERR_FD: Final = 2

EVENTS_MAX: Final = 1024
"""Events that may wait to become log lines; older ones are dropped, and counted."""

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)


async def serve(
    config: Configuration = None,
    *,
    stdio: TakenStdio | bool = False,
    unix: Path | Literal["configured"] | None = None,
    window: int | None = None,
    log_level: Level = "info",
    transports: Mapping[str, TransportFactory] | None = None,
    keep_books: bool = True,
    seed: int | None = None,
) -> int:
    """Serve hosts until the end, and give the exit status.

    0 after an orderly end: EOF, `shutdown`, a signal that drained. 1 after `exit` without `shutdown`, and where the
    host reads no more. A second signal does not return: the process ends with 128 and the signal's number.

    Args:
        config: as of `open_agent`.
        stdio: serve the program that started this one. Best given as what `take_stdio` took before anything else was
            imported, so that nothing can have been printed into the channel.
        unix: listen at this path, or at `ipc.socket_path` of the configuration.
        window: `ipc.window`, over what the configuration says.
        log_level: the least weight of an event that becomes a line on stderr.
        transports, keep_books, seed: as of `open_agent`.

    Raises:
        ConfigurationError: the configuration, or the path of the socket, cannot be used.
        InternalError: an actor could not be kept running.
    """
    hold_stderr()
    taken = take_stdio() if stdio is True else stdio or None
    log = LogLines(STDERR_FD, log_level)
    try:
        with trio.open_signal_receiver(*_ENDING, signal.SIGHUP) as signals:
            async with open_bare_nursery() as nursery:
                server = Server(log, taken, unix=unix, window=window)
                nursery.start_soon(server.obey, signals, nursery, name="signals")
                nursery.start_soon(server.watch_parent, name="parent")
                async with open_agent(config, transports=transports, keep_books=keep_books, seed=seed) as agent:
                    await server.run(agent)
                nursery.cancel_scope.cancel(reason="served")
        return server.status
    finally:
        log.close()


@final
class Server:
    """What serves: one per process."""

    def __init__(
        self,
        log: LogLines,
        taken: TakenStdio | None,
        *,
        unix: Path | Literal["configured"] | None,
        window: int | None,
    ) -> None:
        self.status = 0
        self._log = log
        self._taken = taken
        self._unix = unix
        self._window = window
        self._agent: TrioAgent | None = None
        self._listening: UnixServer | None = None
        self._host: Host | None = None
        self._drain = Drain()
        self._stdio_over = trio.Event()

    async def run(self, agent: TrioAgent) -> None:
        """Serve with this agent until all connections are at their end."""
        self._agent = agent
        policy = self._policy(agent)
        with agent.events(EVENTS_MAX) as events:
            async with open_bare_nursery() as nursery:
                nursery.start_soon(self._write_events, events, name="log")
                for note in agent.notes:
                    self._log.say("Note", message=note)
                try:
                    path = self._begin(agent, policy)
                    self._log.say(
                        "Serving", stdio=self._taken is not None, unix=path, providers=agent.get_available_providers()
                    )
                    notify.say("READY=1")
                    await self._drain.wait()
                    notify.say("STOPPING=1")
                    await self._until_all_have_left()
                finally:
                    if self._listening is not None:
                        self._listening.close()
                    if self._host is not None:
                        self._host.close()
                nursery.cancel_scope.cancel(reason="served")

    async def obey(self, signals: AsyncIterator[int], nursery: trio.Nursery) -> None:
        """Do what signals say: the first to end drains, a second ends at once; SIGHUP reloads."""
        told = False
        async for number in signals:
            name = signal.Signals(number).name
            if number == signal.SIGHUP:
                nursery.start_soon(self._reload, name="reload")
                continue
            if told:
                self._end_now(name, 128 + number)
            told = True
            self._log.say("Ending", why=name)
            if self._agent is None:
                nursery.cancel_scope.cancel(reason=name)  # it is only being opened: nothing is in flight
            else:
                self._drain.ask(ipc_policy(self._agent.config).drain_s)

    async def watch_parent(self) -> None:
        """End when the program that started us is dead, where it is our host."""
        if self._taken is None:
            return
        await wait_parent_dead(self._taken.parent)
        self._log.say("Ending", why="the parent died")
        self._drain.ask(0.0 if self._agent is None else ipc_policy(self._agent.config).drain_s)

    # --- beginning --------------------------------------------------------------------------------

    def _begin(self, agent: TrioAgent, policy: IpcPolicy) -> str | None:
        """Add the adapters; give the path of the socket, where there is one."""
        path = None
        if self._unix is not None:
            path = self._path(agent, policy)
            self._listening = UnixServer(bind(path), agent, self._drain, policy_of=self._policy, redact=self._redact)
            agent.add_adapter(unix_child(self._listening, policy))
        if self._taken is not None:
            host = self._host = Host(
                Session(policy),
                open_source(self._taken.source_fd),
                open_sink(self._taken.sink_fd),
                Methods(agent.view()),
                engine=False,
                pid=self._taken.parent,
                redact=self._redact,
            )
            agent.add_adapter(stdio_child(host, self._drain, self._stdio_ended))
        else:
            self._stdio_over.set()
        return None if path is None else str(path)

    def _path(self, agent: TrioAgent, policy: IpcPolicy) -> Path:
        if isinstance(self._unix, Path):
            return self._unix
        if policy.socket_path is None:
            raise ConfigurationError("There is no path for the socket: name one after --unix, or set ipc.socket_path.")
        return agent.path_of(policy.socket_path)

    def _policy(self, agent: TrioAgent) -> IpcPolicy:
        """Give the bounds that are in force, for a connection that begins."""
        policy = ipc_policy(agent.config)
        return policy if self._window is None else msgspec.structs.replace(policy, window=self._window)

    def _redact(self, text: str) -> str:
        """Strike the secrets that are in force out of a text."""
        if self._agent is None:
            return text
        return redactor(secret.reveal() for secret in secrets_of(self._agent.config))(text)

    # --- while it serves --------------------------------------------------------------------------

    async def _write_events(self, events: Subscription) -> None:
        async for event in events:
            self._log.event(event)

    async def _reload(self) -> None:
        """Read the configuration again. What is wrong with it is said, and the former one stays."""
        if self._agent is None:
            return
        notify.say(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            reloaded = await self._agent.reload()
        except LLMError as error:
            self._log.say("ReloadRefused", level=ERROR, message=str(error))
        else:
            self._log.say("Reloaded", **reloaded.to_dict())
        notify.say("READY=1")

    # --- the end ----------------------------------------------------------------------------------

    def _stdio_ended(self, ending: Ending) -> None:
        """The owner has left: everybody goes."""
        at_once = ending.why in ("exit", "gone")
        self.status = 1 if at_once else 0
        self._stdio_over.set()
        if not self._drain.is_asked:
            self._log.say("Ending", why=ending.why)
        assert self._agent is not None
        self._drain.ask(0.0 if at_once else ipc_policy(self._agent.config).drain_s)

    async def _until_all_have_left(self) -> None:
        """Wait for every connection to come to its end; each has a bound of its own, and this is the outer one."""
        with trio.move_on_after(max(0.0, self._drain.deadline - trio.current_time()) + SPARE_S):
            await self._stdio_over.wait()
            if self._listening is not None:
                await self._listening.wait_none()

    def _end_now(self, name: str, status: int) -> NoReturn:
        """End on the spot: the ledger survives it, and guards end the model servers."""
        self._log.say("Ending", why=f"{name}, the second signal", level=WARNING)
        if self._listening is not None:
            self._listening.unlink()
        self._log.close()
        os._exit(status)
