"""What cannot be waited for has a thread, which loses nothing when the task that waits for it is cancelled."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest
import trio
import trio.testing

from manus.ipc import descriptors
from manus.ipc.descriptors import PipeSink, PipeSource, SocketPipe, has_no_reader, open_sink, open_source
from manus.ipc.log_lines import LINES_MAX, LogLines
from manus.ipc.pipes import Sink, Source
from manus.ipc.waiting_threads import ThreadedSink, ThreadedSource

BIG = bytes(range(256)) * 4096


async def send_all(sink: Sink, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[await sink.send_some(rest) :]
    await sink.flush()


async def receive_all(source: Source, into: bytearray) -> None:
    while piece := await source.receive():
        into += piece


@pytest.mark.parametrize("kind", ["pipe", "socket", "foreign pipe"])
async def test_a_megabyte_goes_through_unchanged(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    if kind == "socket":
        os.close(reading)
        os.close(writing)
        reading, writing = (each.detach() for each in socket.socketpair())
    if kind == "foreign pipe":
        monkeypatch.setattr(descriptors, "_own_description", lambda fd, mode, access: None)
    source, sink = open_source(reading), open_sink(writing)
    expected = {"pipe": PipeSource, "socket": SocketPipe, "foreign pipe": ThreadedSource}
    assert type(source) is expected[kind]
    came = bytearray()

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive_all, source, came)
            await send_all(sink, BIG)
            sink.close()
    source.close()

    assert came == BIG


async def test_a_cancelled_wait_leaves_what_comes_for_the_next_one() -> None:
    reading, writing = os.pipe()
    source = ThreadedSource(reading)
    with trio.fail_after(30):
        with trio.move_on_after(0.01):
            await source.receive()
        os.write(writing, b"kept")
        assert await source.receive() == b"kept"
        os.close(writing)
        assert await source.receive() == b""
    source.close()


async def test_a_piece_that_was_taken_is_written_though_nobody_waits() -> None:
    reading, writing = os.pipe()
    sink = ThreadedSink(writing)
    with trio.fail_after(30):
        count = await sink.send_some(memoryview(BIG))
        with trio.move_on_after(0.01) as impatient:
            await sink.send_some(memoryview(b"more"))
        assert impatient.cancelled_caught, "the pipe holds less than a megabyte"
        came = bytearray()
        while len(came) < count:
            came += await trio.to_thread.run_sync(os.read, reading, 65_536)
        await sink.flush()
    sink.close()
    os.close(reading)

    assert came == BIG


@pytest.mark.parametrize("threaded", [False, True])
async def test_a_reader_that_left_breaks_the_sink(threaded: bool) -> None:
    reading, writing = os.pipe()
    sink: Sink = ThreadedSink(writing) if threaded else open_sink(writing)
    assert not sink.is_broken()
    os.close(reading)
    with trio.fail_after(30), pytest.raises(BrokenPipeError):
        await send_all(sink, b"x")
    assert sink.is_broken()
    sink.close()


async def test_a_half_closed_socket_still_has_a_reader() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.shutdown(socket.SHUT_WR)
        assert not has_no_reader(ours.fileno())
        theirs.close()
        assert has_no_reader(ours.fileno())


async def test_files_are_read_to_their_end(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(BIG)
    source = open_source(os.open(tmp_path / "in", os.O_RDONLY))
    came = bytearray()
    with trio.fail_after(30):
        await receive_all(source, came)
    source.close()

    assert came == BIG


async def test_what_cannot_be_read_is_an_error_and_no_end(tmp_path: Path) -> None:
    source = open_source(os.open(tmp_path, os.O_RDONLY))
    with trio.fail_after(30), pytest.raises(IsADirectoryError):
        await source.receive()
    source.close()


async def test_the_pipes_own_descriptions_are_closed() -> None:
    reading, writing = os.pipe()
    sink = open_sink(writing)
    assert isinstance(sink, PipeSink)
    sink.close()

    assert os.read(reading, 1) == b"", "somebody still holds the writing end"
    os.close(reading)


# --- stderr ----------------------------------------------------------


def test_a_host_that_never_reads_stderr_holds_up_nobody() -> None:
    reading, writing = os.pipe()
    log = LogLines(writing, "info")
    for number in range(5 * LINES_MAX):
        log.say("Told", number=number, text="x" * 200)
    dropped = log._dropped
    os.set_blocking(reading, False)
    came = b""
    while b'"event": "Last"' not in came:
        log.say("Last")
        try:
            came += os.read(reading, 65_536)
        except BlockingIOError:
            time.sleep(0.001)
    log.close()
    os.close(writing)
    os.close(reading)

    told = [json.loads(line) for line in came.splitlines() if line.endswith(b"}")]
    assert dropped > 0
    assert sum(each.get("dropped_before", 0) for each in told) >= dropped


def test_lines_below_the_level_are_left_out() -> None:
    reading, writing = os.pipe()
    log = LogLines(writing, "warning")
    log.say("Quiet")
    log.say("Loud", level=30, text="x" * 100_000, nothing=None)
    log.close()
    os.close(writing)
    came = os.read(reading, 65_536)
    os.close(reading)

    (line,) = came.splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"]) == ("Loud", "warning")
    assert len(told["text"]) == 4096
    assert "nothing" not in told
