"""One conversation of `manus chat`, and signals that come at places which no key can be timed to hit."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, Self, cast

import pytest

from manus.cli import chat_signals, make_parser
from manus.cli.chat import go_on
from manus.cli.chat_lines import Entries
from manus.cli.chat_session import ChatSession
from manus.cli.chat_signals import Ended, Signals
from manus.errors import ProviderError
from manus.hosts.sync_agent import SyncAgent
from manus.responses import LLMResponse, ResponseUsage, StreamChunk
from tests.cli.test_chat_lines import Typed

Act = Callable[[], object]

INTERRUPT: Final = signal.SIGINT
END: Final = signal.SIGTERM

CANCEL_S: Final = 5.0
"""How long a stream waits to be cancelled before it takes that for a failure."""


def comes(*numbers: signal.Signals) -> Act:
    """Make what has these signals come, one after another, in the line in which it is called."""

    def come() -> None:
        for number in numbers:
            signal.raise_signal(number)

    return come


nothing = comes()


class Stream:
    """A stream of two chunks, between which something happens; it goes on only when it is cancelled."""

    def __init__(self, between: Act, *, when_cancelled: Exception | None = None) -> None:
        self.cancels = 0
        self._between = between
        self._when_cancelled = when_cancelled
        self._cancelled = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def __iter__(self) -> Iterator[StreamChunk]:
        yield StreamChunk(kind="delta", delta="Once ")
        self._between()
        assert self._cancelled.wait(CANCEL_S)
        yield StreamChunk(kind="delta", delta="never shown")

    def cancel(self) -> LLMResponse:
        self.cancels += 1
        self._cancelled.set()
        if self._when_cancelled is not None:
            raise self._when_cancelled
        return LLMResponse(content="Once ", finish_reason="cancelled", request_id="req-1", usage=ResponseUsage())


class Agent:
    """Answers with these streams, one after the other; something happens before each."""

    enable_streaming = True

    def __init__(self, *streams: Stream, before: Act = nothing) -> None:
        self._streams = list(streams)
        self._before = before
        self.asked: list[str] = []

    def begin_chat(self, message: str, conversation_id: str | None, **_: Any) -> Stream:  # Any: options
        self.asked.append(message)
        self._before()
        return self._streams.pop(0)


def converse(agent: Agent, *, at_prompt: bool = True) -> int:
    """Enter two messages."""
    said: list[str] = []
    with Signals(at_prompt=at_prompt) as signals:
        session = ChatSession(cast(SyncAgent, agent), make_parser().parse_args(["chat"]), signals)
        entries = Entries(Typed("first", "second"), signals.reading, at_prompt=at_prompt, say=said.append)
        return go_on(session, entries)


def test_ctrl_c_cancels_the_answer_and_the_next_message_is_asked(capfd: pytest.CaptureFixture[str]) -> None:
    streams = [Stream(comes(INTERRUPT)) for _ in range(2)]
    agent = Agent(*streams)
    assert converse(agent) == 0
    assert agent.asked == ["first", "second"]
    assert [stream.cancels for stream in streams] == [1, 1]
    captured = capfd.readouterr()
    assert captured.out == "Once \nOnce \n"
    assert captured.err.count("[broken off; the conversation is as it was before this message]") == 2


def test_ctrl_c_before_there_is_an_answer_cancels_it_all_the_same() -> None:
    streams = [Stream(nothing) for _ in range(2)]
    assert converse(Agent(*streams, before=comes(INTERRUPT))) == 0
    assert [stream.cancels for stream in streams] == [1, 1]


def test_an_impatient_ctrl_c_more_cancels_nothing_twice() -> None:
    streams = [Stream(comes(INTERRUPT, INTERRUPT)) for _ in range(2)]
    assert converse(Agent(*streams)) == 0
    assert [stream.cancels for stream in streams] == [1, 1]


def test_an_answer_that_fails_while_it_is_cancelled_is_a_failure_and_not_the_end() -> None:
    failure = ProviderError("It fell over.")
    agent = Agent(*(Stream(comes(INTERRUPT), when_cancelled=failure) for _ in range(2)))
    assert converse(agent) == 1
    assert agent.asked == ["first", "second"]


@pytest.mark.parametrize(
    ("number", "at_prompt", "status"),
    [(END, True, 143), (END, False, 143), (signal.SIGHUP, True, 129), (INTERRUPT, False, 130)],
)
def test_a_signal_that_ends_the_program_lets_the_answer_be_told_first(
    capfd: pytest.CaptureFixture[str], number: signal.Signals, at_prompt: bool, status: int
) -> None:
    agent = Agent(Stream(comes(number)))
    with pytest.raises(Ended) as ended:
        converse(agent, at_prompt=at_prompt)
    assert ended.value.status == status
    assert agent.asked == ["first"]
    assert "| cancelled |" in capfd.readouterr().err


class OnTheSpot(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize(
    ("numbers", "at_prompt", "status"),
    [
        ((INTERRUPT,) * 3, True, 130),
        ((INTERRUPT,) * 2, False, 130),
        ((END, END), True, 143),
        ((END, INTERRUPT), True, 130),
        ((signal.SIGHUP, END), True, 143),
    ],
)
def test_more_signals_end_the_program_on_the_spot(
    monkeypatch: pytest.MonkeyPatch, numbers: tuple[signal.Signals, ...], at_prompt: bool, status: int
) -> None:
    def end_at_once(given: int) -> None:
        raise OnTheSpot(given)

    monkeypatch.setattr(os, "_exit", end_at_once)
    with pytest.raises(OnTheSpot, match=str(status)):
        converse(Agent(Stream(comes(*numbers))), at_prompt=at_prompt)


def test_what_signals_did_before_they_do_again() -> None:
    before = [signal.getsignal(number) for number in chat_signals.STATUS_OF]
    with Signals(at_prompt=True):
        assert signal.getsignal(INTERRUPT) not in before
    assert [signal.getsignal(number) for number in chat_signals.STATUS_OF] == before
