"""How children are stopped, added and removed, workers and supervisors alike."""

from __future__ import annotations

import math

import pytest

from manus.supervisor import events, protocol
from manus.supervisor.child import UNWIND_S
from manus.supervisor.protocol import Cancel, Drain, Fence, Forget, Retire, Start
from manus.supervisor.reasons import Crashed, Normal, Wedged
from manus.supervisor.spec import SupervisorSpec
from tests.supervisor.core_rig import Rig, ids, worker

BOOM = Crashed(error="boom")


# --- stopping ---------------------------------------------------------------------------------------


def test_stop_drains_in_reverse_start_order_one_after_another() -> None:
    rig = Rig(worker("a"), worker("b"), worker("c"))
    rig.boot()
    order = []
    rig.stop(drain_s=10.0)
    while drained := ids(rig.did(Drain)):
        order += drained
        rig.exits(drained[0], Normal())
        assert ids(rig.did(Retire)) == drained
    assert order == ["c", "b", "a"]


def test_children_without_order_drain_together_under_one_limit() -> None:
    rig = Rig(worker("a"), worker("b", drain_s=3.0), ordered=False)
    rig.boot()
    rig.stop(drain_s=10.0)
    assert [(drain.id, drain.until) for drain in rig.did(Drain)] == [("b", 3.0), ("a", 10.0)]


def test_a_drain_that_overruns_is_cancelled_then_fenced() -> None:
    rig = Rig(worker("a", shutdown_s=2.0))
    rig.boot()
    rig.stop(drain_s=10.0)
    rig.due("a")
    assert [(type(event), event.phase) for event in rig.said() if isinstance(event, events.ShutdownOverran)] == [
        (events.ShutdownOverran, "drain")
    ]
    assert ids(rig.did(Cancel)) == ["a"]
    rig.due("a")
    assert rig.now == 12.0
    assert ids(rig.did(Fence)) == ["a"]
    assert [event.reason for event in rig.said() if isinstance(event, events.ActorExited)] == [Wedged(waited_s=2.0)]
    assert len(rig.did(protocol.Exit)) == 1


def test_a_second_stop_skips_to_cancellation() -> None:
    rig = Rig(worker("a"), worker("b"))
    rig.boot()
    rig.stop(drain_s=100.0)
    assert ids(rig.did(Drain)) == ["b"]
    rig.stop()
    assert ids(rig.did(Cancel)) == ["b"]
    rig.exits("b", Normal())
    assert ids(rig.did(Cancel)) == ["a"]


def test_a_second_stop_never_gives_more_time() -> None:
    rig = Rig(worker("a"))
    rig.boot()
    rig.stop(drain_s=1.0, hard_s=2.0)
    rig.stop(drain_s=50.0, hard_s=60.0)
    assert rig.timers["a"][0] == 1.0
    rig.due("a")
    rig.stop(hard_s=60.0)
    assert rig.timers["a"][0] == 2.0 + UNWIND_S


def test_the_hard_limit_ends_everything_at_once() -> None:
    rig = Rig(worker("a"), worker("b"), worker("c"))
    rig.boot()
    rig.stop(drain_s=100.0, hard_s=4.0)
    rig.due("c")
    assert rig.now == 4.0
    assert sorted(ids(rig.did(Cancel))) == ["a", "b", "c"]
    for name in ("a", "b", "c"):
        rig.due(name)
    assert rig.now <= 4.0 + 2 * UNWIND_S
    assert len(rig.did(protocol.Exit)) == 1


def test_a_child_that_is_starting_is_not_drained() -> None:
    rig = Rig(worker("a"))
    rig.hand(protocol.StartRequested())
    rig.stop(drain_s=10.0)
    assert ids(rig.did(Cancel)) == ["a"]


def test_a_stop_before_the_start_ends_at_once_and_starts_nothing() -> None:
    rig = Rig(worker("a"))
    rig.stop()
    assert len(rig.did(protocol.Exit)) == 1
    assert rig.hand(protocol.StartRequested()) == []


def test_a_child_that_crashes_before_its_turn_to_stop_is_not_restarted() -> None:
    rig = Rig(worker("a"), worker("b"))
    rig.boot()
    rig.stop(drain_s=10.0)
    rig.exits("a", BOOM)
    assert rig.states() == {"a": "stopped", "b": "draining"}
    assert ids(rig.did(Retire)) == ["a"]


def test_a_crash_in_the_midst_of_a_drain_is_its_own_cause() -> None:
    rig = Rig(worker("a"))
    rig.boot()
    rig.stop(drain_s=10.0)
    rig.exits("a", BOOM)
    assert [event.cause for event in rig.said()] == ["a#1"]
    assert len(rig.did(protocol.Exit)) == 1


def test_a_grace_of_nothing_still_lets_the_task_unwind() -> None:
    rig = Rig(worker("a", shutdown_s=0.0))
    rig.boot()
    rig.stop()
    assert rig.timers["a"][0] == UNWIND_S


# --- supervisors as children ------------------------------------------------------------------------


def nested(**settings: object) -> SupervisorSpec:
    return SupervisorSpec(id="inner", children=(worker("x"),), **settings)  # type: ignore[arg-type]


