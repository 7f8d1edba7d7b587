"""Our own transcripts: for each form of answer the bytes, and the events they must give.

Each file of `tests/golden/<wire>/` names the source of its facts. The events were read and checked by hand.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from manus.actors.assembly import Assembly
from manus.messages.policy import Bounds
from tests.codecs.decoding import assert_grammar, decode

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
PATHS = sorted(GOLDEN.glob("*/*.json"))


@pytest.mark.parametrize("path", PATHS, ids=[f"{path.parent.name}/{path.stem}" for path in PATHS])
def test_transcripts_give_their_events(path: Path) -> None:
    transcript = json.loads(path.read_text())
    body = transcript["body"].encode()

    for size in (len(body) or 1, 1, 7):
        pieces = [body[place : place + size] for place in range(0, len(body), size)]
        events = decode(path.parent.name, pieces, stream=transcript["stream"])
        assert json.loads(msgspec.json.encode(events)) == transcript["events"]
        assert_grammar(events)


@pytest.mark.parametrize("path", PATHS, ids=[f"{path.parent.name}/{path.stem}" for path in PATHS])
def test_assembling_event_by_event_gives_the_same_answer_as_all_at_once(path: Path) -> None:
    transcript = json.loads(path.read_text())
    events = decode(path.parent.name, [transcript["body"].encode()], stream=transcript["stream"])
    at_once, one_by_one = Assembly(path.parent.name, "m", Bounds()), Assembly(path.parent.name, "m", Bounds())

    at_once.add(events)
    for event in events:
        one_by_one.add([event])
        one_by_one.answer()

    assert one_by_one.answer() == at_once.answer()
    assert one_by_one.failure == at_once.failure


def test_there_are_transcripts_of_every_wire() -> None:
    assert {path.parent.name for path in PATHS} >= {"openai-chat", "ollama", "anthropic"}
    assert len(PATHS) >= 66
