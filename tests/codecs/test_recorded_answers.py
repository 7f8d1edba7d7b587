"""What vendors really sent decodes to what an independent extractor read from it, however it is cut."""

from __future__ import annotations

from typing import Any

import pytest

from manus.testing.wire import replay
from tests.shared_data import exchanges

FIELDS = (
    "text",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "reasoning_text",
    "refusal",
)

DEVIATIONS = {
    # Cloudflare answers a JSON-schema request with the object itself as `content`. The extractor knows text
    # only and reads "" there; to a caller that is an answer lost, so the object's JSON is the text.
    ("openai-compat-chat-73bde2fea479", "text"): '{"title":"Apples are tasty","author":"Hadley Wickham"}',
}

APIS = [
    (("openai", "chat"), 121),
    (("openai-compat", "chat"), 69),
    (("ollama", "chat"), 29),
    (("ollama", "v1-chat"), 32),
    (("azure", "deployments-chat"), 39),
    (("azure", "v1-chat"), 23),
    (("azure", "models-chat"), 10),
    (("azure", "other-chat"), 1),
]


@pytest.mark.parametrize(("api", "count"), APIS, ids=["/".join(api) for api, _ in APIS])
def test_recorded_exchanges_decode_to_what_was_expected(api: tuple[str, str], count: int) -> None:
    recorded = list(exchanges(api))
    assert len(recorded) >= count

    mismatches = [
        (line["id"], line["split"], field, got, wanted)
        for exchange in recorded
        for line in replay(exchange, seed=1, splits=2)
        for field, got, wanted in _compared(line, exchange["expect"])
        if got != DEVIATIONS.get((line["id"], field), wanted)
    ]

    assert mismatches == []


def test_every_deviation_is_still_one() -> None:
    for exchange in exchanges(("openai-compat", "chat")):
        for (name, field), ours in DEVIATIONS.items():
            if exchange["id"] == name:
                assert exchange["expect"][field] != ours


@pytest.mark.parametrize(("api", "count"), APIS, ids=["/".join(api) for api, _ in APIS])
def test_recorded_successes_are_successes_and_failures_are_failures(api: tuple[str, str], count: int) -> None:
    for exchange in exchanges(api):
        failed = exchange["expect"]["error"] is not None or exchange["response"]["status"] >= 400
        for line in replay(exchange, seed=2, splits=1):
            assert (line["error_kind"] is not None) == failed, line["id"]
            assert (line["finish_reason"] == "error") == failed, line["id"]
            assert line["finish_reason"] != "incomplete", line["id"]


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_recorded_exchanges_decode_alike_at_many_splits(seed: int) -> None:
    for exchange in exchanges(*(api for api, _ in APIS)):
        lines = [{**line, "split": ""} for line in replay(exchange, seed=seed, splits=20)]
        assert all(line == lines[0] for line in lines), exchange["id"]


def _compared(line: dict[str, Any], expect: dict[str, Any]) -> list[tuple[str, object, object]]:
    calls = [{key: call[key] for key in ("id", "name", "arguments")} for call in expect["tool_calls"]]
    return [
        *((field, line[field], expect[field]) for field in FIELDS),
        ("finish_reason_raw", line["finish_reason_raw"], expect["finish_reason"]),
        ("tool_calls", line["tool_calls"], calls),
    ]
