"""The file of conversations: what is read back, and what is refused at the start and left as it is."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manus.actors.conversations import file
from manus.actors.conversations.file import ConversationsUnusable, open_file, read_all, write
from manus.actors.conversations.history import History
from manus.actors.conversations.opening import open_conversations
from manus.actors.conversations.shelf import Shelf
from manus.actors.conversations.store import Change, ConversationKept, ConversationRemoved, ConversationStore
from manus.actors.conversations.writer import SqliteStore
from manus.actors.redaction import redactor
from manus.messages.content import (
    Audio,
    Citation,
    Document,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    VendorTurn,
    text_turn,
)
from manus.messages.conversations import ConversationPolicy, Exchange

EVERYTHING = Exchange(
    asked=(
        Turn(role="tool", parts=(ToolResult(id="1", name="f", content=(Text(text="42"),), is_error=True),)),
        Turn(
            role="user",
            parts=(
                Text(text='naïve \u2028 🌍 "quoted" \\ \x01', cache="long"),
                Image(data=b"\x00\xff", media_type="image/png", detail="high"),
                Document(text="body", name="n"),
                Audio(data=b"RIFF"),
            ),
            name="me",
        ),
    ),
    answer=Turn(
        role="assistant",
        parts=(
            Reasoning(text="hm", signature="sig+/=", encrypted="e", id="r", provider="anthropic", model="m"),
            Text(text=""),
            ToolCall(id="2", name="g", arguments='{"x": [1,  2]', valid=False),
            Refusal(text="no"),
            Citation(title="t", raw=msgspec.Raw(b'{"a":  1.50}')),
            Opaque(provider="p", kind="k", raw=msgspec.Raw(b"[null]")),
        ),
        vendor=VendorTurn(provider="w", model="m", raw=msgspec.Raw(b'{"any":  [1,  2.0e1]}')),
    ),
    at_unix_s=1.5,
    request_id="req-1",
    provider="p",
    model="m",
)


def no_secrets(text: str) -> str:
    return text


def kept(name: str, number: int, exchange: Exchange | None = EVERYTHING, **fields: object) -> ConversationKept:
    change = ConversationKept(
        conversation_id=name,
        system=(text_turn("system", "Be brief."),),
        created_unix_s=1.0,
        used_unix_s=float(number),
        first=0,
        next_number=number + 1,
        exchange=None if exchange is None else msgspec.json.encode(exchange),
    )
    return msgspec.structs.replace(change, **fields)


def written(path: Path, *changes: Change, redact: Callable[[str], str] = no_secrets) -> None:
    connection = open_file(path, busy_s=1.0)
    write(connection, list(changes), redact)
    connection.close()


def read(path: Path) -> dict[str, History]:
    connection = open_file(path, busy_s=1.0)
    try:
        return read_all(connection, path)
    finally:
        connection.close()


def test_everything_that_a_turn_can_hold_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "c.sqlite"
    written(path, kept("a", 0), kept("a", 1))
    history = read(path)["a"]
    assert history.exchanges == (EVERYTHING, EVERYTHING)
    vendor = history.exchanges[0].answer.vendor
    assert vendor is not None
    assert bytes(vendor.raw) == b'{"any":  [1,  2.0e1]}'
    assert history.sizes == (len(msgspec.json.encode(EVERYTHING)),) * 2
    assert history.system == (text_turn("system", "Be brief."),)
    assert (history.created_unix_s, history.used_unix_s) == (1.0, 1.0)


def test_conversations_come_back_in_the_order_of_their_use(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    written(
        path,
        *(kept(name, 0, used_unix_s=used) for name, used in (("new", 9.0), ("old", 1.0), ("middle", 5.0))),
        kept("empty", -1, None, used_unix_s=7.0),
    )
    assert list(read(path)) == ["old", "middle", "empty", "new"]


def test_what_was_removed_or_forgotten_is_gone_from_the_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    said = [
        Exchange(asked=(text_turn("user", f"canary-{number}"),), answer=text_turn("assistant", ""))
        for number in range(4)
    ]
    written(path, *(kept("a", number, exchange) for number, exchange in enumerate(said)), kept("b", 0, said[0]))
    written(path, kept("a", 3, None, first=2), ConversationRemoved(conversation_id="b"))
    assert read(path)["a"].exchanges == tuple(said[2:])
    assert read(path)["a"].first == 2
    content = path.read_bytes()
    assert b"canary-0" not in content
    assert b"canary-3" in content


def test_an_exchange_that_was_taken_back_is_replaced_by_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    other = msgspec.structs.replace(EVERYTHING, model="other")
    written(path, kept("a", 0), kept("a", 1), kept("a", 0, None), kept("a", 1, other))
    assert read(path)["a"].exchanges == (EVERYTHING, other)


def test_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "c.sqlite"
    written(path, kept("a", 0))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_configured_secret_is_struck_out_of_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    secret = "sk-canary-0123456789abcdef"
    said = Exchange(
        asked=(text_turn("user", f'My key is "{secret}".'),),
        answer=Turn(
            role="assistant",
            parts=(ToolCall(id="1", name="f", arguments=f'{{"key": "{secret}"}}'),),
            vendor=VendorTurn(provider="w", model="m", raw=msgspec.Raw(f'{{"{secret}": ["{secret}"]}}'.encode())),
        ),
    )
    system = (text_turn("system", f"Use {secret}"),)
    written(path, kept("a", 0, said, system=system), kept("b", 0), redact=redactor([secret]))
    for each in tmp_path.iterdir():
        assert secret.encode() not in each.read_bytes()
        assert b"sk-canary" not in each.read_bytes()
    history = read(path)
    assert history["a"].exchanges[0].asked == (text_turn("user", 'My key is "[secret]".'),)
    assert history["b"].exchanges == (EVERYTHING,), "what holds none is kept to the byte"


# --- refusals -------------------------------------------------------------------------------------------------


def refused(path: Path, words: str) -> None:
    """Opening fails with these words, names the file, and changes nothing."""
    before = path.read_bytes()
    with pytest.raises(ConversationsUnusable, match=words) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"Dear diary, this is no database at all." * 100)
    refused(path, "damaged.*move it aside")


def test_a_ledger_is_refused(tmp_path: Path) -> None:
    from manus.actors.ledger import file as ledger

    path = tmp_path / "ledger.sqlite"
    ledger.open_file(path, durability="process", busy_s=1.0).close()
    refused(path, "another kind.*conversations.path")


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    written(path, kept("a", 0))
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    refused(path, "version 99.*update the program")


def test_a_damaged_page_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    written(path, *(kept("a", number) for number in range(40)))
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    refused(path, "damaged")


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE exchanges SET body = '{}' WHERE number = 1",
        "UPDATE exchanges SET body = 'no JSON' WHERE number = 1",
        "DELETE FROM exchanges WHERE number = 1",
        "UPDATE conversations SET first = 1",
        "UPDATE conversations SET system = x'ff'",
        "DELETE FROM conversations",
    ],
)
def test_rows_that_make_no_sense_are_refused(harm: str, tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    written(path, *(kept("a", number) for number in range(3)))
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(harm)
    connection.close()
    with pytest.raises(ConversationsUnusable, match=r"damaged.*move it aside"):
        read(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM exchanges").fetchone()[0] >= 2, "nothing was thrown away"
    connection.close()


HOLDER = """
    import sys, sqlite3
    from pathlib import Path
    from manus.actors.conversations.file import open_file
    connection = open_file(Path(sys.argv[1]), busy_s=1.0)
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_file_that_another_process_has_is_refused_until_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    written(path, kept("a", 0))
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ConversationsUnusable, match=r"held by another process.*conversations.path"):
            open_file(path, busy_s=0.05)
        holder.kill()
    assert list(read(path)) == ["a"]


