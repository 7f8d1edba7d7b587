"""No body makes a decoder raise, hang, talk after its end, pass on half a character, or hold more than its bounds.

Every wire starts from answers that hold all that its vendor can put in one (`tests/fuzz/seeds.py`), and each of them
is spoilt in every place. Recorded answers join in the long lane.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.assembly import Assembly
from manus.actors.codecs import CODECS, codec_for
from manus.messages.content import ToolCall
from manus.messages.policy import Bounds
from tests.fuzz.framing import Item, body_of, event, form_of, items_of
from tests.fuzz.mutations import pieces_of, repeated, scrambled, with_other_events, with_other_values
from tests.fuzz.promises import BROKEN_TEXT, RETAINED_BYTES_MAX, SMALL, decoded, decoder_of, retained_bytes
from tests.fuzz.seeds import TEXT, Seed, all_seeds, recorded_seeds, seeds

SEEDS = all_seeds()
STREAMS = [seed for seed in SEEDS if seed.stream]
WHOLE = [seed for seed in STREAMS if seed.name.endswith(":whole")]
SPOKEN = [seed for seed in SEEDS if TEXT.encode() in seed.body]
TIMES = 3000
MEGABYTE = 1024 * 1024


def _named(seed: Seed) -> str:
    return seed.name


def _same(seed: Seed, *ways: Iterator[bytes] | list[bytes], bounds: Bounds | None = None) -> None:
    first, *others = [decoded(seed.wire, way, stream=seed.stream, bounds=bounds)[0] for way in ways]
    for other in others:
        assert other == first


def _bytes_of(body: bytes) -> list[bytes]:
    return [body[place : place + 1] for place in range(len(body))]


@pytest.mark.parametrize("wire", sorted(CODECS))
def test_every_wire_has_seeds_that_say_what_was_written(wire: str) -> None:
    for seed in seeds(wire):
        _, assembly = decoded(wire, [seed.body], stream=seed.stream)
        if seed.name.endswith((":whole", ":document")):
            assert assembly.failure is None
            assert TEXT in assembly.text_so_far
            assert "Think" in assembly.reasoning_so_far
            calls = [part for part in assembly.answer().parts if isinstance(part, ToolCall)]
            assert json.loads(calls[0].arguments) == {"a": 1}
            assert (assembly.usage.input_total, assembly.usage.output) in {(30, 20), (37, 20)}


@pytest.mark.parametrize("seed", SEEDS, ids=_named)
def test_every_cut_in_two_gives_the_same_events(seed: Seed) -> None:
    _same(seed, [seed.body], _bytes_of(seed.body))
    whole = decoded(seed.wire, [seed.body], stream=seed.stream)[0]
    step = max(1, len(seed.body) // 700)
    for place in range(0, len(seed.body), step):
        assert decoded(seed.wire, [seed.body[:place], seed.body[place:]], stream=seed.stream)[0] == whole


@pytest.mark.parametrize("seed", SEEDS, ids=_named)
def test_other_values_in_every_place_keep_the_promises(seed: Seed) -> None:
    for where, body in with_other_values(seed.body, per_place=3):
        try:
            decoded(seed.wire, [body], stream=seed.stream)
        except Exception as error:
            raise AssertionError(where) from error


@pytest.mark.parametrize("seed", STREAMS, ids=_named)
def test_events_lost_doubled_and_out_of_order_keep_the_promises(seed: Seed) -> None:
    for where, body in with_other_events(seed.body):
        try:
            _same(seed, [body], [body[:1], body[1:]])
        except Exception as error:
            raise AssertionError(where) from error


@pytest.mark.parametrize("seed", WHOLE, ids=_named)
def test_a_stream_that_is_cut_short_is_never_a_success(seed: Seed) -> None:
    whole = decoded(seed.wire, [seed.body], stream=True)[1]
    last = len(items_of(seed.body)) - 1
    for place in range(len(body_of(form_of(seed.body), items_of(seed.body)[: last - 1]))):
        _, assembly = decoded(seed.wire, [seed.body[:place]], stream=True)
        assert assembly.failure is not None or _is_believed(assembly), place
        assert whole.text_so_far.startswith(assembly.text_so_far.removesuffix(BROKEN_TEXT)), place


def _is_believed(assembly: Assembly) -> bool:
    """Whether a finish reason and a clean end of body are enough for this wire, and both were there."""
    assert assembly.ended is not None
    assert assembly.finish is not None
    return assembly.ended.evidence == "finish_reason" and assembly.finish.raw is not None


@given(seed=st.sampled_from(SEEDS), other=st.sampled_from(SEEDS), number=st.integers(0, 2**32), small=st.booleans())
@settings(max_examples=200)
def test_scrambled_bytes_in_any_pieces_give_the_same_orderly_events(
    seed: Seed, other: Seed, number: int, small: bool
) -> None:
    _scramble(seed, other.body, number, small=small)


@pytest.mark.long
@pytest.mark.parametrize("shift", range(20))
def test_many_more_scrambled_bytes_keep_the_promises(shift: int) -> None:
    for seed in (*SEEDS, *recorded_seeds(bytes_max=6000)):
        for number in range(10):
            _scramble(seed, SEEDS[number % len(SEEDS)].body, shift * 1000 + number, small=bool(number % 2))


def _scramble(seed: Seed, other: bytes, number: int, *, small: bool) -> None:
    rng = random.Random(number)
    body = scrambled(seed.body, other, rng)
    _same(seed, [body], pieces_of(body, rng), bounds=SMALL if small else None)
    codec = codec_for(seed.wire)
    failure = codec.failure(rng.choice((400, 401, 404, 429, 500, 529)), {}, body, now_unix_s=1e9)
    json.loads(msgspec.json.encode(failure))
    assert all(name.encode() is not None for name in codec.decode_models(body))


@pytest.mark.long
def test_other_values_in_every_place_of_recorded_answers_keep_the_promises() -> None:
    for seed in recorded_seeds(bytes_max=2500):
        for where, body in with_other_values(seed.body, per_place=2):
            try:
                decoded(seed.wire, [body], stream=seed.stream)
            except Exception as error:
                raise AssertionError(f"{seed.name}, {where}") from error


# --- what is held ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fresh", [True, False], ids=["counting", "alike"])
@pytest.mark.parametrize("seed", WHOLE, ids=_named)
def test_no_event_repeated_for_ever_makes_a_decoder_hold_more_than_its_bounds(seed: Seed, fresh: bool) -> None:
    for number in range(len(items_of(seed.body))):
        body = body_of(form_of(seed.body), repeated(seed.body, number, TIMES, fresh=fresh))
        decoder = decoder_of(seed.wire, stream=True, bounds=SMALL)
        assembly = Assembly(seed.wire, "m", SMALL)
        empty = retained_bytes(decoder, assembly)
        for place in range(0, len(body), 4096):
            assembly.add(decoder.feed(body[place : place + 4096]))
        held = retained_bytes(decoder, assembly) - empty
        assert held <= RETAINED_BYTES_MAX, f"event {number}: {held} bytes are held after {len(body)}"


@pytest.mark.parametrize("wire", sorted(CODECS))
@pytest.mark.parametrize("unit", [b"data: a\n", b"x", b"\x00", b'{"a":', b"event: x\n", b"\n", b": c\n", b"[", b"\r"])
def test_no_bytes_without_an_end_make_a_decoder_hold_more_than_its_bounds(wire: str, unit: bytes) -> None:
    for stream in (True, False):
        decoder = decoder_of(wire, stream=stream, bounds=SMALL)
        empty = retained_bytes(decoder)
        for _ in range(300):
            decoder.feed(unit * 100)
        assert retained_bytes(decoder) - empty <= RETAINED_BYTES_MAX


# --- what is long ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", WHOLE, ids=_named)
def test_a_text_of_a_megabyte_comes_through_in_small_pieces(seed: Seed) -> None:
    long = "水" * (MEGABYTE // 3)
    spoken = [Item(each.name, each.payload.replace(TEXT.encode(), long.encode())) for each in items_of(seed.body)]
    body = body_of(form_of(seed.body), spoken)
    pieces = (body[place : place + 16] for place in range(0, len(body), 16))

    _, assembly = decoded(seed.wire, pieces, stream=True)

    assert long in assembly.text_so_far


# --- characters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SPOKEN, ids=_named)
def test_lone_surrogates_are_replaced_and_never_passed_on(seed: Seed) -> None:
    for half in ("\\ud83d", "\\ude00", "\\ude00\\ud83d", "a\\ud83d"):
        body = _with_text(seed.body, half)
        events, assembly = decoded(seed.wire, [body], stream=seed.stream)
        assert not any("\ud800" <= character <= "\udfff" for character in repr(events))
        assert assembly.text_so_far.encode()


@pytest.mark.parametrize("seed", [each for each in WHOLE if form_of(each.body) != "frames"], ids=_named)
def test_a_character_whose_halves_come_in_two_events_is_joined(seed: Seed) -> None:
    form, items = form_of(seed.body), items_of(seed.body)
    doubled = []
    for item in items:
        if TEXT.encode() in item.payload and _is_delta(item):
            doubled.append(item._replace(payload=item.payload.replace(TEXT.encode(), b"a\\ud83d")))
            doubled.append(item._replace(payload=item.payload.replace(TEXT.encode(), b"\\ude00b")))
        else:
            doubled.append(item)
    _, assembly = decoded(seed.wire, [body_of(form, doubled)], stream=True)

    assert "a\U0001f600b" in assembly.text_so_far


def _is_delta(item: Item) -> bool:
    return b"delta" in item.payload or b'"done":false' in item.payload


def _with_text(body: bytes, text: str) -> bytes:
    form = form_of(body)
    return body_of(
        form, [each._replace(payload=each.payload.replace(TEXT.encode(), text.encode())) for each in items_of(body)]
    )


# --- framing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [each for each in WHOLE if form_of(each.body) == "sse"], ids=_named)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_every_way_to_write_an_event_stream_is_read_alike(seed: Seed, end: bytes) -> None:
    plain = _said(seed, [seed.body])
    items = items_of(seed.body)
    noisy = b"".join(
        b"id: 7\nretry: 10\nunknown: x\nunknown\n" + event(item) + b"event: lost\n\ndata\n\n" for item in items
    )
    spaced = b"\xef\xbb\xbf\n\n" + seed.body.replace(b"data: ", b"data:").replace(b"event: ", b"event:")
    for body in (seed.body, b"\xef\xbb\xbf" + seed.body, noisy, spaced, _pretty(items), seed.body.rstrip(b"\n")):
        written = body.replace(b"\n", end)
        assert _said(seed, [written]) == plain
        assert _said(seed, _bytes_of(written)) == plain


def _said(seed: Seed, pieces: list[bytes]) -> list[dict[str, object]]:
    """Give the events as JSON, for what is kept unread keeps the blanks that it came with; without keep-alives."""
    events: list[dict[str, object]] = json.loads(msgspec.json.encode(decoded(seed.wire, pieces, stream=True)[0]))
    return [each for each in events if each["event"] != "ping"]


def _pretty(items: list[Item]) -> bytes:
    """Write each event's JSON over many `data:` lines, as proxies that indent do."""
    written = []
    for item in items:
        try:
            value = json.loads(item.payload)
        except ValueError:
            written.append(event(item))
            continue
        text = json.dumps(value, indent=2, ensure_ascii=False)
        written.append(event(item._replace(payload=text.encode())))
    return b"".join(written)
