"""Own what one conversation holds: its system turns and its exchanges, as immutable data with their sizes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from manus.messages.content import Citation, Opaque, Text, Turn, text_of
from manus.messages.conversations import Exchange

NO_JSON: Final = "hold a vendor's payload that is no JSON. Give it as it came, or leave it out."

_RAW = (Opaque, Citation)
"""The parts that carry JSON of a vendor's making."""

_turns = msgspec.json.Decoder(tuple[Turn, ...])


class History(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation. Every method gives another one; this one never changes.

    Args:
        system: its system turns.
        exchanges: what was said, oldest first, and `sizes` how much each of them holds, in bytes of JSON.
        system_bytes: the same of the system turns.
        first: the number of the oldest exchange, which is how many were forgotten before it.
        created_unix_s, used_unix_s: when it was begun, and when it last changed.
    """

    system: tuple[Turn, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    sizes: tuple[int, ...] = ()
    system_bytes: int = 0
    first: int = 0
    created_unix_s: float = 0.0
    used_unix_s: float = 0.0

    @property
    def size_bytes(self) -> int:
        """All that it holds."""
        return self.system_bytes + sum(self.sizes)

    @property
    def next_number(self) -> int:
        """The number of the exchange to come."""
        return self.first + len(self.exchanges)

    def spoken(self, system: tuple[Turn, ...]) -> History:
        """Replace the system turns."""
        if system == self.system:
            return self
        return msgspec.structs.replace(self, system=system, system_bytes=bytes_of(system))

    def extended(self, exchange: Exchange, size_bytes: int) -> History:
        """Add an exchange."""
        return msgspec.structs.replace(
            self,
            exchanges=(*self.exchanges, exchange),
            sizes=(*self.sizes, size_bytes),
            used_unix_s=exchange.at_unix_s,
        )

    def shortened(self, system: tuple[Turn, ...]) -> History:
        """Take the latest exchange back, and the system turns with it."""
        shorter = msgspec.structs.replace(self, exchanges=self.exchanges[:-1], sizes=self.sizes[:-1])
        return shorter.spoken(system)

    def forgetting(self, count: int) -> History:
        """Forget the oldest `count` exchanges but for the system turns in them."""
        if not count:
            return self
        shorter = msgspec.structs.replace(
            self, exchanges=self.exchanges[count:], sizes=self.sizes[count:], first=self.first + count
        )
        return shorter.spoken((*self.system, *system_turns_of(self.exchanges[:count])))


def opened(system: tuple[Turn, ...], now_unix_s: float) -> History:
    """Begin a conversation."""
    return History(system=system, system_bytes=bytes_of(system), created_unix_s=now_unix_s, used_unix_s=now_unix_s)


def prompt_of(history: History, dropped: int, asked: Sequence[Turn]) -> tuple[Turn, ...]:
    """Give the turns that are sent: all of the history but its oldest `dropped` exchanges, then what is asked.

    System turns are never dropped: those that stood within a dropped exchange come right after the others.
    """
    kept = [turn for exchange in history.exchanges[dropped:] for turn in exchange.turns]
    return (*history.system, *system_turns_of(history.exchanges[:dropped]), *kept, *asked)


def system_turns_of(exchanges: Sequence[Exchange]) -> tuple[Turn, ...]:
    """List the system turns that stand within exchanges."""
    return tuple(turn for exchange in exchanges for turn in exchange.asked if turn.role == "system")


def parted(turns: Sequence[Turn]) -> tuple[tuple[Turn, ...], tuple[Turn, ...]]:
    """Part what is asked into the system turns that come first, and the rest."""
    count = 0
    while count < len(turns) and turns[count].role == "system":
        count += 1
    return tuple(turns[:count]), tuple(turns[count:])


def problem_of_turns(turns: Sequence[Turn]) -> str | None:
    """Say why turns could not be kept and read again; None where they can.

    A caller's own payloads of a vendor are copied as they stand, and would make a file unreadable if they were no JSON.
    """
    try:
        body = msgspec.json.encode(turns)
        carries = any(turn.vendor is not None or any(isinstance(part, _RAW) for part in turn.parts) for turn in turns)
        if carries and _turns.decode(body) != tuple(turns):
            return NO_JSON
    except UnicodeEncodeError:
        return "hold a lone surrogate, which is no text. Replace it."
    except (msgspec.MsgspecError, RecursionError):
        return NO_JSON
    return None


def sound(turn: Turn) -> Turn:
    """Give an answer as it can be kept: all but what could not be read again, which vendors send when they err."""
    if problem_of_turns((turn,)) is None:
        return turn
    parts = tuple(part for part in turn.parts if not isinstance(part, _RAW))
    bare = Turn(role=turn.role, parts=parts, name=turn.name)
    if problem_of_turns((bare,)) is None:
        return bare
    text = text_of(turn.parts).encode("utf-8", "replace").decode()
    return Turn(role=turn.role, parts=(Text(text=text),))


def bytes_of(turns: Sequence[Turn]) -> int:
    """Tell how much turns hold, in bytes of JSON; nothing holds nothing."""
    return len(msgspec.json.encode(turns)) if turns else 0
