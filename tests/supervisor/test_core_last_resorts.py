"""What happens when restarting does not help: quarantine, zombies, the end of a significant child."""

from __future__ import annotations

import pytest

from manus.supervisor import events, protocol
from manus.supervisor.protocol import Cancel, Drain, Fence, Quarantine, Readmit, Retire, Start
from manus.supervisor.reasons import Crashed, Hung, Normal, Shutdown
from manus.supervisor.spec import Intensity
from tests.supervisor.core_rig import Rig, ids, worker

BOOM = Crashed(error="boom")
ONE = Intensity(max_restarts=1, period_s=60.0)


# --- quarantine -------------------------------------------------------------------------------------


def quarantined() -> Rig:
    rig = Rig(worker("a", on_exhausted="quarantine", quarantine_s=30.0, intensity=ONE), worker("b"))
    rig.boot()
    rig.crash_and_restart("a")
    rig.exits("a", BOOM)
    return rig


def test_an_exhausted_child_rests_and_its_siblings_do_not_notice() -> None:
    rig = quarantined()
    assert rig.did(Quarantine) == [Quarantine(id="a", until=rig.now + 30.0)]
    assert [type(event) for event in rig.said()] == [events.ActorExited, events.Quarantined]
    assert rig.states() == {"a": "quarantined", "b": "running"}


def test_after_its_rest_it_is_tried_once_and_admitted_when_it_is_up() -> None:
    rig = quarantined()
    rig.due("a")
    assert (ids(rig.did(Start)), rig.did(Readmit)) == (["a"], [])
    rig.started("a")
    assert rig.did(Readmit) == [Readmit(id="a")]
    assert [event.probation for event in rig.said() if isinstance(event, events.ActorStarted)] == [True]


@pytest.mark.parametrize("had_started", [False, True])
def test_a_failure_in_probation_goes_straight_back(had_started: bool) -> None:
    """Even when the window has room again: the budget is for a child that is known to work."""
    rig = quarantined()
    rig.now += 100.0
    rig.due("a")
    if had_started:
        rig.started("a")
    rig.exits("a", BOOM)
    assert len(rig.did(Quarantine)) == 1
    assert rig.state("a") == "quarantined"


def test_a_healthy_run_ends_the_probation() -> None:
    rig = quarantined()
    rig.due("a")
    rig.started("a")
    rig.now += 60.0
    rig.exits("a", BOOM)
    assert rig.state("a") == "backoff"
    rig.due("a")
    rig.started("a")
    assert [event.probation for event in rig.said() if isinstance(event, events.ActorStarted)] == [False]


def test_a_rest_that_ends_with_the_supervisor_opens_the_mailbox_for_the_successor() -> None:
    rig = quarantined()
    rig.stop(retire=False)
    assert rig.did(Readmit) == [Readmit(id="a")]
    assert rig.did(Retire) == []


# --- liveness and zombies ---------------------------------------------------------------------------


def test_a_hung_child_is_cancelled_and_comes_back_as_after_a_crash() -> None:
    rig = Rig(worker("a", restart="transient"))
    rig.boot()
    rig.hangs("a")
    assert [type(event) for event in rig.said()] == [events.Hung]
    assert [cancel.by for cancel in rig.did(Cancel)] == ["liveness"]
    rig.exits("a", Shutdown(by="liveness"))
    (answer,) = rig.did(protocol.AnswerInHand)
    assert answer.reason == Hung(kind="progress", busy_s=9.0)
    assert rig.state("a") == "backoff"


def test_a_wedged_child_is_fenced_and_its_next_incarnation_starts_alongside() -> None:
    rig = Rig(worker("a", shutdown_s=5.0))
    rig.boot()
    rig.hangs("a")
    rig.due("a")
    assert rig.now == 5.0
    assert [type(action) for action in rig.last[:1]] == [Fence]
    assert [type(event) for event in rig.said()] == [
        events.ShutdownOverran,
        events.Wedged,
        events.ActorExited,
        events.RestartScheduled,
    ]
    rig.due("a")
    assert rig.did(Start) == [Start(id="a", generation=2, cause="a#1")]
    assert rig.core.status()[0].zombies == 1


def test_a_second_zombie_escalates_whatever_the_intensity_says() -> None:
    rig = Rig(worker("a", intensity=Intensity(max_restarts=50, period_s=1e6)))
    rig.boot()
    for _ in range(2):
        rig.hangs("a")
        rig.due("a")
        if rig.state("a") == "backoff":
            rig.due("a")
            rig.started("a")
    assert len(rig.did(protocol.Escalate)) == 1


def test_a_zombie_that_ends_at_last_makes_room_and_changes_nothing_else() -> None:
    rig = Rig(worker("a"))
    rig.boot()
    rig.hangs("a")
    rig.due("a")
    rig.due("a")
    rig.started("a")
    assert rig.exits("a", Shutdown(by="liveness"), generation=1) == []
    assert rig.core.status()[0].zombies == 0
    rig.hangs("a")
    rig.due("a")
    assert rig.state("a") == "backoff"


def test_a_child_with_two_zombies_stays_in_quarantine_until_one_is_gone() -> None:
    rig = Rig(worker("a", on_exhausted="quarantine"))
    rig.boot()
    for _ in range(2):
        rig.hangs("a")
        rig.due("a")
        if rig.state("a") == "backoff":
            rig.due("a")
            rig.started("a")
    assert rig.state("a") == "quarantined"
    rig.due("a")
    assert rig.state("a") == "quarantined"
    rig.exits("a", Normal(), generation=1)
    rig.due("a")
    assert rig.state("a") == "starting"


def test_a_sibling_that_wedges_while_taken_down_is_charged_for_it() -> None:
    rig = Rig(worker("a"), worker("b"), strategy="one_for_all")
    rig.boot()
    rig.exits("a", BOOM)
    rig.due("b")
    assert [type(event) for event in rig.said()][-1] is events.RestartScheduled
    assert rig.state("b") == "backoff"


# --- significant children ---------------------------------------------------------------------------


@pytest.mark.parametrize(("restart", "reason"), [("transient", Normal()), ("temporary", BOOM), ("temporary", Normal())])
def test_a_significant_child_that_ends_for_good_ends_its_supervisor(restart: str, reason: Normal | Crashed) -> None:
    rig = Rig(worker("a"), worker("b", restart=restart, significant=True))
    rig.boot()
    rig.exits("b", reason)
    assert ids(rig.did(Drain)) == ["a"]
    rig.exits("a", Normal())
    assert rig.did(protocol.Exit) == [protocol.Exit(reason=Shutdown(by="end of b"))]


def test_a_significant_child_that_comes_back_does_not() -> None:
    rig = Rig(worker("a"), worker("b", restart="transient", significant=True))
    rig.boot()
    rig.exits("b", BOOM)
    assert rig.states() == {"a": "running", "b": "backoff"}


def test_a_significant_child_that_others_end_does_not() -> None:
    rig = Rig(worker("a"), worker("b", restart="temporary", significant=True), strategy="one_for_all")
    rig.boot()
    rig.exits("a", BOOM)
    rig.exits("b", Shutdown(by="supervisor"))
    assert rig.states() == {"a": "backoff", "b": "stopped"}
