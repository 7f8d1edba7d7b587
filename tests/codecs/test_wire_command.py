"""`python -m manus.testing.wire DIR`: the command as its users meet it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from manus.testing.wire import NotAnExchange, main, replay

STREAM = (
    'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"Hé"},"finish_reason":null}]}\n\n'
    'data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
    "data: [DONE]\n\n"
)


def _exchange(name: str = "x-1", *, provider: str = "openai", api: str = "chat", **response: Any) -> dict[str, Any]:
    return {
        "id": name,
        "provider": provider,
        "api": api,
        "request": {"body": {"model": "m", "stream": True}},
        "response": {"status": 200, "headers": {}, "body_text": STREAM, **response},
    }


def _write(directory: Path, *recorded: object) -> None:
    for number, exchange in enumerate(recorded):
        (directory / f"{number}.json").write_text(json.dumps(exchange))


def test_one_line_per_exchange_and_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(tmp_path, _exchange())

    assert main([str(tmp_path), "--splits", "3", "--seed", "9"]) == 0

    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["split"] for line in lines] == ["whole", "bytes", "random-1", "random-2", "random-3"]
    for line in lines:
        line.pop("split")
        line.pop("usage")
        assert line == {
            "id": "x-1",
            "text": "Hé",
            "finish_reason": "stop",
            "finish_reason_raw": "stop",
            "tool_calls": [],
            "input_tokens": 3,
            "output_tokens": 2,
            "cached_tokens": None,
            "cache_write_tokens": None,
            "reasoning_tokens": None,
            "reasoning_text": None,
            "refusal": None,
            "error_kind": None,
            "error_retryable": None,
        }
    assert err.splitlines()[:2] == [
        "1 exchanges: 1 answered",
        "compared with what was expected: 1 not compared",
    ]


def test_an_api_nobody_speaks_is_printed_as_unsupported() -> None:
    assert list(replay(_exchange(provider="acme", api="oracle"))) == [
        {"id": "x-1", "split": "whole", "unsupported": True}
    ]


EXPECT = {
    "text": "Hé",
    "finish_reason": "stop",
    "tool_calls": [],
    "input_tokens": 3,
    "output_tokens": 2,
    "cached_tokens": None,
    "error": None,
    "model": "m",
}


def test_the_summary_counts_by_provider_and_feature_and_names_what_is_not_spoken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(
        tmp_path,
        {**_exchange("x-1"), "expect": EXPECT, "features": ["stream", "text"]},
        {**_exchange("x-2"), "expect": EXPECT, "features": ["stream"]},
        {**_exchange("x-3", provider="bedrock", api="invoke"), "features": ["text"]},
        {**_exchange("x-4", provider="bedrock", api="invoke"), "features": []},
    )

    assert main([str(tmp_path)]) == 0

    lines = [line.split() for line in capsys.readouterr().err.splitlines()]
    assert ["compared", "with", "what", "was", "expected:", "2", "matched,", "2", "unsupported"] in lines
    assert ["feature", "bedrock", "openai"] in lines
    assert ["total", "0/2", "2"] in lines
    assert ["stream", "2"] in lines
    assert ["text", "0/1", "1"] in lines
    (reason,) = [line for line in lines if line[:2] == ["2", "bedrock"]]
    assert reason[2:4] == ["/", "invoke:"]


@pytest.mark.parametrize(
    ("field", "wrong", "named"),
    [
        ("text", "Ho", 'text is "H\\u00e9", expected "Ho"'),
        ("finish_reason", "length", 'finish_reason is "stop", expected "length"'),
        ("cached_tokens", 0, "cached_tokens is null, expected 0"),
        ("error", {"message": "m"}, "error is false, expected true"),
        ("model", "other", 'model is "m", expected "other"'),
        ("tool_calls", [{"id": "c", "name": "f", "arguments": {}}], "tool_calls is [], expected [{"),
    ],
)
def test_an_answer_that_is_not_the_expected_one_is_named_field_by_field(
    field: str, wrong: object, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(tmp_path, {**_exchange(), "expect": {**EXPECT, field: wrong}, "features": ["text"]})

    assert main([str(tmp_path), "--splits", "0"]) == 1

    err = capsys.readouterr().err
    assert f"0.json: whole: {named}" in err
    assert f"0.json: bytes: {named}" in err
    assert "1 mismatched" in err
    assert "0/1" in err


def test_an_http_error_gives_kind_and_advice() -> None:
    (line,) = replay(_exchange(status=429, body_text='{"error":{"message":"m","code":"insufficient_quota"}}'))

    assert (line["error_kind"], line["error_retryable"]) == ("quota_exhausted", False)
    assert (line["text"], line["finish_reason"], line["finish_reason_raw"]) == (None, "error", None)


def test_an_error_inside_the_answer_keeps_what_came_before() -> None:
    body = 'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"error":{"message":"m"}}\n\n'
    for line in replay(_exchange(body_text=body)):
        assert (line["text"], line["error_kind"], line["error_retryable"]) == ("a", "server", True)


def test_a_truncated_answer_is_incomplete() -> None:
    for line in replay(_exchange(body_text='data: {"choices":[{"delta":{"content":"a"}}]}\n\n')):
        assert (line["finish_reason"], line["error_kind"]) == ("incomplete", "incomplete")


def test_ids_that_the_vendor_did_not_send_are_null_and_so_are_arguments_that_are_no_json() -> None:
    call = '{"function":{"name":"f","arguments":"{\\"a\\":"}}'
    body = f'{{"choices":[{{"message":{{"tool_calls":[{call}]}},"finish_reason":"length"}}]}}'
    for line in replay(_exchange(body_text=body)):
        assert line["tool_calls"] == [{"id": None, "name": "f", "arguments": None}]
        assert line["finish_reason"] == "length"


def test_bodies_may_be_base64_and_requests_and_headers_missing() -> None:
    exchange = _exchange(body_text=None, body_base64=base64.b64encode(STREAM.encode()).decode(), headers=None)
    exchange["request"] = None

    assert {line["text"] for line in replay(exchange)} == {"Hé"}


def test_the_same_seed_gives_the_same_splits(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _write(tmp_path, _exchange())
    main([str(tmp_path), "--seed", "5"])
    first = capsys.readouterr().out
    main([str(tmp_path), "--seed", "5"])

    assert capsys.readouterr().out == first


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "DIR"),
        (["/nowhere/at/all"], "is no directory"),
        (["."], "holds no exchange files"),
        ([".", "--splits", "-1"], "--splits must be 0 or more"),
        ([".", "--seed", "x"], "invalid int value"),
    ],
)
def test_wrong_usage_says_what_is_wrong(
    arguments: list[str],
    complaint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exited:
        main(arguments)

    assert exited.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_file_that_is_no_exchange_is_named_and_the_others_are_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(tmp_path, {"id": "x"}, _exchange())
    (tmp_path / "2.json").write_text("not json")

    assert main([str(tmp_path)]) == 1

    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 4
    assert "0.json: no exchange" in err
    assert "2.json" in err


@pytest.mark.parametrize("response", [{"status": "x"}, {"body_text": None, "body_base64": "%"}, None])
def test_a_broken_exchange_is_refused(response: dict[str, Any] | None) -> None:
    exchange = _exchange()
    exchange["response"] = response if response is None else {**exchange["response"], **response}
    with pytest.raises(NotAnExchange):
        list(replay(exchange))


def test_the_module_runs_as_a_command(tmp_path: Path) -> None:
    _write(tmp_path, _exchange())
    done = subprocess.run(
        [sys.executable, "-m", "manus.testing.wire", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4
