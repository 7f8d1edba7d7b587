"""Own how a running agent comes by another configuration: whole or not at all, and with nothing in flight dropped.

A reload goes in this order. The new configuration is read and checked, and compared with what is in force; what an
agent cannot change while it runs is refused. The actors of entries that differ are started under ids of their own
(`provider/openai@2`) while the former ones work on. Then accounting, conversations and, last, the router switch, each
in one synchronous step, and keep what they were told in their durable cells: a crash afterwards brings nothing back.
Only then do the former actors leave, each once no attempt keeps to it any more. Until the router has switched
everything can be undone, and is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import trio

from manus.actors.accounting import ACCOUNTING
from manus.actors.lanes import LaneAsked, LaneFree
from manus.actors.local.server import LocalServer
from manus.actors.provider import provider_child
from manus.actors.redaction import Redaction
from manus.actors.router_desk import Reconfigure, table_of
from manus.actors.upstream import ProviderCounters, ProviderSpec
from manus.config.load import Loaded, Source
from manus.configuration_changes import Changes, changes_between, needs_restart
from manus.errors import ConfigurationError, ReloadError
from manus.in_force import InForce
from manus.messages.calls import ProviderStatus, StatusAsked
from manus.messages.conversations import ConversationsReconfigured
from manus.messages.limits import AdmissionChanged
from manus.messages.watching import ConfigurationReloaded
from manus.preparing import Preparation
from manus.supervisor.exits import open_bare_nursery
from manus.supervisor.reasons import describe
from manus.supervisor.shield import bounded_shield
from manus.supervisor.terminals import ActorFailed, Expired, Unavailable, Undelivered, Withdrawn
from manus.supervisor.tree import Tree
from manus.wiring import Wiring, router_spec, secrets_of

START_S: Final = 10.0
"""How long a new actor may take until it answers: one restart or two fit in."""

START_PAUSE_S: Final = 0.1
"""How long to wait before one that has crashed is asked again."""

SWITCH_S: Final = 5.0
"""How long an actor may take to switch, which takes no time unless it is being restarted."""

WAITING_MAX: Final = 16
"""Reloads that may wait for each other. Each reads what is there when its turn comes, so more would not do more."""

FORMER_MAX: Final = 64
"""Former actors that may wait for their calls to end; each holds sockets, and calls may take as long as they like."""

SERVER_S: Final = 5.0
"""How long a model server on this machine may take to end; it is asked politely first, then killed."""

LANE_S: Final = 3600.0
"""How long a former actor's calls are waited for before it is asked once more whether they are over."""

LANE_PAUSE_S: Final = 1.0
"""How long to wait before that where the router could not say."""


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a reload has changed.

    Args:
        origin: where the configuration came from.
        changed: entries of providers that have another actor now; those that `added` and `removed` name likewise.
        unchanged: entries whose actors were not touched.
        settings: what else has changed: tables (`limits`), or keys of `[general]`.
        notes: what the configuration wants said aloud.
        reloads: how many there have been, with this one.
    """

    origin: str
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    reloads: int = 0

    def to_dict(self) -> dict[str, Any]:  # Any: plain data, as JSON has it
        """Give it as plain data."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


class _Asked:
    """One reload that was asked for, whoever still waits for it."""

    __slots__ = ("done", "error", "reloaded", "source")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.done = trio.Event()
        self.reloaded: Reloaded | None = None
        self.error: Exception = ReloadError("The agent closes; what is configured stays as it is until it has.")