def test_a_place_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConversationsUnusable, match="writable place"):
        open_file(tmp_path / "file" / "c.sqlite", busy_s=0.1)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversationsUnusable, match="writable place"):
        open_file(tmp_path, busy_s=0.1)


def test_versions_are_only_ever_appended_to() -> None:
    """A file that a released version wrote must open for good: change nothing above, add another version."""
    assert [len(version) for version in file.VERSIONS] == [2]


# --- the thread -----------------------------------------------------------------------------------------------


async def flushed(store: ConversationStore, number: int) -> bool:
    """Wait until the disk has said something of a change."""
    pending = store.kept(number)
    if pending is None:
        return True
    said = trio.Event()
    pending.then(lambda _: said.set())
    with trio.fail_after(20):
        await said.wait()
    return pending.value


async def test_what_is_confirmed_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    policy = ConversationPolicy(path=str(tmp_path / "c.sqlite"))
    async with open_conversations(policy, redact=no_secrets) as store:
        shelf = Shelf(policy, store, now_unix_s=lambda: 5.0)
        for _ in range(300):
            number = shelf.append("a", EVERYTHING, ())
        assert not shelf.on_disk("a") or store.confirmed == 300
        assert await flushed(store, number)
        assert shelf.on_disk("a")
        shelf.append("b", EVERYTHING, (text_turn("system", "s"),))
        histories = {name: shelf.get(name) for name in "ab"}
    async with open_conversations(policy, redact=no_secrets) as store:
        again = Shelf(policy, store, now_unix_s=lambda: 5.0)
        assert {name: again.get(name) for name in "ab"} == histories
        assert again.size_bytes == shelf.size_bytes
        assert again.on_disk("a")


