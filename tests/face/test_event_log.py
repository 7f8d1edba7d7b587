"""Events rendered for the `manus` logger: levels, fields, and silence where nobody wants them."""

from __future__ import annotations

import logging

import msgspec
import pytest
import trio
import trio.testing

from manus.event_log import LOGGER, line_of, log_event
from manus.messages.accounting import LedgerTroubled
from manus.messages.conversations import ConversationForgotten
from manus.messages.ids import RequestId, deployment_id
from manus.messages.limits import BudgetWarned, Scope
from manus.messages.outcomes import RateLimitReading
from manus.messages.usage import Usage
from manus.messages.watching import AttemptEnded
from manus.supervisor.events import ActorExited, ActorStarted, LoopStalled, RestartScheduled
from manus.supervisor.reasons import Crashed
from tests.face.rig import Rig, open_rig


def test_an_event_is_one_line_of_its_fields_without_its_stack() -> None:
    event = ActorExited(at=1.0, actor="router", generation=2, reason=Crashed(error="ValueError: no", traceback="x\ny"))
    assert line_of(event) == "ActorExited actor=router generation=2 reason=crashed: ValueError: no"
    assert "secret.py" not in line_of(LoopStalled(at=1.0, actor="", stalled_s=2.0, stack="File secret.py"))
    assert line_of(LedgerTroubled(reason="disk full")) == "LedgerTroubled reason=disk full"
    assert line_of(object()) == "object"


def test_what_is_expected_is_quiet_and_what_is_not_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="manus"):
        log_event(ActorStarted(at=0.0, actor="router"))
        log_event(RestartScheduled(at=0.0, actor="router", delay_s=1.0, n_in_period=1))
    assert [record.levelname for record in caplog.records] == ["DEBUG", "WARNING"]


def test_a_conversation_that_had_to_go_is_told_as_news(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="manus"):
        log_event(ConversationForgotten(at=0.0, conversation_id="c", why="count", exchanges=3))
    told = [(record.levelname, record.message) for record in caplog.records]
    assert told == [("INFO", "ConversationForgotten conversation_id=c why=count exchanges=3")]


def test_an_attempt_is_a_line_with_the_vendors_id_and_limits_and_louder_when_it_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended = AttemptEnded(
        at=1.0,
        request_id=RequestId("req-1"),
        attempt=1,
        deployment=deployment_id("p", "m"),
        result="ok",
        booking="settled",
        vendor_request_id="req_v",
        usage=Usage(input_uncached=3, cache_read=1, output=2, source="reported"),
        cost_nano_usd=5,
        rate_limits=(
            RateLimitReading(dimension="requests", limit=10, remaining=9),
            RateLimitReading(dimension="tokens", remaining=0, reset_s=1.0),
        ),
    )
    assert line_of(ended) == (
        "AttemptEnded request_id=req-1 attempt=1 deployment=p/m result=ok booking=settled vendor_request_id=req_v "
        "usage=4+2 cost_nano_usd=5 rate_limits=requests:9/10,tokens:0/?"
    )
    with caplog.at_level(logging.DEBUG, logger="manus"):
        for result in ("ok", "server", "cancelled"):
            log_event(msgspec.structs.replace(ended, result=result))
    assert [record.levelname for record in caplog.records] == ["DEBUG", "INFO", "DEBUG"]


def test_a_budget_that_is_nearly_used_up_is_a_warning_in_words(caplog: pytest.LogCaptureFixture) -> None:
    warned = BudgetWarned(
        at=1.0,
        source="budgets.usd_per_day",
        scope=Scope(),
        share=0.8,
        used=16_400_000_000,
        amount=20_000_000_000,
        unit="nano_usd",
        ends_unix_s=1_795_564_800.0,
    )
    assert line_of(warned) == (
        "BudgetWarned budgets.usd_per_day: 80 % is passed, $16.40 of $20.00 are used, until 2026-11-25 00:00 UTC"
    )
    rolling = msgspec.structs.replace(
        warned, scope=Scope(kind="tag", name="team"), unit="tokens", used=5, amount=1_000, ends_unix_s=None, share=0.005
    )
    assert line_of(rolling).endswith("of tag team: 0.5 % is passed, 5 tokens of 1,000 tokens are used")
    with caplog.at_level(logging.DEBUG, logger="manus"):
        log_event(warned)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize("enabled", [True, False])
async def test_the_configuration_decides_whether_events_are_logged(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, enabled: bool
) -> None:
    with caplog.at_level(logging.DEBUG, logger="manus"):
        async with open_rig(Rig(), {"general": {"enable_logging": enabled}}) as agent:
            agent._tree.crash("router", RuntimeError("injected"))
            await trio.sleep(1)
    assert bool(caplog.records) is enabled


def test_a_host_that_set_up_no_logging_sees_nothing_on_stderr() -> None:
    assert any(isinstance(handler, logging.NullHandler) for handler in LOGGER.handlers)
