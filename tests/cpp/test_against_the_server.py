"""The C++ client and the real server: its example, its restarts, its way out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.conformance.links import write_config
from tests.conformance.vendors import TEXT, Vendors, served
from tests.cpp.building import built
from tests.cpp.driving import PATIENCE_S, driving

SERVE: Final = (sys.executable, "-m", "manus", "serve", "--stdio", "--config")


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendors]:
    with served() as served_vendors:
        yield served_vendors


@pytest.fixture
def config(vendors: Vendors, tmp_path: Path) -> str:
    ledger = {"path": str(tmp_path / "ledger.sqlite")}
    return str(write_config(vendors.configuration(ledger=ledger), tmp_path / "llm.toml"))


def ask(prompt: str, *command: str) -> subprocess.CompletedProcess[str]:
    example = built("plain", "ask") / "ask"
    return subprocess.run([example, prompt, *command], capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def test_the_example_says_the_answer_on_stdout_and_the_rest_on_stderr(config: str) -> None:
    done = ask("plain", *SERVE, config)
    assert done.returncode == 0, done.stderr
    assert done.stdout == TEXT
    assert "first/sim-large" in done.stderr
    assert "tokens in" in done.stderr


def test_the_example_tells_why_there_is_no_answer(config: str, tmp_path: Path) -> None:
    refused = ask("bad", *SERVE, config)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "invalid_request" in refused.stderr
    nowhere = ask("plain", *SERVE, str(tmp_path / "nowhere.toml"))
    assert nowhere.returncode == 1
    assert "exit status 2" in nowhere.stderr
    assert "nowhere.toml" in nowhere.stderr


def test_ctrl_c_cancels_the_examples_request_and_says_what_it_used(config: str) -> None:
    example = built("plain", "ask") / "ask"
    with subprocess.Popen(
        [example, "endless", *SERVE, config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(10)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        said = process.stderr.read()
        assert process.wait(PATIENCE_S) == 130, said
    assert "cancelled: " in said
    assert "tokens in" in said


def test_a_killed_server_is_replaced_and_its_books_are_read(config: str, vendors: Vendors, tmp_path: Path) -> None:
    driver_path = built("plain", "manus_driver") / "manus_driver"
    with driving(driver_path, "--restart", *SERVE, config, log=tmp_path / "log") as driver:
        before = driver.ask("generate", prompt="plain", request_key="before")
        assert before.result is not None
        stream = driver.call("stream", prompt="stall in mid-sentence", request_key="during")
        driver.wait_until(lambda: bool(driver.events.get(stream)), "some words")
        os.kill(driver.server_pid(), signal.SIGKILL)
        lost = driver.end_of(stream)
        assert lost.data["books"] == "in_doubt"
        assert lost.data["in_doubt"]
        for key, state in (("before", "settled"), ("during", "in_doubt"), ("never", "unknown")):
            told = driver.ask("request.status", request_key=key).result
            assert told is not None
            assert told["state"] == state
        assert driver.ask("generate", prompt="plain").result is not None
        assert driver.close() == 0
        assert driver.descendants() == {}


def test_the_server_ends_when_its_host_is_killed(config: str, tmp_path: Path) -> None:
    driver_path = built("plain", "manus_driver") / "manus_driver"
    with driving(driver_path, *SERVE, config, log=tmp_path / "log") as driver:
        stream = driver.call("stream", prompt="stall for ever")
        driver.wait_until(lambda: bool(driver.events.get(stream)), "a word")
        driver.process.kill()
        driver.process.wait(PATIENCE_S)
        give_up_at = time.monotonic() + PATIENCE_S
        while left := driver.descendants():
            assert time.monotonic() < give_up_at, f"these outlived their host: {left}"
            time.sleep(0.01)


def test_many_streams_share_one_pipe_and_slow_ones_hold_up_nobody(config: str, tmp_path: Path) -> None:
    driver_path = built("plain", "manus_driver") / "manus_driver"
    with driving(driver_path, *SERVE, config, log=tmp_path / "log") as driver:
        paused = driver.call("stream", prompt="endless", window=2)
        driver.wait_until(lambda: bool(driver.events.get(paused)), "a word")
        assert driver.end_of(driver.call("pause", target=paused)).result == {}
        streams = [driver.call("stream", prompt="long", window=1 + number % 9) for number in range(32)]
        texts = set()
        for number in streams:
            result = driver.end_of(number).result
            assert result is not None
            assert "".join(event["delta"] for event in driver.events[number]) == result["content"]
            texts.add(result["content"])
        assert len(texts) == 1
        assert paused not in driver.ends
        assert driver.end_of(driver.call("resume", target=paused)).result == {}
        assert driver.end_of(driver.call("cancel", target=paused)).result == {}
        cancelled = driver.end_of(paused).result
        assert cancelled is not None
        assert cancelled["finish_reason"] == "cancelled"
        assert cancelled["usage"]["output_tokens"] > 0
        assert driver.close() == 0
