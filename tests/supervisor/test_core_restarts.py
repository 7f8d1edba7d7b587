"""How children start, fail and come back."""

from __future__ import annotations

import math
import random

from manus.supervisor import events, protocol
from manus.supervisor.core import SupervisorCore
from manus.supervisor.protocol import Cancel, Ready, Retire, Start
from manus.supervisor.reasons import Crashed, Hung, InitFailed, Normal, Shutdown
from manus.supervisor.spec import Backoff, Intensity, SupervisorSpec
from tests.supervisor.core_rig import Rig, ids, worker

BOOM = Crashed(error="boom")
ONE = Intensity(max_restarts=1, period_s=60.0)
NO_JITTER = Backoff(min_s=1.0, max_s=4.0, jitter=0.0)


# --- starting ---------------------------------------------------------------------------------------


def test_children_start_one_after_another() -> None:
    rig = Rig(worker("a"), worker("b"))
    assert ids([a for a in rig.hand(protocol.StartRequested()) if isinstance(a, Start)]) == ["a"]
    rig.started("a")
    assert ids(rig.did(Start)) == ["b"]
    assert rig.did(Ready) == []
    rig.started("b")
    assert len(rig.did(Ready)) == 1


def test_children_without_order_start_together() -> None:
    rig = Rig(worker("a"), worker("b"), ordered=False)
    rig.hand(protocol.StartRequested())
    assert ids(rig.did(Start)) == ["a", "b"]


def test_a_supervisor_without_children_is_ready_at_once() -> None:
    rig = Rig()
    assert rig.hand(protocol.StartRequested()) == [Ready()]


def test_a_failed_first_start_holds_up_its_juniors_until_it_succeeds() -> None:
    rig = Rig(worker("a"), worker("b"))
    rig.hand(protocol.StartRequested())
    rig.exits("a", InitFailed(error="no"))
    assert rig.states() == {"a": "backoff", "b": "waiting"}
    rig.due("a")
    rig.started("a")
    assert rig.states() == {"a": "running", "b": "starting"}


def test_a_start_that_takes_too_long_is_cancelled_and_counts_as_failed() -> None:
    rig = Rig(worker("a", start_timeout_s=3.0))
    rig.hand(protocol.StartRequested())
    rig.due("a")
    assert rig.now == 3.0
    assert rig.did(Cancel) == [Cancel(id="a", generation=1, by="start timeout", hard_until=math.inf, retire=False)]
    rig.exits("a", Shutdown(by="start timeout"))
    (failed, _) = rig.said()
    assert isinstance(failed, events.StartFailed)
    assert failed.reason == InitFailed(error="not started within 3 s")
    assert rig.state("a") == "backoff"


def test_a_start_reported_after_its_timeout_is_too_late() -> None:
    rig = Rig(worker("a"))
    rig.hand(protocol.StartRequested())
    rig.due("a")
    assert rig.started("a") == []
    assert rig.state("a") == "stopping"


def test_a_child_that_returns_without_having_started_has_failed_to() -> None:
    rig = Rig(worker("a"))
    rig.hand(protocol.StartRequested())
    rig.exits("a", Normal())
    assert [event.reason for event in rig.said() if isinstance(event, events.StartFailed)] == [
        InitFailed(error="returned without having started")
    ]


# --- restarting -------------------------------------------------------------------------------------


def test_the_in_hand_is_answered_first_of_all() -> None:
    rig = Rig(worker("a"))
    rig.boot()
    rig.exits("a", BOOM)
    assert rig.last[0] == protocol.AnswerInHand(id="a", generation=1, reason=BOOM)


def test_back_off_grows_with_each_failure_in_a_row_and_begins_anew_after_a_healthy_run() -> None:
    rig = Rig(worker("a", backoff=NO_JITTER, intensity=Intensity(max_restarts=10, period_s=60.0)))
    rig.boot()
    delays_s = []
    for healthy in (False, False, False, False, True, False):
        rig.now += 60.0 if healthy else 0.0
        rig.exits("a", BOOM)
        delays_s += [event.delay_s for event in rig.said() if isinstance(event, events.RestartScheduled)]
        rig.due("a")
        rig.started("a")
    assert delays_s == [1.0, 2.0, 4.0, 4.0, 1.0, 2.0]


def test_a_healthy_run_counts_though_a_sibling_ended_it() -> None:
    rig = Rig(worker("a", backoff=NO_JITTER), worker("b", backoff=NO_JITTER), strategy="one_for_all")
    rig.boot()
    for ran_s in (0.0, 60.0):
        rig.now += ran_s
        rig.exits("a" if ran_s == 0.0 else "b", BOOM)
        rig.exits("b" if ran_s == 0.0 else "a", Shutdown(by="supervisor"))
        rig.due("a" if ran_s == 0.0 else "b")
        rig.started("a")
        rig.started("b")
    rig.exits("a", BOOM)
    assert [event.delay_s for event in rig.said() if isinstance(event, events.RestartScheduled)] == [1.0]


