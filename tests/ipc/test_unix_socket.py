"""The socket's file: this user's alone, never stolen from a live server, and never somebody else's file."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from manus.errors import ConfigurationError
from manus.ipc.unix_socket import BoundSocket, bind, peer_of


def dead_socket(path: Path) -> None:
    """Leave what a server that was killed leaves."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_the_file_is_for_this_user_alone(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        bound = bind(tmp_path / "s")
    finally:
        os.umask(before)
    try:
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    finally:
        bound.close()
    assert not (tmp_path / "s").exists()


def test_it_has_its_mode_before_anybody_can_connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    listen = socket.socket.listen

    def note(listener: socket.socket, backlog: int = 0) -> None:
        modes.extend(stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir())
        listen(listener, backlog)

    monkeypatch.setattr(socket.socket, "listen", note)
    bind(tmp_path / "s").close()

    assert modes == [0o600]


@pytest.mark.parametrize("name", ["s", "manus.sock", "s~", "~"])
def test_whoever_sees_the_file_can_connect(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[bool] = []
    listen = socket.socket.listen

    def note(listener: socket.socket, backlog: int = 0) -> None:
        there.append((tmp_path / name).exists())
        listen(listener, backlog)

    monkeypatch.setattr(socket.socket, "listen", note)
    bound = bind(tmp_path / name)

    assert there == [False]
    assert [each.name for each in tmp_path.iterdir()] == [name]
    bound.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_server_left_that_was_killed_while_it_began_is_no_obstacle(tmp_path: Path) -> None:
    dead_socket(tmp_path / "manus.soc~")

    bind(tmp_path / "manus.sock").close()

    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_server_left_is_replaced(tmp_path: Path) -> None:
    dead_socket(tmp_path / "s")

    bound = bind(tmp_path / "s")

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "s"))
    bound.close()


def test_a_live_servers_socket_is_never_stolen(tmp_path: Path) -> None:
    bound = bind(tmp_path / "s")
    try:
        with pytest.raises(ConfigurationError, match="in use by a running server"):
            bind(tmp_path / "s")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "s"))
    finally:
        bound.close()


def test_of_many_that_find_a_dead_one_exactly_one_gets_it(tmp_path: Path) -> None:
    dead_socket(tmp_path / "s")
    start = threading.Barrier(8)
    won: list[BoundSocket] = []
    lost: list[str] = []

    def try_to() -> None:
        start.wait()
        try:
            won.append(bind(tmp_path / "s"))
        except ConfigurationError as error:
            lost.append(str(error))

    threads = [threading.Thread(target=try_to) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1
    assert len(lost) == 7
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "s"))
    won[0].close()


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_is_no_socket_is_not_touched(kind: str, tmp_path: Path) -> None:
    path, kept = tmp_path / "s", tmp_path / "kept"
    kept.write_text("precious")
    if kind == "file":
        path.write_text("precious")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(kept)

    with pytest.raises(ConfigurationError, match="is no socket"):
        bind(path)

    assert path.lstat()
    assert kept.read_text() == "precious"


def test_places_where_it_cannot_be_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no directory"):
        bind(tmp_path / "nowhere" / "s")
    with pytest.raises(ConfigurationError, match="longer than 107 bytes"):
        bind(tmp_path / ("s" * 120))


def test_only_our_own_file_is_removed_at_the_end(tmp_path: Path) -> None:
    bound = bind(tmp_path / "s")
    (tmp_path / "s").unlink()
    (tmp_path / "s").write_text("somebody else's")

    bound.close()

    assert (tmp_path / "s").read_text() == "somebody else's"


def test_the_kernel_says_who_connected() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        peer = peer_of(ours)

    assert peer is not None
    assert (peer.pid, peer.uid) == (os.getpid(), os.geteuid())