def test_an_escalation_of_a_sub_supervisor_is_a_crash_to_its_parent() -> None:
    rig = Rig(nested())
    rig.boot()
    rig.exits("inner", Crashed(error="x could not be kept running: crashed: boom"))
    assert rig.state("inner") == "backoff"


def test_a_sub_supervisor_has_no_limits_of_its_own_to_overrun() -> None:
    rig = Rig(nested())
    assert rig.hand(protocol.StartRequested()) == [Start(id="inner", generation=1, cause="start:root")]
    rig.started("inner")
    rig.stop(drain_s=10.0)
    assert rig.did(Drain) == [Drain(id="inner", generation=1, by="host", until=10.0, hard_until=math.inf)]
    assert rig.did(protocol.ScheduleAt) == []


def test_a_sub_supervisor_that_outstays_the_hard_limit_is_fenced_after_its_children_had_time_to_unwind() -> None:
    rig = Rig(nested())
    rig.boot()
    rig.stop(drain_s=10.0, hard_s=20.0)
    rig.due("inner")
    assert ids(rig.did(Cancel)) == ["inner"]
    rig.due("inner")
    assert len(rig.did(Fence)) == 1
    assert 20.0 + 2 * UNWIND_S < rig.now < 21.0


def test_a_cancelled_sub_supervisor_that_comes_back_keeps_its_mailboxes() -> None:
    rig = Rig(worker("a"), nested(), strategy="one_for_all")
    rig.boot()
    rig.exits("a", BOOM)
    assert [(cancel.id, cancel.retire) for cancel in rig.did(Cancel)] == [("inner", False)]
    rig.stop()
    assert [(cancel.id, cancel.retire) for cancel in rig.did(Cancel)] == [("inner", True)]


# --- adding and removing ----------------------------------------------------------------------------


def test_an_added_child_starts_and_stops_as_the_youngest() -> None:
    rig = Rig(worker("a"))
    rig.boot()
    rig.hand(protocol.AddRequested(spec=worker("b")))
    rig.started("b")
    rig.stop(drain_s=1.0)
    assert ids(rig.did(Drain)) == ["b"]


def test_a_child_added_during_the_boot_waits_for_its_elders() -> None:
    rig = Rig(worker("a"))
    rig.hand(protocol.StartRequested())
    rig.hand(protocol.AddRequested(spec=worker("b")))
    assert rig.states() == {"a": "starting", "b": "waiting"}


def test_a_removed_child_drains_then_is_forgotten() -> None:
    rig = Rig(worker("a"), worker("b"))
    rig.boot()
    rig.hand(protocol.RemoveRequested(id="b", drain_until=5.0))
    assert [(drain.id, drain.until) for drain in rig.did(Drain)] == [("b", 5.0)]
    rig.exits("b", Normal())
    assert [type(action) for action in rig.last][-2:] == [Retire, Forget]
    assert rig.states() == {"a": "running"}


def test_a_drained_child_stays_on_the_roster() -> None:
    rig = Rig(worker("a"))
    rig.boot()
    rig.hand(protocol.DrainRequested(id="a", drain_until=5.0))
    rig.exits("a", BOOM)
    assert rig.state("a") == "stopped"
    assert ids(rig.did(Retire)) == ["a"]


def test_removal_ends_a_back_off_at_once() -> None:
    rig = Rig(worker("a"))
    rig.boot()
    rig.exits("a", BOOM)
    rig.hand(protocol.RemoveRequested(id="a", drain_until=5.0))
    assert rig.states() == {}
    rig.due("a")
    assert rig.last == []


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (protocol.AddRequested(spec=worker("a")), "duplicate"),
        (protocol.RemoveRequested(id="x", drain_until=0.0), "unknown"),
        (protocol.DrainRequested(id="x", drain_until=0.0), "unknown"),
    ],
)
def test_what_cannot_be_done_is_refused(request_: protocol.Input, why: str) -> None:
    rig = Rig(worker("a"))
    rig.boot()
    rig.hand(request_)
    assert [refuse.why for refuse in rig.did(protocol.Refuse)] == [why]
    rig.stop()
    rig.hand(request_)
    assert [refuse.why for refuse in rig.did(protocol.Refuse)] == ["stopping"]


def test_an_id_may_be_used_again_beside_the_zombie_of_the_removed_child() -> None:
    rig = Rig()
    rig.boot()
    rig.hand(protocol.AddRequested(spec=worker("a")))
    rig.started("a")
    rig.hand(protocol.RemoveRequested(id="a", drain_until=0.0))
    rig.due("a")
    assert len(rig.did(Forget)) == 1
    rig.hand(protocol.AddRequested(spec=worker("a")))
    assert rig.did(Start) == [Start(id="a", generation=2, cause="add:a")]
    assert rig.exits("a", Normal(), generation=1) == []
    assert rig.state("a") == "starting"


def test_an_added_temporary_child_that_ended_is_forgotten() -> None:
    rig = Rig()
    rig.boot()
    rig.hand(protocol.AddRequested(spec=worker("a", restart="temporary")))
    rig.started("a")
    rig.exits("a", Normal())
    assert ids(rig.did(Forget)) == ["a"]
    assert rig.states() == {}
