"""Reasons and events are data: they survive JSON, and each reason can be told in one line."""

from __future__ import annotations

import msgspec
import pytest

from manus.supervisor import events
from manus.supervisor.reasons import (
    Crashed,
    ExitReason,
    Hung,
    InitFailed,
    Normal,
    Shutdown,
    Wedged,
    as_init_failure,
    describe,
    is_abnormal,
)

REASONS: list[tuple[ExitReason, bool, str]] = [
    (Normal(), False, "finished"),
    (Shutdown(by="host"), False, "shut down by host"),
    (Shutdown(by="host", error="E"), False, "shut down by host, clean-up failed: E"),
    (Crashed(error="KeyError: 'x'", traceback="long\nlong"), True, "crashed: KeyError: 'x'"),
    (Hung(kind="ping", busy_s=5.0), True, "hung (ping) for 5 s"),
    (InitFailed(error="no"), True, "did not start: no"),
    (Wedged(waited_s=5.0), True, "ignored cancellation for 5 s"),
]


@pytest.mark.parametrize(("reason", "abnormal", "line"), REASONS)
def test_a_reason_is_told_in_one_line(reason: ExitReason, abnormal: bool, line: str) -> None:
    assert is_abnormal(reason) == abnormal
    assert describe(reason) == line


@pytest.mark.parametrize("reason", [reason for reason, _, _ in REASONS])
def test_reasons_survive_json(reason: ExitReason) -> None:
    assert msgspec.json.decode(msgspec.json.encode(reason), type=ExitReason) == reason


@pytest.mark.parametrize("reason", [reason for reason, _, _ in REASONS])
def test_the_end_of_what_never_started_is_abnormal(reason: ExitReason) -> None:
    assert is_abnormal(as_init_failure(reason))


def test_the_traceback_of_a_failed_start_is_kept() -> None:
    assert as_init_failure(Crashed(error="E", traceback="where")) == InitFailed(error="E", traceback="where")


@pytest.mark.parametrize(
    "event",
    [
        events.ActorExited(at=1.0, actor="a", generation=2, cause="a#2", reason=Crashed(error="E")),
        events.RestartScheduled(at=1.0, actor="a", generation=2, cause="a#2", delay_s=0.5, n_in_period=1),
        events.Lagged(at=2.0, actor="bus", missed=3),
    ],
)
def test_events_survive_json(event: events.SupervisionEvent) -> None:
    assert msgspec.json.decode(msgspec.json.encode(event), type=events.SupervisionEvent) == event