class Reloader:
    """Carries reloads out, one after another, for as long as the agent is open.

    Args:
        tree: the agent's.
        in_force: what is configured; set anew at the end of each reload.
        source: what the agent was opened with, and what is read again where a reload names nothing.
        preparation: as `open_agent` itself prepares a configuration.
        redaction: learns the secrets of a new configuration before anything is done with them.
        servers: the model servers on this machine that are to be ended with the agent.
    """

    def __init__(
        self,
        tree: Tree,
        in_force: InForce,
        *,
        source: Source,
        preparation: Preparation,
        redaction: Redaction,
        servers: list[LocalServer],
        nursery: trio.Nursery,
    ) -> None:
        self._tree = tree
        self._in_force = in_force
        self._source = source
        self._preparation = preparation
        self._redaction = redaction
        self._servers = servers
        self._nursery = nursery
        self._waiting: deque[_Asked] = deque()
        self._working = False
        self._former = 0

    async def reload(self, source: Source = None) -> Reloaded:
        """Put another configuration in force, or what the agent was opened with, read again.

        Cancelled, the reload goes on without its caller.

        Raises:
            ConfigurationError: the configuration is wrong, or needs a restart; nothing has changed.
            ReloadError: an actor did not start or switch, or the agent closes; nothing has changed.
        """
        if self._in_force.closing or len(self._waiting) >= WAITING_MAX:
            why = "The agent closes" if self._in_force.closing else f"{WAITING_MAX} reloads wait already"
            raise ReloadError(f"{why}; nothing is reloaded.")
        asked = _Asked(source)
        self._waiting.append(asked)
        if not self._working:
            self._working = True
            self._nursery.start_soon(self._work, name="reload")
        await asked.done.wait()
        if asked.reloaded is None:
            raise asked.error
        return asked.reloaded

    async def _work(self) -> None:
        """Carry out all that wait. What goes wrong with one is its caller's to hear, and never ends the agent."""
        try:
            while self._waiting:
                asked = self._waiting[0]
                try:
                    asked.reloaded = await self._reload(asked.source)
                except Exception as error:
                    asked.error = error
                finally:
                    self._waiting.popleft().done.set()
        finally:
            self._working = False
            while self._waiting:
                self._waiting.popleft().done.set()

    # --- one reload -----------------------------------------------------------------------------------

    async def _reload(self, source: Source) -> Reloaded:
        if self._former >= FORMER_MAX:
            raise ReloadError(f"{self._former} actors of former reloads still have calls in hand; try again later.")
        source = self._source if source is None else source
        loaded, wiring = self._preparation.prepared(source)
        former, former_wiring = self._in_force.loaded, self._in_force.wiring
        fixed = needs_restart(former_wiring, wiring)
        if fixed:
            raise ConfigurationError(f"needs a restart: {', '.join(fixed)}; nothing was changed")
        changes = changes_between(former, former_wiring, loaded, wiring)
        wiring = self._merged(wiring, changes)
        switch = self._switch_to(wiring, changes)
        self._redaction.learn(secret.reveal() for secret in secrets_of(loaded.config))
        new = (*changes.changed, *changes.added)
        switched = False
        try:
            await self._start(wiring, new)
            await self._switch(wiring, switch)
            switched = True
        finally:
            if not switched:
                self._take_back(wiring, new)
        return self._in_effect(source, loaded, wiring, changes)

    def _merged(self, wiring: Wiring, changes: Changes) -> Wiring:
        """Keep what an unchanged entry's actor was handed, and give the others actors of other names."""
        former = self._in_force.wiring
        known = {spec.name: spec for spec in former.providers}
        actors = {name: former.actor_of(name) for name in changes.unchanged}
        taken = {each.id for each in self._tree.status()} | set(actors.values())
        for name in (*changes.changed, *changes.added):
            number = 1
            while (actor := f"provider/{name}" if number == 1 else f"provider/{name}@{number}") in taken:
                number += 1
            actors[name] = actor
            taken.add(actor)
        return msgspec.structs.replace(
            wiring,
            providers=tuple(
                known[spec.name] if spec.name in changes.unchanged else _with_server_of(known.get(spec.name), spec)
                for spec in wiring.providers
            ),
            actors=actors,
        )

    def _switch_to(self, wiring: Wiring, changes: Changes) -> Reconfigure:
        spec = router_spec(wiring)
        try:
            table_of(spec)
        except ValueError as error:
            raise ConfigurationError(f"nobody could be asked by this configuration: {error}") from None
        return Reconfigure(spec=spec, proven=changes.proven, replaced=changes.replaced)

    async def _start(self, wiring: Wiring, names: tuple[str, ...]) -> None:
        """Start the new actors, and wait until every one of them answers."""
        specs = {spec.name: spec for spec in wiring.providers}
        for name in names:
            counters = self._in_force.counters.setdefault(name, ProviderCounters())
            self._tree.add("providers", provider_child(specs[name], actor=wiring.actor_of(name), counters=counters))
        silent: list[str] = []
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            for name in names:
                nursery.start_soon(self._wait_for, wiring.actor_of(name), silent)
        if silent:
            raise ReloadError(
                f"{'; '.join(sorted(silent))}. What was configured before is in force, and nothing has changed."
            )

    async def _wait_for(self, actor: str, silent: list[str]) -> None:
        ref, deadline = self._tree.ref(actor), trio.current_time() + START_S
        while trio.current_time() < deadline:
            if isinstance(await ref.ask(StatusAsked(), deadline=deadline), ProviderStatus):
                return
            await trio.sleep(START_PAUSE_S)  # it crashed with the question in hand, and comes back
        exits = [each.last_exit for each in self._tree.status() if each.id == actor]
        why = "" if not exits or exits[0] is None else f" ({describe(exits[0])})"
        silent.append(f"The actor {actor} did not start within {START_S:g} s{why}")

    async def _switch(self, wiring: Wiring, switch: Reconfigure) -> None:
        """Have accounting, conversations and the router switch, in this order; undo it where one of them cannot.

        A call that is admitted meanwhile is so by the new limits, under the old table: it can exceed neither.
        """
        former = self._in_force.wiring
        switches: tuple[tuple[str, object, object], ...] = (
            (ACCOUNTING, _admission(wiring), _admission(former)),
            ("conversations", _conversations(wiring), _conversations(former)),
            ("router", switch, None),
        )
        done: list[tuple[str, object]] = []
        for actor, message, undo in switches:
            refused = await self._told(actor, message)
            if refused is not None:
                stuck = [switched for switched, back in reversed(done) if await self._told(switched, back) is not None]
                kept = f", but {' and '.join(stuck)} could not switch back" if stuck else ", and nothing has changed"
                raise ReloadError(f"{refused}. What was configured before is in force{kept}.")
            done.append((actor, undo))

    async def _told(self, actor: str, message: object) -> str | None:
        """Have an actor switch; says why it did not."""
        answer = await self._tree.ref(actor).ask(message, deadline=trio.current_time() + SWITCH_S)
        if not isinstance(answer, ActorFailed | Undelivered | Unavailable | Expired | Withdrawn):
            return None
        return f"{actor} could not switch to another configuration ({type(answer).__name__.lower()})"

    def _take_back(self, wiring: Wiring, names: tuple[str, ...]) -> None:
        """Have actors leave that were started in vain; nobody has called them."""
        for name in names:
            if name not in {spec.name for spec in self._in_force.wiring.providers}:
                self._in_force.counters.pop(name, None)
            self._nursery.start_soon(self._remove, wiring.actor_of(name))

    # --- afterwards -----------------------------------------------------------------------------------

    def _in_effect(self, source: Source, loaded: Loaded, wiring: Wiring, changes: Changes) -> Reloaded:
        """Put it in force for everybody else, and let the former actors go. Synchronous."""
        former = self._in_force.wiring
        self._source = source
        self._servers += [server for server in wiring.servers if server not in self._servers]
        self._in_force.replace(loaded, wiring)
        for name in changes.removed:
            del self._in_force.counters[name]
        self._preparation.say(loaded, wiring, self._tree.bus)
        kept = set(wiring.servers)
        specs = {spec.name: spec for spec in former.providers}
        for name in (*changes.changed, *changes.removed):
            server = specs[name].server
            leaves = server if isinstance(server, LocalServer) and server not in kept else None
            self._former += 1
            self._nursery.start_soon(self._retire, former.actor_of(name), leaves)
        reloaded = Reloaded(
            origin=loaded.origin,
            changed=changes.changed,
            added=changes.added,
            removed=changes.removed,
            unchanged=changes.unchanged,
            settings=changes.settings,
            notes=loaded.notes,
            reloads=self._in_force.reloads,
        )
        self._tree.bus.emit(
            ConfigurationReloaded(
                at=trio.current_time(),
                origin=loaded.origin,
                changed=changes.changed,
                added=changes.added,
                removed=changes.removed,
                settings=changes.settings,
            )
        )
        return reloaded

    async def _retire(self, actor: str, server: LocalServer | None) -> None:
        """Wait until nobody keeps to a former actor, and have it leave, with the model server that was its own."""
        router = self._tree.ref("router")
        while True:
            answer = await router.ask(LaneAsked(actor=actor), deadline=trio.current_time() + LANE_S)
            if isinstance(answer, LaneFree | Undelivered):
                break
            await trio.sleep(LANE_PAUSE_S)
        await self._remove(actor)
        self._former -= 1
        if server is not None:
            with bounded_shield(SERVER_S):
                await server.aclose()
            self._servers.remove(server)

    async def _remove(self, actor: str) -> None:
        if any(each.id == actor for each in self._tree.status()):
            await self._tree.remove(actor)


