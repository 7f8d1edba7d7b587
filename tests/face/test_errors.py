"""The tree of errors: complete, as drawn, kept whole by pickling, and telling what to do."""

from __future__ import annotations

import builtins
import inspect
import pickle
from typing import Literal, get_args

import msgspec
import pytest
import trio.testing

import manus
from manus import errors
from manus.errors import ERROR_OF, LLMError, error_of, error_of_terminal
from manus.messages.content import Text
from manus.messages.failures import Failed, FailureKind
from manus.messages.ids import RequestId, deployment_id
from manus.messages.outcomes import Answer, Attempt, Route, Unfinished
from manus.messages.usage import Usage
from manus.sim.behaviour import Script
from manus.sim.faults import Fault, Rejected
from manus.supervisor.phase import Phase
from manus.supervisor.terminals import (
    ActorFailed,
    Expired,
    SupervisorTerminal,
    Unavailable,
    Undelivered,
    Withdrawn,
)
from tests.face.rig import TEXT, Rig, open_rig


def attempt(number: int, provider: str, failure: Failed) -> Attempt:
    return Attempt(
        number=number,
        deployment=deployment_id(provider, "m"),
        provider=provider,
        model="m",
        result=failure.kind,
        started_s=0.0,
        ended_s=1.0,
        failure=failure,
        booking="settled",
    )


def unfinished(failure: Failed, *providers: str) -> Unfinished:
    return Unfinished(
        request_id=RequestId("req-1"),
        failure=failure,
        partial=Answer(parts=(Text(text="so far"),), safety=(msgspec.Raw(b"{}"),)),
        usage=Usage(input_uncached=3, output=2, source="reported"),
        cost_nano_usd=5,
        route=Route(attempts=tuple(attempt(i, name, failure) for i, name in enumerate(providers, start=1))),
    )


@pytest.mark.parametrize(("phase", "cls"), [("streaming", manus.StreamingError), ("sent", manus.ProviderError)])
def test_a_connection_that_breaks_inside_an_answer_is_an_error_of_its_stream(
    phase: Literal["streaming", "sent"], cls: type[LLMError]
) -> None:
    failure = Failed(kind="network", message="The connection broke.", phase=phase)
    assert type(error_of(unfinished(failure, "first"))) is cls


def test_a_stream_that_nobody_could_take_up_is_told_as_it_broke_off() -> None:
    failure = Failed(kind="network", message="The connection broke.", phase="streaming")
    begun, tried = attempt(1, "first", failure), attempt(2, "second", failure)
    tried = msgspec.structs.replace(tried, role="splice")
    told = msgspec.structs.replace(unfinished(failure), route=Route(attempts=(begun, tried)))
    assert type(error_of(told)) is manus.StreamingError


def test_every_kind_of_failure_has_its_exception() -> None:
    assert set(ERROR_OF) == set(get_args(FailureKind))


def test_the_tree_is_as_drawn() -> None:
    """Each line of the drawing names a class; its depth is the depth of the class below `LLMError`."""
    drawing = (errors.__doc__ or "").split("```")[1].strip().splitlines()
    depths = {line.replace("│", " ").lstrip("├└─ ").split()[0]: _depth_drawn(line) for line in drawing}
    classes = {
        name: cls
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, LLMError) and cls.__module__ == "manus.errors"
    }
    assert depths == {name: _depth_of(cls) for name, cls in classes.items()}


def _depth_drawn(line: str) -> int:
    name_at = len(line) - len(line.replace("│", " ").lstrip("├└─ "))
    return name_at // 4


def _depth_of(cls: type) -> int:
    return sum(issubclass(parent, LLMError) for parent in cls.__mro__) - 1


def test_timeouts_are_the_builtin_kind_too_and_bad_requests_value_errors() -> None:
    assert issubclass(manus.TimeoutError, builtins.TimeoutError)
    assert issubclass(manus.InvalidRequestError, ValueError)


@pytest.mark.parametrize("kind", get_args(FailureKind))
def test_an_error_carries_all_that_is_known_and_survives_pickling(kind: FailureKind) -> None:
    error = error_of(unfinished(Failed(kind=kind, message="It broke. Mend it.", retry_after_s=2.0), "a"))
    again = pickle.loads(pickle.dumps(error))  # our own bytes
    assert type(again) is type(error) is ERROR_OF[kind]
    assert str(again) == str(error) == "It broke. Mend it. Come back in 2 s. [a/m, request req-1]"
    for each in (error, again):
        assert each.kind == kind
        assert each.request_id == "req-1"
        assert each.retry_after_s == 2.0
        assert each.usage.total == 5
        assert each.cost_nano_usd == 5
        assert [told.provider for told in each.attempts] == ["a"]
        assert each.partial is not None
        assert each.partial_text == "so far"
        assert each.to_dict()["type"] == type(error).__name__


@pytest.mark.parametrize("kind", get_args(FailureKind))
def test_several_candidates_that_failed_are_a_fallback_error_unless_one_failure_decides(kind: FailureKind) -> None:
    failure = Failed(kind=kind, message="It broke.")
    falls_back = failure.what_to_do.elsewhere == "yes" and kind not in ("admission", "budget_exceeded")
    expected = manus.FallbackError if falls_back else ERROR_OF[kind]
    assert type(error_of(unfinished(failure, "a", "b"))) is expected
    assert type(error_of(unfinished(failure, "a", "a"))) is ERROR_OF[kind]


