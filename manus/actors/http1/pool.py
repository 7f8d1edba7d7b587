"""Own which connections to one origin exist, who may use the idle ones, and who waits for one.

Idle connections are a stack: the one used last is the least likely to have been closed meanwhile. Each
connection, also one still being opened, holds one of `connections_max` slots.
"""

from __future__ import annotations

from collections import deque

import httpx
import trio

from manus.actors.http1.connection import Connection


class _Turn:
    """A place in the line for a slot; `connection` comes with it where the slot has an open one."""

    __slots__ = ("come", "connection", "given")

    def __init__(self) -> None:
        self.come = trio.Event()
        self.given = False
        self.connection: Connection | None = None


class ConnectionPool:
    """The connections of one transport.

    Args:
        connections_max: slots.
        keepalive_s: idle connections older than that are closed, not used.
    """

    __slots__ = ("_closed", "_connections", "_connections_max", "_idle", "_keepalive_s", "_slots_taken", "_turns")

    def __init__(self, connections_max: int, keepalive_s: float) -> None:
        self._connections_max = connections_max
        self._keepalive_s = keepalive_s
        self._closed = False
        self._slots_taken = 0
        self._idle: list[Connection] = []
        self._connections: set[Connection] = set()
        self._turns: deque[_Turn] = deque()

    @property
    def slots_taken(self) -> int:
        """Count the connections that are open or being opened, idle ones included."""
        return self._slots_taken

    @property
    def idle(self) -> int:
        """Count the idle connections."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """Count those who wait for a slot."""
        return len(self._turns)

    def take_idle(self) -> Connection | None:
        """Take a usable idle connection with its slot; stale ones are closed on the way."""
        idle = self._idle
        if not idle:
            return None
        oldest_kept = trio.current_time() - self._keepalive_s
        while idle and idle[0].idle_since < oldest_kept:
            # The bottom of the stack may never be reached: the old ones are closed from there.
            self.drop(idle.pop(0))
        while idle:
            connection = idle.pop()
            if not connection.is_stale():
                return connection
            self.drop(connection)
        return None

    def take_slot(self) -> bool:
        """Take a slot for a connection to be opened; False where there is none."""
        self._check_open()
        if self._slots_taken >= self._connections_max:
            return False
        self._slots_taken += 1
        return True

    async def wait_for_slot(self) -> Connection | None:
        """Wait in line for a slot; with it may come a connection that was just let go.

        Cancelled, it gives back what it got. The caller bounds the wait.
        """
        turn = _Turn()
        self._turns.append(turn)
        taken = False
        try:
            await turn.come.wait()
            self._check_open()
            taken = True
        finally:
            if not taken:
                self._leave_line(turn)
        connection = turn.connection
        if connection is not None and connection.is_stale():
            self.forget(connection)
            return None
        return connection

    def opened(self, connection: Connection) -> None:
        """Note a connection that was opened in a slot taken before."""
        self._connections.add(connection)

    def release(self, connection: Connection) -> None:
        """Take back a connection that can serve again."""
        if self._closed:
            self.drop(connection)
        elif self._turns:
            self._give(connection)
        else:
            connection.idle_since = trio.current_time()
            self._idle.append(connection)

    def drop(self, connection: Connection) -> None:
        """Close a connection and free its slot."""
        self.forget(connection)
        self.free_slot()

    def forget(self, connection: Connection) -> None:
        """Close a connection whose slot the caller keeps."""
        self._connections.discard(connection)
        connection.close()

    def free_slot(self) -> None:
        """Give a slot to whoever is first in line, or back."""
        if self._turns:
            self._give(None)
        else:
            self._slots_taken -= 1

    def close(self) -> None:
        """Close every connection, also those in use: their users get an error. Those in line get one too."""
        self._closed = True
        self._idle, idle = [], self._idle
        for connection in idle:
            self.drop(connection)
        for connection in list(self._connections):
            connection.close()
        while self._turns:
            self._turns.popleft().come.set()

    def _give(self, connection: Connection | None) -> None:
        turn = self._turns.popleft()
        turn.given = True
        turn.connection = connection
        turn.come.set()

    def _leave_line(self, turn: _Turn) -> None:
        if not turn.given:
            if turn in self._turns:
                self._turns.remove(turn)
        elif turn.connection is None:
            self.free_slot()
        else:
            self.release(turn.connection)

    def _check_open(self) -> None:
        if self._closed:
            raise httpx.ConnectError("the transport has been closed")
