"""Own stderr while we serve: one JSON object per event, from a thread: a host that never reads it stops nothing.

What does not fit is dropped, and counted in the next line that does.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import time
from logging import DEBUG, INFO, WARNING, getLevelName
from threading import Thread
from typing import Any, Final, final

import msgspec

from manus.event_log import level_of
from manus.ipc.events import HostConnected, HostLeft

LINES_MAX: Final = 1024
"""Lines that may wait for a host which does not read stderr."""

LAST_S: Final = 0.5
"""How long the last lines may take to be written when we end."""

TEXT_CHARS_MAX: Final = 4096
"""So much of each text of an event is written."""

LEVELS: Final = {"debug": DEBUG, "info": INFO, "warning": WARNING}


@final
class LogLines:
    """Lines of JSON on a descriptor. `say` may be called from any thread, and never waits."""

    def __init__(self, fd: int, level: str) -> None:
        self._fd = fd
        self._level = LEVELS[level]
        self._lines: queue.Queue[bytes | None] = queue.Queue(LINES_MAX)
        self._dropped = 0
        self._thread = Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def say(self, event: str, *, level: int = INFO, **facts: object) -> None:
        """Write one event by its name and facts."""
        if level < self._level:
            return
        told: dict[str, object] = {"at": round(time.time(), 3), "level": getLevelName(level).lower(), "event": event}
        told |= {name: _plain(value) for name, value in facts.items() if value is not None}
        if self._dropped:
            told["dropped_before"], self._dropped = self._dropped, 0
        line = json.dumps(told, ensure_ascii=False, default=str) + "\n"
        try:
            self._lines.put_nowait(line.encode("utf-8", "replace"))
        except queue.Full:
            self._dropped += 1

    def event(self, event: object) -> None:
        """Write an event of the bus."""
        facts: dict[str, Any] = {}  # Any: events' own types
        if isinstance(event, msgspec.Struct):
            facts = {name: getattr(event, name) for name in event.__struct_fields__ if name not in ("at", "level")}
        level = INFO if isinstance(event, HostConnected | HostLeft) else level_of(event)
        self.say(type(event).__name__, level=level, **facts)

    def close(self) -> None:
        """Write what waits, for a moment at most."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=LAST_S)
        self._thread.join(LAST_S)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            rest = memoryview(line)
            try:
                while rest:
                    rest = rest[os.write(self._fd, rest) :]
            except OSError:
                return  # nobody is there to be told that nobody is there


def _plain(value: object) -> object:
    plain = msgspec.to_builtins(value, enc_hook=str, str_keys=True)
    return plain[:TEXT_CHARS_MAX] if isinstance(plain, str) else plain