@pytest.mark.parametrize(
    ("kind", "cls"), [("admission", manus.RateLimitError), ("budget_exceeded", manus.BudgetExceededError)]
)
def test_ones_own_bounds_are_told_as_such_unless_somebody_was_asked_and_failed_too(
    kind: FailureKind, cls: type[LLMError]
) -> None:
    bound, broken = Failed(kind=kind, message="No room."), Failed(kind="server", message="It broke.")
    assert type(error_of(unfinished(bound, "a", "b"))) is cls
    mixed = msgspec.structs.replace(
        unfinished(bound), route=Route(attempts=(attempt(1, "a", broken), attempt(2, "b", bound)))
    )
    assert type(error_of(mixed)) is manus.FallbackError


def test_a_wait_of_hours_is_told_in_hours() -> None:
    error = error_of(unfinished(Failed(kind="budget_exceeded", message="It is used up.", retry_after_s=19_200.0)))
    assert str(error) == "It is used up. Come back in 5 h 20 min."
    assert error.retry_after_s == 19_200.0


def test_an_error_as_plain_data_tells_what_was_used() -> None:
    told = error_of(unfinished(Failed(kind="server", message="It broke."), "a")).to_dict()
    usage = told["usage"]
    assert isinstance(usage, dict)
    assert (usage["total_tokens"], usage["cost_nano_usd"], usage["durable"]) == (5, 5, True)


def test_a_name_of_the_callers_that_stands_for_nobody_is_a_bad_request() -> None:
    failure = Failed(kind="no_candidate", message="No provider is called 'x'.", param="provider")
    assert type(error_of(unfinished(failure))) is manus.InvalidRequestError
    assert type(error_of(unfinished(Failed(kind="no_candidate", message="Nobody is able.")))) is manus.FallbackError


@pytest.mark.parametrize(
    ("terminal", "error"),
    [
        (ActorFailed(kind="stopped", safe_to_retry=True, phase=Phase.QUEUED), manus.RequestCancelledError),
        (ActorFailed(kind="actor_crashed", safe_to_retry=True, phase=Phase.QUEUED), manus.InternalError),
        (ActorFailed(kind="actor_hung", safe_to_retry=False, phase=Phase.SENT), manus.InternalError),
        (ActorFailed(kind="actor_wedged", safe_to_retry=False, phase=Phase.SENT), manus.InternalError),
        (ActorFailed(kind="request_crashed", safe_to_retry=False, phase=Phase.SENT), manus.InternalError),
        (Undelivered(reason="stopping"), manus.RequestCancelledError),
        (Undelivered(reason="full"), manus.OverloadedError),
        (Undelivered(reason="unavailable"), manus.OverloadedError),
        (Unavailable(retry_after_s=3.0), manus.OverloadedError),
        (Expired(where="queued"), manus.TimeoutError),
        (Expired(where="running"), manus.TimeoutError),
        (Withdrawn(), manus.RequestCancelledError),
    ],
)
def test_what_the_supervisor_says_becomes_an_error_with_a_mend(
    terminal: SupervisorTerminal, error: type[LLMError]
) -> None:
    made = error_of_terminal(terminal, "req-1")
    assert type(made) is error
    assert made.request_id == "req-1"
    assert str(made).endswith((".", ")", ")."))
    if isinstance(terminal, Unavailable):
        assert made.retry_after_s == 3.0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Rejected(status=400), manus.InvalidRequestError),
        (Rejected(status=401), manus.AuthenticationError),
        (Rejected(status=403), manus.AuthenticationError),
        (Rejected(status=404), manus.ProviderError),
        (Rejected(status=429), manus.RateLimitError),
        (Rejected(status=429, code="insufficient_quota"), manus.RateLimitError),
        (Rejected(status=400, code="context_length_exceeded"), manus.ContextLengthError),
        (Rejected(status=400, code="content_policy_violation"), manus.ContentPolicyError),
        (Rejected(status=500), manus.ProviderError),
        (Rejected(status=503), manus.ProviderError),
    ],
    ids=lambda value: str(getattr(value, "code", None) or getattr(value, "status", value)),
)
async def test_what_a_provider_says_becomes_the_error_that_users_know(
    autojump_clock: trio.testing.MockClock, fault: Fault, error: type[LLMError]
) -> None:
    async with open_rig(Rig(Script(text=TEXT, fault=fault))) as agent:
        with pytest.raises(error) as caught:
            await agent.generate("Hello", fallback_providers=[])
    assert type(caught.value) is error
    assert caught.value.provider == "first"
    assert caught.value.attempts[-1].booking == "released"


async def test_when_everybody_fails_each_is_told_of(autojump_clock: trio.testing.MockClock) -> None:
    broken = Script(fault=Rejected(status=500))
    async with open_rig(Rig(broken, broken)) as agent:
        with pytest.raises(manus.FallbackError) as caught:
            await agent.generate("Hello")
    assert {told.provider for told in caught.value.attempts} == {"first", "second"}
    assert "first/big: server" in str(caught.value)


def test_a_configuration_error_survives_pickling_with_its_problems() -> None:
    with pytest.raises(manus.ConfigurationError) as caught:
        manus.load_config("/no/such/file.toml")
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.problems == caught.value.problems
    assert "manus config init" in str(again)
