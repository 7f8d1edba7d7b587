"""What vendors really sent decodes to what an independent extractor read from it, however it is cut."""

from __future__ import annotations

import pytest

from manus.testing.wire import replay
from manus.testing.wire_replay import WIRES, passes
from manus.testing.wire_tally import deviation, mismatches
from tests.shared_data import exchanges

RECORDED = {
    ("openai", "chat"): 121,
    ("openai-compat", "chat"): 69,
    ("openai-responses", "responses"): 95,
    ("anthropic", "messages"): 127,
    ("bedrock", "converse"): 64,
    ("bedrock", "converse-stream"): 30,
    ("ollama", "chat"): 29,
    ("ollama", "generate"): 4,
    ("ollama", "v1-chat"): 32,
    ("azure", "deployments-chat"): 39,
    ("azure", "v1-chat"): 23,
    ("azure", "models-chat"): 10,
    ("azure", "other-chat"): 1,
    ("azure", "responses"): 28,
}
"""At least so many exchanges of each API are there: an empty directory proves nothing."""

SPOKEN = list(WIRES)


def _named(api: tuple[str, str]) -> str:
    return "/".join(api)


@pytest.mark.parametrize("api", SPOKEN, ids=_named)
def test_recorded_exchanges_decode_to_what_was_expected(api: tuple[str, str]) -> None:
    recorded = list(exchanges(api))
    assert len(recorded) >= RECORDED[api]

    found = [
        f"{exchange['id']}: {fault}"
        for exchange in recorded
        for fault in mismatches(exchange, list(passes(exchange, seed=1, splits=2)))
    ]

    assert found == []


def test_each_deviation_is_met_and_is_an_answer_not_lost() -> None:
    met = [exchange for exchange in exchanges(*SPOKEN) if deviation(exchange, "text") is not None]
    assert [exchange["id"] for exchange in met] == ["azure-responses-76f8074ebe28", "openai-compat-chat-73bde2fea479"]
    the_first, the_object = met
    assert the_object["expect"]["text"] == ""
    for line in replay(the_object):
        assert line["text"] == '{"title":"Apples are tasty","author":"Hadley Wickham"}'
    for line in replay(the_first):
        assert line["finish_reason"] == "tool_calls"
        assert line["tool_calls"] == the_first["expect"]["tool_calls"][-1:]  # its list is in the order of indexes


@pytest.mark.parametrize("api", SPOKEN, ids=_named)
def test_recorded_successes_are_successes_and_failures_are_failures(api: tuple[str, str]) -> None:
    for exchange in exchanges(api):
        failed = exchange["expect"]["error"] is not None or exchange["response"]["status"] >= 400
        for line in replay(exchange, seed=2, splits=1):
            assert (line["error_kind"] is not None) == failed, line["id"]
            assert (line["finish_reason"] == "error") == failed, line["id"]
            assert line["finish_reason"] != "incomplete", line["id"]


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_recorded_exchanges_decode_alike_at_many_splits(seed: int) -> None:
    for exchange in exchanges(*SPOKEN):
        lines = [{**line, "split": ""} for line in replay(exchange, seed=seed, splits=20)]
        assert all(line == lines[0] for line in lines), exchange["id"]
