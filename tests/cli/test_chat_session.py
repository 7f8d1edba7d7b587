"""One conversation of `manus chat`, interrupted at places that no key can be timed to hit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self, cast

import pytest

from manus.cli import make_parser
from manus.cli.chat import Ended, go_on
from manus.cli.chat_lines import Entries
from manus.cli.chat_session import ChatSession
from manus.hosts.sync_agent import SyncAgent
from manus.responses import StreamChunk
from tests.cli.test_chat_lines import Typed


class Interrupted:
    """A stream whose first chunk is followed by a signal, and the waiting for what it cost by another one."""

    def __init__(self, first: KeyboardInterrupt, second: KeyboardInterrupt) -> None:
        self._first, self._second = first, second
        self.left = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.left = True

    def __iter__(self) -> Iterator[StreamChunk]:
        yield StreamChunk(kind="delta", delta="Once ")
        raise self._first

    def cancel(self) -> None:
        raise self._second

    def pause(self) -> None:
        """Nothing waits."""

    def resume(self) -> None:
        """Nothing waits."""


class Agent:
    """Answers with these streams, one after the other."""

    enable_streaming = True

    def __init__(self, *streams: Interrupted) -> None:
        self._streams = list(streams)
        self.asked: list[str] = []

    def begin_chat(self, message: str, conversation_id: str | None, **_: Any) -> Interrupted:  # Any: options
        self.asked.append(message)
        return self._streams.pop(0)


def conversation(agent: Agent, *, at_prompt: bool) -> int:
    said: list[str] = []
    session = ChatSession(cast(SyncAgent, agent), make_parser().parse_args(["chat"]), at_prompt=at_prompt)
    return go_on(session, Entries(Typed("first", "second"), at_prompt=at_prompt, say=said.append), at_prompt=at_prompt)


def test_a_second_ctrl_c_does_not_wait_for_the_books_and_is_not_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    streams = [Interrupted(KeyboardInterrupt(), KeyboardInterrupt()) for _ in range(2)]
    agent = Agent(*streams)
    assert conversation(agent, at_prompt=True) == 0
    assert agent.asked == ["first", "second"]
    assert all(stream.left for stream in streams)
    assert capsys.readouterr().err.count("[left; what it used stands in the books]") == 2


@pytest.mark.parametrize(
    ("second", "at_prompt"),
    [(KeyboardInterrupt(), False), (Ended(143), True)],
    ids=["nobody sits at a prompt", "it is a signal to end"],
)
def test_elsewhere_it_is_the_end(second: KeyboardInterrupt, at_prompt: bool) -> None:
    stream = Interrupted(KeyboardInterrupt(), second)
    with pytest.raises(type(second)):
        conversation(Agent(stream), at_prompt=at_prompt)
    assert stream.left
