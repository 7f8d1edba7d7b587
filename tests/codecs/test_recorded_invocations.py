"""What InvokeModel hands through of Claude and Nova is read by the decoders of their own wires, however it is cut."""

from __future__ import annotations

import re
from typing import Any

from manus.testing.wire_replay import passes
from manus.testing.wire_tally import mismatches
from tests.shared_data import exchanges

APIS = (("bedrock", "invoke"), ("bedrock", "invoke-with-response-stream"))


def _model(exchange: dict[str, Any]) -> str:
    found = re.search(r"/model/([^/]+)/", exchange["request"]["url"] or "")
    return found[1] if found else ""


def test_invocations_decode_to_what_was_expected_and_the_older_families_are_left_out() -> None:
    matched, left_out = 0, 0
    found: list[str] = []
    for exchange in exchanges(*APIS):
        passed = list(passes(exchange, seed=3, splits=3))
        if passed[0].unsupported is not None:
            left_out += 1
            assert not re.search(r"claude-(?!instant)|nova", _model(exchange)), exchange["id"]
            continue
        found.extend(f"{exchange['id']}: {fault}" for fault in mismatches(exchange, passed))
        matched += 1
    assert found == []
    assert (matched, left_out) == (24, 13)
