"""Recorded Responses requests are written alike when asked for canonically, at OpenAI and at Azure.

Ours goes to the model that the record names, so the families' rules are part of what is compared. What a record
asks for that the canonical request has no word for is counted under its reason.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import pytest

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.codecs.openai_models import family_of
from manus.messages.policy import ModelCard
from tests.codecs.recorded.chat_requests import Inexpressible
from tests.codecs.recorded.responses_requests import is_tidy, one_spelling, request_of
from tests.shared_data import exchanges


def _compare(api: tuple[str, str], wire: str) -> tuple[int, Counter[str]]:
    compared = 0
    left_out: Counter[str] = Counter()
    for exchange in exchanges(api):
        recorded = (exchange["request"] or {}).get("body")
        if not recorded:
            left_out["no request recorded"] += 1
            continue
        if exchange["response"]["status"] == 400:
            left_out["sent to be refused"] += 1
            continue
        try:
            request = request_of(copy.deepcopy(recorded), wire)
        except Inexpressible as reason:
            left_out[str(reason)] += 1
            continue
        if not is_tidy(request):
            left_out["calls without results, or results in another order"] += 1
            continue
        model = recorded["model"]
        url = urlsplit(exchange["request"]["url"])
        version = parse_qs(url.query).get("api-version", [None])[0]
        options = CodecOptions(card=ModelCard(name=model), api_version=version)
        written = codec_for(wire).encode(request, model, options)
        assert isinstance(written, HttpRequest), (exchange["id"], written)
        assert one_spelling(json.loads(written.body)) == one_spelling(recorded), exchange["id"]
        assert url.path.endswith(urlsplit(written.path).path), exchange["id"]
        assert urlsplit(written.path).query == url.query, exchange["id"]
        compared += 1
    return compared, left_out


@pytest.mark.parametrize(
    ("api", "wire", "compared", "left_out"),
    [
        (
            ("openai-responses", "responses"),
            "openai-responses",
            85,
            {"no request recorded": 2, "sent to be refused": 3, "previous_response_id: state that the server keeps": 5},
        ),
        (("azure", "responses"), "azure-responses", 23, {"no request recorded": 5}),
    ],
    ids=["openai", "azure"],
)
def test_recorded_requests_are_written_alike(
    api: tuple[str, str], wire: str, compared: int, left_out: dict[str, int]
) -> None:
    assert _compare(api, wire) == (compared, left_out)


def test_what_thinks_is_asked_for_its_thinking_wherever_a_record_asks_for_it() -> None:
    asked = 0
    for exchange in exchanges(("openai-responses", "responses"), ("azure", "responses")):
        recorded = (exchange["request"] or {}).get("body") or {}
        wanted = "reasoning.encrypted_content" in (recorded.get("include") or ())
        if not wanted or exchange["response"]["status"] != 200:
            continue
        request = request_of({"model": recorded["model"], "input": "Hi"}, "openai-responses")
        options = CodecOptions(card=ModelCard(name=recorded["model"]))
        written = codec_for("openai-responses").encode(request, recorded["model"], options)
        assert isinstance(written, HttpRequest)
        body = json.loads(written.body)
        if family_of(recorded["model"]).thinks_with(None):
            assert body["include"] == ["reasoning.encrypted_content"], exchange["id"]
            asked += 1
    assert asked >= 5
