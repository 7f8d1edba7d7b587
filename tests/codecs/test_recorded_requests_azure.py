"""Recorded Chat Completions requests to Azure are written alike: body and path, for both surfaces."""

from __future__ import annotations

import copy
import json
from collections import Counter
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.messages.policy import ModelCard
from tests.codecs.recorded.chat_requests import Inexpressible, is_tidy, one_spelling, request_of
from tests.shared_data import exchanges


def _compare(api: str) -> tuple[int, Counter[str]]:
    compared = 0
    left_out: Counter[str] = Counter()
    for exchange in exchanges(("azure", api)):
        recorded = copy.deepcopy(exchange["request"]["body"])
        url = urlsplit(exchange["request"]["url"])
        version = parse_qs(url.query).get("api-version", [None])[0]
        in_path = url.path.split("/deployments/")[1].split("/")[0] if "/deployments/" in url.path else None
        deployment = unquote(in_path) if in_path else recorded["model"]
        try:
            request = request_of({**recorded, "model": deployment})
        except Inexpressible as reason:
            left_out[str(reason)] += 1
            continue
        assert is_tidy(request), exchange["id"]
        # What stands behind a deployment is the user's to say; unsaid, nothing is left out for a family's sake.
        options = CodecOptions(card=ModelCard(name=deployment, base="some-model"), api_version=version)
        written = codec_for("azure-chat").encode(request, deployment, options)
        if not isinstance(written, HttpRequest):
            left_out[written.message] += 1
            continue
        ours = json.loads(written.body)
        assert ours.pop("model") == deployment
        recorded.pop("model", None)  # clients of the classic API may leave it out: the path has it
        assert one_spelling(ours) == one_spelling(recorded), exchange["id"]
        assert urlsplit(written.path) == url._replace(scheme="", netloc="", fragment=""), exchange["id"]
        compared += 1
    return compared, left_out


@pytest.mark.parametrize(
    ("api", "compared", "left_out"),
    [("deployments-chat", 39, {}), ("v1-chat", 23, {})],
)
def test_recorded_requests_are_written_alike(api: str, compared: int, left_out: dict[str, int]) -> None:
    assert _compare(api) == (compared, left_out)
