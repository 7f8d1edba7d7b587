"""Own the list of bad manners: what a hostile host does to a server, and what it must get for it.

What they assert is what the host itself may expect; whoever stands beside it is looked at elsewhere.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.conformance.vendors import STALLED, TEXT, Vendors
from tests.ipc.hostile.raw import RawHost, line, raw_host


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """Where a host behaves badly: the server's socket, the providers behind it, and a name for its own prompts."""

    path: Path
    vendors: Vendors
    name: str


Behaviour = Callable[[Scene], None]

ONLY_FIRST: Final[dict[str, Any]] = {"provider": "first", "fallback_providers": []}
LEFT: Final[dict[str, Any]] = {**ONLY_FIRST, "tags": ["left"]}
STREAMS: Final = 50
FLOOD: Final = 20_000


def never_reads(scene: Scene) -> None:
    """It asks for more than any buffer holds, and reads nothing; nothing of it goes on for ever."""
    with raw_host(scene.path) as host:
        for number in range(STREAMS):
            host.ask(number, "stream", prompt=f"endless {scene.name}", **LEFT)
        scene.vendors.wait_until_left(f"endless {scene.name}", STREAMS)
        ended = Counter(_end(message) for message in _replies(host, STREAMS))
    assert ended == {"slow_consumer": STREAMS}, ended


def reads_and_writes_byte_by_byte(scene: Scene) -> None:
    """Every byte by itself, in both directions, and the answer is the same."""
    with raw_host(scene.path) as host:
        request = {"jsonrpc": "2.0", "id": 1, "method": "generate", "params": {"prompt": "plain please"}}
        for byte in line(request):
            host.write(bytes([byte]))
        heard = bytearray()
        while not heard.endswith(b"\n"):
            heard += host.socket.recv(1)
        host._left = bytes(heard)
        assert host.reply(1)["result"]["content"] == TEXT


def sends_garbage(scene: Scene) -> None:
    """Noise of every kind, and after each piece of it a ping, which is answered; each bad line is answered once."""
    rng = random.Random(f"garbage/{scene.name}")
    with raw_host(scene.path) as host:
        for number, (junk, answers) in enumerate(garbage(rng)):
            host.write(junk + b"\n")
            host.ask(number, "ping")
            said = 0
            for message in host.messages():
                if message.get("id") == number:
                    assert message["result"] == {}
                    break
                assert message["id"] is None
                assert message["error"]["code"] in (-32700, -32600), message
                said += 1
            assert said == answers, (junk[:200], said)


def garbage(rng: random.Random) -> list[tuple[bytes, int]]:
    """Give lines without their ends, and how many complaints each is worth."""
    noise = [(bytes(rng.choice(_NOT_A_LINE_END) for _ in range(rng.randrange(1, 400))), 1) for _ in range(60)]
    return [
        (b"\xff\xfe\xfd", 1),
        (b"{", 1),
        (b"[]", 1),
        (b"[1,2,3]", 1),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 1),
        (b"null", 1),
        (b"42", 1),
        (b'"ping"', 1),
        (b"{}", 1),
        (b'{"jsonrpc":"2.0"}', 1),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', 1),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', 1),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', 1),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', 1),
        (b'{"jsonrpc":"2.0","id":[1],"method":"ping"}', 1),
        (b'{"jsonrpc":"2.0","id":"x","method":7}', 1),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, 1),
        (b"[" * 100_000, 1),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"echo":"\xed\xa0\x80"}}', 1),
        (b"\0" * 64, 1),
        (b"", 0),
        (b"   \t ", 0),
        (b"\r", 0),
        *noise,
    ]


_NOT_A_LINE_END: Final = bytes(byte for byte in range(256) if byte not in b"\n\r\t \x0b\x0c")


def closes_half(scene: Scene) -> None:
    """It closes its end with requests in flight: every one is answered, and then comes the end."""
    with raw_host(scene.path) as host:
        for number in range(8):
            host.ask(number, "generate" if number % 2 else "stream", prompt=f"question {number}", **ONLY_FIRST)
        host.half_close()
        replies = {message["id"]: message for message in host.messages() if "method" not in message}
    assert sorted(replies) == list(range(8))
    assert all(reply["result"]["content"].endswith(f"question {number}") for number, reply in replies.items())


def vanishes(scene: Scene) -> None:
    """It is gone with streams in flight, and with replies that nobody will read."""
    host = RawHost(scene.path)
    host.greet()
    for number in range(8):
        host.ask(number, "stream", prompt=f"stall {scene.name}", **LEFT)
    for message in host.messages():
        if message.get("method") == "stream.event":
            break
    host.vanish()


def dies_within_a_line(scene: Scene) -> None:
    """It dies in the middle of a request, of which nothing is done."""
    host = RawHost(scene.path)
    host.greet()
    request = line({"jsonrpc": "2.0", "id": 1, "method": "generate", "params": {"prompt": f"half {scene.name}"}})
    host.write(request[:-1])
    host.vanish()


