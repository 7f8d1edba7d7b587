"""Own what is done with each line at once: greeting, refusals, cancel, credit, pause; and what becomes a request.

Synchronous throughout: this is the path on which cancel and ping get through whatever else goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, final

import msgspec
import trio

from manus.ipc.calls import Calls
from manus.ipc.dialects.reading import read
from manus.ipc.events import NotificationIgnored
from manus.ipc.protocol import (
    METHODS,
    NOTIFICATIONS,
    SUPPORTED,
    BadParams,
    InvalidFrame,
    UnknownMethod,
    initialize_result,
    key_of,
    params_of,
)
from manus.ipc.protocol import params as p
from manus.ipc.refusals import (
    AlreadyInitialized,
    DuplicateId,
    NotInitialized,
    Overloaded,
    Refusal,
    Stopping,
    UnsupportedVersion,
)
from manus.ipc.session import Session, Why
from manus.ipc.voice import Asked, Malformed, Told
from manus.messages.policy import Durability

RETRY_AFTER_S: Final = 1.0
"""What a host with too many requests in flight is told: any of them may end by then."""

SHUTDOWNS_MAX: Final = 16
"""So many requests for an end are kept for its last words; one more is told that it comes."""

METHOD_CHARS_SHOWN: Final = 64

_WITHOUT_GREETING: Final = frozenset({"initialize", "ping"})


@final
class Desk:
    """Where the lines of one connection arrive.

    Args:
        session: the connection's state.
        calls: who works on requests.
        name: the connection's, for events.
        engine: whether the Atomic Engine's envelope is spoken here.
        durability: what the agent's books survive.
        end: ends the connection: why, and within how many seconds.
        emit: publishes an event.
    """

    def __init__(
        self,
        session: Session,
        calls: Calls,
        *,
        name: str,
        engine: bool,
        durability: Durability,
        end: Callable[[Why, float], None],
        emit: Callable[[msgspec.Struct], None],
    ) -> None:
        self._session = session
        self._calls = calls
        self._name = name
        self._engine = engine
        self._durability = durability
        self._end = end
        self._emit = emit
        self._complained: set[str] = set()

    def take(self, line: bytes) -> None:
        """Act on one line. What is wrong with it is said to the host."""
        match read(line, engine=self._engine):
            case Malformed(reply=reply):
                self._session.outbox.reply(reply)
            case Told() as told:
                self._told(told)
            case Asked() as asked:
                try:
                    reply_now = self._asked(asked)
                except (Refusal, BadParams, UnknownMethod, InvalidFrame) as refusal:
                    reply_now = asked.voice.failure(refusal)
                except Exception as defect:
                    # Told before it is counted: the line was taken, and nobody else knows of it.
                    self._answer(asked, asked.voice.failure(defect))
                    self._calls.count_defect(asked.method, defect)
                    return
                if reply_now is not None:
                    self._answer(asked, reply_now)
            case None:
                pass

    # --- requests ---------------------------------------------------------------------------------

    def _answer(self, asked: Asked, reply: bytes) -> None:
        """Answer at once; what is answered in its turn waits for it."""
        if asked.ordered and self._session.line_is_open:
            self._calls.hold(self._session.open(asked), reply)
        else:
            self._session.outbox.reply(reply)

    def _asked(self, asked: Asked) -> bytes | None:
        """Answer at once, or take the request in and give None.

        Raises:
            Refusal, BadParams, UnknownMethod, InvalidFrame: why it is neither.
        """
        if asked.refused is not None:
            raise asked.refused
        session, method = self._session, asked.method
        if asked.key is not None and session.in_flight(asked.key):
            raise DuplicateId(asked.key[1] if isinstance(asked.key, tuple) else asked.key)
        if asked.voice.needs_greeting and not session.greeted and method not in _WITHOUT_GREETING:
            raise NotInitialized
        params = params_of(method, asked.params)
        match params:
            case p.InitializeParams():
                return asked.voice.result(self._greeted(params))
            case p.PingParams():
                return asked.voice.result({} if params.echo is None else {"echo": params.echo})
            case p.AboutRequest():
                return asked.voice.result({"known": self._about(method, params)})
            case p.ShutdownParams() if len(session.shutdowns) < SHUTDOWNS_MAX:
                drain_s = session.policy.drain_s
                self._end("shutdown", drain_s if params.deadline_ms is None else params.deadline_ms / 1000)
                session.shutdowns[object() if asked.key is None else asked.key] = asked.voice
                return None
        if session.ending is not None:
            raise Stopping
        if len(session.calls) >= session.policy.in_flight_max:
            message = f"{session.policy.in_flight_max} requests are in flight on this connection (ipc.in_flight_max)"
            raise Overloaded(message, retry_after_s=RETRY_AFTER_S)
        self._calls.begin(session.open(asked), params)
        return None

    def _greeted(self, params: p.InitializeParams) -> object:
        session = self._session
        if session.greeted:
            raise AlreadyInitialized
        if params.protocolVersion not in SUPPORTED:
            raise UnsupportedVersion(params.protocolVersion, SUPPORTED)
        session.greeted = True
        session.window = params.window or session.window
        return initialize_result(
            window=session.window,
            window_max=p.WINDOW_MAX,
            frame_bytes_max=session.policy.frame_bytes_max,
            in_flight_max=session.policy.in_flight_max,
            engine=self._engine,
            durability=self._durability,
        )

    # --- notifications ----------------------------------------------------------------------------

    def _told(self, told: Told) -> None:
        if not self._session.greeted and told.method != "exit":
            return
        try:
            params = params_of(told.method, told.params)
        except (BadParams, UnknownMethod) as error:
            self._complain(told.method, str(error))
            return
        match params:
            case p.AboutRequest():
                if not self._about(told.method, params) and told.method == "$/credit":
                    self._complain(told.method, "no stream of this id is in flight")
            case _ if told.method == "exit":
                self._end("exit", 0.0)
            case _:
                self._complain(told.method, "it is no notification: give it an id")

    def _about(self, method: str, params: p.AboutRequest) -> bool:
        """Act on what is said about a request in flight; False where there is none, or none that streams."""
        key: Hashable = key_of(params.id)
        call = self._session.calls.get(key)
        if call is None:
            return False
        if method == "$/cancelRequest":
            call.scope.cancel(reason="the host cancelled")
            return True
        flow = call.flow
        if flow is None:
            return False
        now = trio.current_time()
        if isinstance(params, p.CreditParams):
            flow.grant(params.n, now)
        elif method == "$/pause":
            flow.pause()
        else:
            flow.resume(now)
        self._session.outbox.flow_moves(flow)
        return True

    def _complain(self, method: str, reason: str) -> None:
        """Say on stderr what no reply can say; once for each method that there is, and once for all others."""
        known = method if method in NOTIFICATIONS or method in METHODS else ""
        if known not in self._complained:
            self._complained.add(known)
            method = method[:METHOD_CHARS_SHOWN]
            self._emit(NotificationIgnored(connection=self._name, method=method, reason=reason))