@asynccontextmanager
async def open_reloader(
    tree: Tree,
    in_force: InForce,
    *,
    source: Source,
    preparation: Preparation,
    redaction: Redaction,
    servers: list[LocalServer],
) -> AsyncIterator[Reloader]:
    """Give a reloader that works until the block ends; then nothing is reloaded any more, and the tree can stop."""
    async with open_bare_nursery() as nursery:
        reloader = Reloader(
            tree,
            in_force,
            source=source,
            preparation=preparation,
            redaction=redaction,
            servers=servers,
            nursery=nursery,
        )
        try:
            yield reloader
        finally:
            in_force.closing = True
            nursery.cancel_scope.cancel(reason="the agent closes")


def _with_server_of(former: ProviderSpec | None, spec: ProviderSpec) -> ProviderSpec:
    """Keep a model server that is run as it was: what changed of its entry does not concern it."""
    if former is None or not isinstance(former.server, LocalServer) or not isinstance(spec.server, LocalServer):
        return spec
    if former.server.policy != spec.server.policy:
        return spec
    return msgspec.structs.replace(spec, server=former.server)


def _admission(wiring: Wiring) -> AdmissionChanged:
    return AdmissionChanged(policy=wiring.admission, confirm_s=wiring.ledger.confirm_s)


def _conversations(wiring: Wiring) -> ConversationsReconfigured:
    return ConversationsReconfigured(policy=wiring.conversations)