def floods_with_pings(scene: Scene) -> None:
    """It sends pings without reading, for as long as they are taken; each that went is answered once, in the end."""
    ping = line({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"echo": "x" * 4_000}})
    with raw_host(scene.path) as host:
        gone = host.write_while_it_goes(ping * (FLOOD // 2))
        whole, rest = divmod(gone, len(ping))
        assert whole < FLOOD // 2, "nobody stopped it"
        host.half_close()
        replies = [message for message in host.messages() if message["id"] == 1]
    assert len(replies) == whole, (len(replies), whole, rest)


def floods_with_notifications(scene: Scene) -> None:
    """Credits, cancels, pauses and unheard-of things without number: nothing comes of it, and nothing is said."""
    told: list[dict[str, Any]] = [
        {"method": "$/credit", "params": {"id": 7, "n": 2**40}},
        {"method": "$/credit", "params": {"id": "nobody", "n": 1}},
        {"method": "$/credit", "params": {"id": 7, "n": -1}},
        {"method": "$/cancelRequest", "params": {"id": 7}},
        {"method": "$/cancelRequest", "params": {}},
        {"method": "$/pause", "params": {"id": 7}},
        {"method": "$/resume", "params": {"id": 7}},
        {"method": "generate", "params": {"prompt": f"nobody asked {scene.name}"}},
        {"method": "no.such.thing"},
    ]
    block = b"".join(line({"jsonrpc": "2.0", **each}) for each in told)
    with raw_host(scene.path) as host:
        host.write(block * (FLOOD // len(told)))
        host.ask(1, "ping")
        assert next(host.messages()) == {"jsonrpc": "2.0", "id": 1, "result": {}}


def floods_with_requests(scene: Scene) -> None:
    """It asks for more at once than it may: each request has one answer, which is an answer or `overloaded`."""
    with raw_host(scene.path) as host:
        asked = (
            line({"jsonrpc": "2.0", "id": n, "method": "generate", "params": {"prompt": "plain please", **ONLY_FIRST}})
            for n in range(1_000)
        )
        host.write(b"".join(asked))
        replies = _replies(host, 1_000)
    assert sorted(message["id"] for message in replies) == list(range(1_000))
    ended = Counter(_end(message) for message in replies)
    assert ended.keys() <= {"stop", "overloaded"}, ended
    assert ended["stop"] > 0


def cancels_everything(scene: Scene) -> None:
    """It takes back all that it asked for, in the same breath and later: each request has one end."""
    with raw_host(scene.path) as host:
        for number in range(STREAMS):
            host.ask(number, "stream", prompt=f"stall {scene.name}", **LEFT)
            if number % 2:
                host.tell("$/cancelRequest", id=number)
        for number in reversed(range(STREAMS)):
            host.tell("$/cancelRequest", id=number)
        replies = _replies(host, STREAMS)
    assert sorted(message["id"] for message in replies) == list(range(STREAMS))
    assert {_end(message) for message in replies} == {"cancelled"}
    assert all(STALLED.startswith(message["result"]["content"]) for message in replies if "result" in message)


def sends_a_line_too_long(scene: Scene) -> None:
    """A line beyond the bound is refused as soon as it is, skipped to its end, and the next one is read."""
    with raw_host(scene.path) as host:
        for _ in range(48):
            host.write(b"x" * 65_536)
        host.write(b"\n")
        host.ask(1, "ping")
        first, second = next(host.messages()), host.reply(1)
    assert (first["id"], first["error"]["code"]) == (None, -32700)
    assert first["error"]["data"]["kind"] == "frame_too_large"
    assert second["result"] == {}


def says_nothing(scene: Scene) -> None:
    """It connects and leaves, a hundred times."""
    for _ in range(100):
        RawHost(scene.path).socket.close()


BEHAVIOURS: Final[tuple[Behaviour, ...]] = (
    never_reads,
    reads_and_writes_byte_by_byte,
    sends_garbage,
    closes_half,
    vanishes,
    dies_within_a_line,
    floods_with_pings,
    floods_with_notifications,
    floods_with_requests,
    cancels_everything,
    sends_a_line_too_long,
    says_nothing,
)


def _replies(host: RawHost, count: int) -> list[dict[str, Any]]:  # Any: JSON
    """Read so many replies, and whatever else comes."""
    found: list[dict[str, Any]] = []
    for message in host.messages():
        if "method" not in message:
            found.append(message)
            if len(found) == count:
                return found
    raise AssertionError(f"{len(found)} replies came, not {count}")


def _end(message: dict[str, Any]) -> object:  # Any: JSON
    return message["result"]["finish_reason"] if "result" in message else message["error"]["data"]["kind"]
