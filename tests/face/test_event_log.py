"""Events rendered for the `manus` logger: levels, fields, and silence where nobody wants them."""

from __future__ import annotations

import logging

import pytest
import trio
import trio.testing

from manus.event_log import LOGGER, line_of, log_event
from manus.messages.accounting import LedgerTroubled
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
