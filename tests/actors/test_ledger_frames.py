"""Whatever byte a dying process got to, what was whole is read, the torn rest is dropped, and damage is told apart."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.credentials import FINGERPRINT_CHARS
from manus.actors.ledger.frames import FRAME_BYTES_MAX, HEAD_BYTES, frame, scan
from manus.actors.ledger.records import (
    ENDING_BYTES_MAX,
    REQUEST_ID_BYTES_MAX,
    TEXT_BYTES_MAX,
    VERSION_BYTES_MAX,
    AnyRecord,
    AttemptDispatched,
    AttemptDoubted,
    AttemptSettled,
    decode,
    encode,
)
from manus.actors.ledger.schema import COUNTS
from manus.messages.ids import RequestId
from manus.messages.usage import Usage
from tests.actors.books import dispatched, doubted, released, reserved, settled

RECORDS: list[AnyRecord] = [reserved(), dispatched(), settled(), released("r2"), doubted("r3")]
SIZE = 4096


def segment_of(payloads: list[bytes]) -> bytes:
    return b"".join(frame(payload) for payload in payloads).ljust(SIZE, b"\0")


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_survives_its_bytes(record: AnyRecord) -> None:
    assert decode(encode(record)) == record


def test_every_whole_record_is_read_and_the_end_is_clean() -> None:
    payloads = [encode(record) for record in RECORDS]
    assert scan(segment_of(payloads)) == (payloads, "clean")
    assert scan(bytes(SIZE)) == ([], "clean")
    assert scan(b"") == ([], "clean")


@pytest.mark.parametrize("last", range(len(RECORDS)), ids=lambda index: type(RECORDS[index]).__name__)
def test_a_record_torn_at_any_byte_is_dropped_and_the_others_are_read(last: int) -> None:
    payloads = [encode(record) for record in RECORDS[: last + 1]]
    written = b"".join(frame(payload) for payload in payloads)
    start = len(written) - HEAD_BYTES - len(payloads[-1])
    for torn_at in range(start, len(written)):
        found = scan(written[:torn_at].ljust(SIZE, b"\0"))
        # A frame whose last bytes are zeros is whole although they were never written.
        whole = written[:torn_at].ljust(len(written), b"\0") == written
        assert found.payloads == (payloads if whole else payloads[:-1]), torn_at
        assert found.tail in ("clean", "torn")


def test_what_a_failed_write_left_behind_the_last_record_is_not_damage() -> None:
    whole = [encode(reserved()), encode(dispatched())]
    long_failed = frame(encode(reserved("other", tags=("x" * 500,))))
    written = frame(whole[0]) + frame(whole[1])
    remains = long_failed[len(frame(whole[1])) :]
    assert scan((written + remains).ljust(SIZE, b"\0")) == (whole, "torn")


@given(at=st.integers(0, 2000), bit=st.integers(0, 7))
@settings(max_examples=200)
def test_a_flipped_bit_never_changes_a_record_unnoticed(at: int, bit: int) -> None:
    payloads = [encode(record) for record in RECORDS]
    segment = bytearray(segment_of(payloads))
    segment[at] ^= 1 << bit
    found = scan(bytes(segment))
    assert found.payloads == payloads[: len(found.payloads)]
    assert found.payloads == payloads or found.tail != "clean"


def test_more_than_one_record_of_nonsense_is_damage() -> None:
    long = encode(reserved(tags=("x" * (FRAME_BYTES_MAX // 2),)))
    segment = bytearray(b"".join(frame(long) for _ in range(4)).ljust(8 * FRAME_BYTES_MAX, b"\0"))
    segment[len(frame(long)) + 20] ^= 1
    assert scan(bytes(segment)) == ([long], "damaged")


def test_the_room_kept_for_an_ending_holds_the_longest_one() -> None:
    counts: dict[str, Any] = dict.fromkeys(COUNTS, 10**9)
    longest = RequestId("é" * (REQUEST_ID_BYTES_MAX // 2))
    usage = Usage(**counts, source="estimated")
    text = "x" * TEXT_BYTES_MAX
    step: dict[str, Any] = {"request_id": longest, "attempt": 2**31, "at_unix_s": 1e9}
    dispatch = frame(encode(AttemptDispatched(**step, key_fingerprint="f" * FINGERPRINT_CHARS)))
    version = "x" * VERSION_BYTES_MAX
    settled = AttemptSettled(**step, usage=usage, cost_nano_usd=2**62, finish=text, price_version=version)
    settle = frame(encode(settled))
    doubt = frame(encode(AttemptDoubted(**step, usage=usage, cost_nano_usd=2**62, reason=text)))
    assert len(dispatch) + max(len(settle), len(doubt)) <= ENDING_BYTES_MAX