def test_time_spent_starting_is_not_time_spent_healthy() -> None:
    rig = Rig(worker("a", backoff=NO_JITTER, start_timeout_s=100.0))
    rig.boot()
    rig.crash_and_restart("a")
    rig.exits("a", BOOM)
    rig.due("a")
    rig.now += 90.0
    rig.exits("a", BOOM)
    assert [event.delay_s for event in rig.said() if isinstance(event, events.RestartScheduled)] == [4.0]


def test_a_stale_timer_starts_nothing() -> None:
    rig = Rig(worker("a"))
    rig.boot()
    rig.exits("a", BOOM)
    _, first_timer = rig.timers["a"]
    rig.due("a")
    rig.started("a")
    rig.exits("a", BOOM)
    assert rig.hand(protocol.Tick(id="a", timer=first_timer)) == []
    assert rig.state("a") == "backoff"


def test_a_timer_that_comes_early_is_set_again() -> None:
    rig = Rig(worker("a"))
    rig.boot()
    rig.exits("a", BOOM)
    at, timer = rig.timers["a"]
    assert rig.hand(protocol.Tick(id="a", timer=timer)) == [protocol.ScheduleAt(at=at, id="a", timer=timer)]
    rig.due("a")
    assert rig.state("a") == "starting"


def test_generations_count_up_and_old_ones_have_no_say() -> None:
    rig = Rig(worker("a"))
    rig.boot()
    rig.crash_and_restart("a")
    assert rig.generations["a"] == 2
    assert rig.exits("a", BOOM, generation=1) == []
    assert rig.hand(protocol.ChildStarted(id="a", generation=1)) == []
    assert rig.hand(protocol.ChildHung(id="a", generation=1, reason=Hung(kind="ping", busy_s=1.0))) == []
    assert rig.state("a") == "running"


def test_one_restart_more_than_the_intensity_escalates() -> None:
    rig = Rig(worker("a"), worker("b", intensity=ONE), worker("c"))
    rig.boot()
    rig.crash_and_restart("b")
    rig.exits("b", BOOM)
    assert rig.did(protocol.Escalate) == [protocol.Escalate(child="b", reason=BOOM)]
    assert ids(rig.did(Cancel)) == ["c"]
    rig.exits("c", Normal())
    rig.exits("a", Normal())
    (end,) = rig.did(protocol.Exit)
    assert end.reason == Crashed(error="b could not be kept running: crashed: boom")


def test_an_escalation_keeps_the_mailboxes_for_the_successor() -> None:
    rig = Rig(worker("a"), worker("b", intensity=Intensity(max_restarts=0)))
    rig.boot()
    rig.exits("b", BOOM)
    rig.exits("a", Normal())
    assert rig.did(Retire) == []


def test_the_successor_goes_on_counting_generations() -> None:
    rig = Rig(worker("a"), worker("b", intensity=Intensity(max_restarts=0)))
    rig.boot()
    rig.crash_and_restart("a")
    rig.hand(protocol.AddRequested(spec=worker("c")))
    rig.started("c")
    rig.exits("b", BOOM)
    rig.exits("c", Normal())
    rig.exits("a", Normal())
    successor = SupervisorCore(SupervisorSpec(id="root"), rng=random.Random(1), carried=rig.core.carry())
    successor.handle(protocol.StartRequested(), rig.now)
    assert [(each.id, each.generation) for each in successor.status()] == [("a", 3), ("b", 1), ("c", 1)]


def test_events_name_the_incarnation_that_caused_them() -> None:
    rig = Rig(worker("a"), worker("b"), strategy="one_for_all")
    rig.boot()
    rig.exits("a", BOOM)
    said = rig.said()
    rig.exits("b", Normal())
    said += rig.said()
    rig.due("a")
    rig.started("a")
    said += rig.said()
    rig.started("b")
    said += rig.said()
    assert {event.cause for event in said} == {"a#1"}
    assert [(type(event).__name__, event.actor) for event in said] == [
        ("ActorExited", "a"),
        ("RestartScheduled", "a"),
        ("ActorExited", "b"),
        ("ActorStarted", "a"),
        ("ActorStarted", "b"),
    ]


def test_a_cancelled_sibling_does_not_spend_its_own_intensity() -> None:
    rig = Rig(worker("a"), worker("b", intensity=Intensity(max_restarts=0)), strategy="one_for_all")
    rig.boot()
    rig.exits("a", BOOM)
    rig.exits("b", Crashed(error="clean-up failed"))
    assert rig.state("b") == "waiting"


def test_a_group_waits_for_its_slowest_member() -> None:
    rig = Rig(worker("a", backoff=NO_JITTER), worker("b", shutdown_s=30.0), strategy="one_for_all")
    rig.boot()
    rig.exits("a", BOOM)
    rig.due("a")
    assert rig.states() == {"a": "waiting", "b": "stopping"}
    rig.exits("b", Normal())
    assert rig.states() == {"a": "starting", "b": "waiting"}
