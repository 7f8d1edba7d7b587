"""Requests that other projects really sent are written alike when asked for canonically.

A small reader turns a recorded body into a `ChatRequest`; what our encoder makes of it is compared with the
record, after both are brought to one spelling where the wire has two (a string, or a list of one text).
Bodies with fields that the canonical request does not have are left out, and counted.
"""

from __future__ import annotations

import copy
import json
from collections import Counter

import pytest

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from tests.codecs.recorded.chat_requests import Inexpressible, is_tidy, one_spelling, request_of
from tests.shared_data import exchanges


@pytest.mark.parametrize(
    ("api", "least"), [(("openai", "chat"), 100), (("openai-compat", "chat"), 50), (("ollama", "v1-chat"), 20)]
)
def test_recorded_requests_are_written_alike(api: tuple[str, str], least: int) -> None:
    compared = 0
    left_out: Counter[str] = Counter()
    for exchange in exchanges(api):
        recorded = exchange["request"]["body"]
        if not recorded or not recorded.get("model"):
            left_out["no body recorded"] += 1
            continue
        try:
            request = request_of(copy.deepcopy(recorded))
        except Inexpressible as reason:
            left_out[str(reason)] += 1
            continue
        except (KeyError, ValueError):  # some records were sent to be refused
            left_out["malformed"] += 1
            continue
        if not is_tidy(request):
            left_out["untidy"] += 1
            continue
        # The model's name would have our tables leave fields out; here the wire is what is compared.
        written = codec_for("openai-chat").encode(request, "some-model", CodecOptions())
        assert isinstance(written, HttpRequest), exchange["id"]
        ours = json.loads(written.body)
        ours["model"] = recorded["model"]
        assert one_spelling(ours) == one_spelling(recorded), exchange["id"]
        compared += 1
    print(f"{'/'.join(api)}: {compared} compared; left out: {dict(left_out)}")
    assert compared >= least