async def test_what_the_disk_refuses_is_kept_and_tried_until_it_takes_it(tmp_path: Path) -> None:
    policy = ConversationPolicy(path=str(tmp_path / "c.sqlite"), retry_s=0.02)
    async with open_conversations(policy, redact=no_secrets) as store:
        assert isinstance(store, SqliteStore)
        connection = store._connection
        connection.execute("PRAGMA query_only = ON")
        first = store.put(kept("a", 0))
        assert not await flushed(store, first)
        assert "c.sqlite" in str(store.trouble)
        assert store.backlog == 1
        second = store.put(kept("a", 1))
        connection.execute("PRAGMA query_only = OFF")
        while not await flushed(store, second):
            assert store.backlog
        assert (store.trouble, store.backlog) == (None, 0)
    assert len(read(tmp_path / "c.sqlite")["a"].exchanges) == 2


async def test_a_disk_that_never_takes_it_does_not_hold_the_end(tmp_path: Path) -> None:
    policy = ConversationPolicy(path=str(tmp_path / "c.sqlite"), retry_s=0.02, close_s=5.0)
    async with open_conversations(policy, redact=no_secrets) as store:
        assert isinstance(store, SqliteStore)
        store._connection.execute("PRAGMA query_only = ON")
        assert not await flushed(store, store.put(kept("a", 0)))
        assert not store.close()


CHANGES = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["say", "take back", "forget", "remove"])), max_size=12
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(CHANGES, st.integers(1, 5))
def test_any_changes_in_any_batches_are_read_back(tmp_path: Path, steps: list[tuple[str, str]], batch: int) -> None:
    path = tmp_path / f"{os.urandom(8).hex()}.sqlite"
    naive: dict[str, tuple[int, list[str]]] = {}
    changes: list[Change] = []
    for number, (name, step) in enumerate(steps):
        first, said = naive.get(name, (0, []))
        exchange = None
        if step == "remove":
            naive.pop(name, None)
            changes.append(ConversationRemoved(conversation_id=name))
            continue
        if step == "say":
            said = [*said, f"x{number}"]
            exchange = msgspec.structs.replace(EVERYTHING, request_id=f"x{number}")
        elif step == "take back":
            said = said[:-1]
        elif said:
            first, said = first + 1, said[1:]
        naive[name] = (first, said)
        changes.append(kept(name, first + len(said) - 1, exchange, first=first))
    connection = open_file(path, busy_s=1.0)
    for start in range(0, len(changes), batch):
        write(connection, changes[start : start + batch], no_secrets)
    found = read_all(connection, path)
    connection.close()
    told = {
        name: (history.first, [exchange.request_id for exchange in history.exchanges])
        for name, history in found.items()
    }
    assert told == naive
