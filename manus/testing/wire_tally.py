"""Own the verdict on replayed exchanges: each against what its recording expects, counted by provider and feature.

An exchange *matches* when every split of it says what `expect` says; where a recording expects nothing, its splits
are only compared with each other. What we read on purpose otherwise than the recordings' extractor is named in
`deviation`, with its reason, and counts as a match.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from manus.testing.wire_replay import Line, Pass

# Any, throughout this file: an exchange is a JSON file of a foreign hand.

Verdict = Literal["matched", "mismatched", "unsupported", "not compared"]

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
"""What a line and an `expect` call by the same name, and mean alike."""

_SHOWN_CHARS = 160
_CELL_CHARS = 9


def mismatches(exchange: Mapping[str, Any], passed: Sequence[Pass]) -> Iterator[str]:
    """Name each field in which a split differs from `expect`, or from the first split."""
    expect = exchange.get("expect")
    first = passed[0]
    for each in passed:
        split = each.line["split"]
        if isinstance(expect, dict):
            for field, got, wanted in _compared(each, expect):
                if got != wanted and deviation(exchange, field) is None:
                    yield f"{split}: {field} is {_short(got)}, expected {_short(wanted)}"
        if {**each.line, "split": ""} != {**first.line, "split": ""} or each.model != first.model:
            yield f"{split}: gives another answer than {first.line['split']}"


def deviation(exchange: Mapping[str, Any], field: str) -> str | None:
    """Say why a field is read otherwise than the recordings' extractor does, where that is on purpose."""
    if field == "text" and isinstance(_whole_content(exchange), dict):
        return "content that is a JSON object is an answer: its text is the object's JSON, not nothing"
    if str((exchange.get("response") or {}).get("body_text")).count('"type":"response.created"') > 1:
        return "the recording joined the bodies of several answers; a decoder reads one, up to its terminal event"
    return None


class Tally:
    """The counts of a run, and its faults in the order in which they were found."""

    def __init__(self) -> None:
        self.verdicts: Counter[Verdict] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.faults: list[str] = []
        self.reasons: Counter[str] = Counter()
        self.deviations: Counter[str] = Counter()
        self._seen: Counter[tuple[str, str]] = Counter()
        self._good: Counter[tuple[str, str]] = Counter()

    def unreadable(self, name: str, error: Exception) -> None:
        """Note a file that is no exchange."""
        self.outcomes["unreadable"] += 1
        self.faults.append(f"{name}: {error}")

    def count(self, name: str, exchange: Mapping[str, Any], passed: Sequence[Pass]) -> None:
        """Note one replayed exchange."""
        provider, api = str(exchange["provider"]), str(exchange["api"])
        verdict = self._judge(name, exchange, passed)
        self.outcomes[_outcome(passed[0].line)] += 1
        self.verdicts[verdict] += 1
        if verdict == "unsupported":
            self.reasons[f"{provider} / {api}: {passed[0].unsupported}"] += 1
        for feature in ("total", *map(str, exchange.get("features") or ())):
            self._seen[feature, provider] += 1
            self._good[feature, provider] += verdict in ("matched", "not compared")

    def report(self) -> Iterator[str]:
        """Give the lines of the summary."""
        words = [f"{count} {word}" for word, count in sorted(self.outcomes.items())]
        yield f"{sum(self.outcomes.values())} exchanges: {', '.join(words)}"
        compared = [f"{count} {word}" for word, count in sorted(self.verdicts.items())]
        yield f"compared with what was expected: {', '.join(compared) or 'none'}"
        yield from self._table()
        for title, counted in (("unsupported", self.reasons), ("read otherwise on purpose", self.deviations)):
            if counted:
                yield f"{title}:"
                yield from (f"  {count:>4}  {reason}" for reason, count in sorted(counted.items()))
        yield from self.faults

    def _judge(self, name: str, exchange: Mapping[str, Any], passed: Sequence[Pass]) -> Verdict:
        if passed[0].unsupported is not None:
            return "unsupported"
        found = list(mismatches(exchange, passed))
        self.faults.extend(f"{name}: {each}" for each in found)
        if found:
            return "mismatched"
        expect = exchange.get("expect")
        if not isinstance(expect, dict):
            return "not compared"
        apart = [field for field, got, wanted in _compared(passed[0], expect) if got != wanted]
        self.deviations.update({reason for field in apart if (reason := deviation(exchange, field)) is not None})
        return "matched"

    def _table(self) -> Iterator[str]:
        """One row per feature, one column per provider: exchanges, or good of all where not all are."""
        providers = sorted({provider for _, provider in self._seen})
        if not providers:
            return
        features = sorted({feature for feature, _ in self._seen} - {"total"})
        widths = [max(_CELL_CHARS, len(provider)) for provider in providers]
        heads = "  ".join(provider.rjust(width) for provider, width in zip(providers, widths, strict=True))
        name_width = max(map(len, ("feature", "total", *features)))
        yield f"{'feature':<{name_width}}  {heads}"
        for feature in ("total", *features):
            cells = (self._cell(feature, provider) for provider in providers)
            row = "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
            yield f"{feature:<{name_width}}  {row}".rstrip()

    def _cell(self, feature: str, provider: str) -> str:
        seen, good = self._seen[feature, provider], self._good[feature, provider]
        if not seen:
            return ""
        return str(seen) if good == seen else f"{good}/{seen}"


def _compared(passed: Pass, expect: Mapping[str, Any]) -> Iterator[tuple[str, object, object]]:
    line = passed.line
    for field in FIELDS:
        if field in expect:
            yield field, line[field], expect[field]
    if "finish_reason" in expect:
        yield "finish_reason", line["finish_reason_raw"], expect["finish_reason"]
    if "tool_calls" in expect:
        calls = [{key: call.get(key) for key in ("id", "name", "arguments")} for call in expect["tool_calls"] or ()]
        yield "tool_calls", line["tool_calls"], calls
    if "error" in expect:
        yield "error", line["error_kind"] is not None, expect["error"] is not None
    if expect.get("model") is not None and line["error_kind"] is None:
        yield "model", passed.model, expect["model"]


def _outcome(line: Line) -> str:
    if "unsupported" in line:
        return "unsupported"
    return "answered" if line["error_kind"] is None else "failed"


def _whole_content(exchange: Mapping[str, Any]) -> Any:
    """Give the content of a Chat Completions document's first choice; None where there is no such thing."""
    try:
        return json.loads(exchange["response"]["body_text"])["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}... ({len(text)} characters)"
