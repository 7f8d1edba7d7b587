"""How much of a history is sent: all of it where it fits, else less, found out in a bounded number of questions."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from manus.actors.conversations.fitting import QUESTIONS_MAX, Fitting
from manus.actors.conversations.history import History, opened
from manus.messages.content import text_turn
from manus.messages.conversations import ConversationPolicy, Exchange
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.requests import ChatRequest
from manus.messages.routing import TokensTold
from manus.supervisor.terminals import Expired

REQUEST = ChatRequest(request_id=RequestId("r"), turns=())
ASKED = (text_turn("user", "now"),)
POLICY = ConversationPolicy(answer_tokens=100, trim_to=0.5)


def history_of(*sizes: int, system: int = 0) -> History:
    history = opened((), 0.0)
    for size in sizes:
        exchange = Exchange(asked=(text_turn("user", "u"),), answer=text_turn("assistant", "a"))
        history = history.extended(exchange, size)
    return msgspec.structs.replace(history, system_bytes=system)


def told(
    expected: int, *, window: int | None = None, prompt: int | None = None, output: int | None = None
) -> TokensTold:
    return TokensTold(
        provider="p",
        model="m",
        base="m",
        expected=expected,
        bound=expected,
        window_tokens=window,
        prompt_tokens_max=prompt,
        output_tokens_max=output,
    )


def fitting_of(history: History, request: ChatRequest = REQUEST, remembered: tuple[int, int] | None = None) -> Fitting:
    return Fitting(history, ASKED, 10, request=request, policy=POLICY, remembered=remembered)


def settle(fitting: Fitting, history: History, *, tokens_per_byte: float, **window: int) -> int:
    """Answer its questions until it has none; gives how many there were."""
    for number in range(1, QUESTIONS_MAX + 1):
        sent = history.system_bytes + 10 + sum(history.sizes[fitting.cut :])
        if not fitting.next(told(round(sent * tokens_per_byte), **window)):
            return number
    raise AssertionError("it never ends")


def test_what_fits_is_sent_whole_after_one_question() -> None:
    history = history_of(100, 100)
    fitting = fitting_of(history)
    assert settle(fitting, history, tokens_per_byte=1.0, window=310) == 1
    assert fitting.cut == 0


def test_room_is_kept_for_the_answer() -> None:
    history = history_of(100, 100)
    fitting = fitting_of(history)
    settle(fitting, history, tokens_per_byte=1.0, window=309)
    assert fitting.limit == 209
    assert fitting.cut == 2, "to half of what fits, so that the next turns begin alike"


def test_a_long_answer_is_kept_room_for_up_to_half_of_the_window() -> None:
    history = history_of(100)
    for asked, output, limit in ((50, None, 950), (None, 20, 980), (5_000, None, 500), (5_000, 300, 700)):
        fitting = fitting_of(history, msgspec.structs.replace(REQUEST, max_output_tokens=asked))
        fitting.next(told(1, window=1000, **({} if output is None else {"output": output})))
        assert fitting.limit == limit


def test_the_bound_of_the_prompt_alone_holds_too() -> None:
    fitting = fitting_of(history_of(100))
    fitting.next(told(1, window=1000, prompt=300))
    assert fitting.limit == 300


def test_of_an_unknown_window_nothing_is_cut() -> None:
    fitting = fitting_of(history_of(10**6))
    assert not fitting.next(told(10**9))
    assert fitting.cut == 0


def test_where_every_window_is_far_too_small_half_goes_until_one_is_named() -> None:
    fitting = fitting_of(history_of(*[100] * 8))
    too_long = Failed(kind="context_length", message="No.")
    assert fitting.next(too_long)
    assert fitting.cut == 4
    assert fitting.next(too_long)
    assert fitting.cut == 6
    assert not fitting.next(told(210, window=1000))


def test_any_other_failure_is_left_to_the_request_itself() -> None:
    for answer in (Failed(kind="no_candidate", message="No."), Expired(where="queued")):
        fitting = fitting_of(history_of(100, 100))
        assert not fitting.next(answer)
        assert fitting.cut == 0


def test_where_the_question_alone_is_too_long_it_is_asked_even_so() -> None:
    history = history_of(100, 100)
    fitting = fitting_of(history)
    settle(fitting, history, tokens_per_byte=100.0, window=300)
    assert fitting.cut == 2
    assert not fitting.halve()


def test_later_turns_begin_where_the_last_one_did() -> None:
    history = history_of(*[100] * 8)
    fitting = fitting_of(history, remembered=(4, 600))
    assert settle(fitting, history, tokens_per_byte=1.0, window=700) == 1
    assert fitting.cut == 4


def test_a_larger_window_brings_the_rest_back() -> None:
    history = history_of(*[100] * 8)
    fitting = fitting_of(history, remembered=(4, 600))
    assert settle(fitting, history, tokens_per_byte=1.0, window=2000) == 2
    assert fitting.cut == 0


def test_a_smaller_window_cuts_further() -> None:
    history = history_of(*[100] * 8)
    fitting = fitting_of(history, remembered=(4, 600))
    settle(fitting, history, tokens_per_byte=1.0, window=400)
    assert fitting.cut == 7


def test_a_cut_that_is_none_any_more_is_forgotten() -> None:
    history = history_of(100, 100).forgetting(1)
    assert fitting_of(history, remembered=(0, 600)).cut == 0
    assert fitting_of(history, remembered=(1, 600)).cut == 0
    assert fitting_of(history, remembered=(2, 600)).cut == 1
    assert fitting_of(history, remembered=(9, 600)).cut == 0


@given(
    st.lists(st.integers(1, 5000), max_size=30),
    st.integers(0, 3000),
    st.integers(1, 20_000),
    st.floats(0.05, 3.0),
)
def test_what_is_sent_fits_or_is_the_question_alone(
    sizes: list[int], system: int, window: int, tokens_per_byte: float
) -> None:
    history = history_of(*sizes, system=system)
    fitting = fitting_of(history)
    questions = settle(fitting, history, tokens_per_byte=tokens_per_byte, window=window)
    assert questions <= 4, "the second question is about what should fit already"
    sent = history.system_bytes + 10 + sum(history.sizes[fitting.cut :])
    assert fitting.limit is not None
    assert round(sent * tokens_per_byte) <= fitting.limit or fitting.cut == len(sizes)
    whole = history.system_bytes + 10 + sum(history.sizes)
    assert fitting.cut == 0 or round(whole * tokens_per_byte) > fitting.limit
