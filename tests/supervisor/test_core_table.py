"""The whole table: three strategies, three restart types, every exit reason, in every state it can meet."""

from __future__ import annotations

from itertools import product

import pytest

from manus.supervisor import events, protocol
from manus.supervisor.reasons import Crashed, ExitReason, InitFailed, Normal, Shutdown
from manus.supervisor.spec import Restart, Strategy
from tests.supervisor.core_rig import Rig, ids, worker

STRATEGIES: list[Strategy] = ["one_for_one", "one_for_all", "rest_for_one"]
RESTARTS: list[Restart] = ["permanent", "transient", "temporary"]
ENDINGS = ["normal", "shutdown", "crashed", "hung", "init_failed", "wedged"]

# What OTP's table says for each restart type; hung, init_failed and wedged are abnormal like a crash.
COMES_BACK = {
    "permanent": {"normal", "shutdown", "crashed", "hung", "init_failed", "wedged"},
    "transient": {"crashed", "hung", "init_failed", "wedged"},
    "temporary": set(),
}
# Which of a, b, c go down with b.
TAKEN_ALONG = {"one_for_one": [], "one_for_all": ["a", "c"], "rest_for_one": ["c"]}


def end(rig: Rig, name: str, ending: str) -> None:
    """Bring an incarnation that runs to the given end."""
    match ending:
        case "normal":
            rig.exits(name, Normal())
        case "shutdown":
            rig.exits(name, Shutdown(by="somebody"))
        case "crashed":
            rig.exits(name, Crashed(error="boom"))
        case "hung":
            rig.hangs(name)
            rig.exits(name, Shutdown(by="liveness"))
        case "wedged":
            rig.hangs(name)
            rig.due(name)
        case _:
            raise AssertionError(ending)


def three(strategy: Strategy, restart: Restart) -> Rig:
    return Rig(worker("a"), worker("b", restart=restart), worker("c"), strategy=strategy)


def booted(strategy: Strategy, restart: Restart, ending: str) -> Rig:
    """Bring `b` to its end: from running, or for `init_failed` in its second start."""
    rig = three(strategy, restart)
    if ending == "init_failed":
        rig.hand(protocol.StartRequested())
        rig.started("a")
        rig.exits("b", InitFailed(error="no"))
    else:
        rig.boot()
        end(rig, "b", ending)
    return rig


@pytest.mark.parametrize(("strategy", "restart", "ending"), list(product(STRATEGIES, RESTARTS, ENDINGS)))
def test_end_while_running(strategy: Strategy, restart: Restart, ending: str) -> None:
    rig = booted(strategy, restart, ending)
    comes_back = ending in COMES_BACK[restart]
    assert rig.state("b") == ("backoff" if comes_back else "stopped")
    assert [type(e) for e in rig.said()].count(events.RestartScheduled) == (1 if comes_back else 0)
    assert ids(rig.did(protocol.Retire)) == ([] if comes_back else ["b"])
    # The youngest of those taken along is cancelled now, the others in their turn.
    live = [name for name in TAKEN_ALONG[strategy] if ending != "init_failed" or name == "a"]
    assert ids(rig.did(protocol.Cancel)) == (live[-1:] if comes_back else [])
    for name in reversed(live if comes_back else []):
        assert rig.state(name) == "stopping"
        rig.exits(name, Shutdown(by="supervisor"))
    untouched = {"a", "c"} - set(live if comes_back else [])
    if ending != "init_failed":
        assert all(rig.state(name) == "running" for name in untouched)


@pytest.mark.parametrize(("strategy", "ending"), list(product(STRATEGIES, ENDINGS)))
def test_group_comes_back_in_start_order_after_the_back_off(strategy: Strategy, ending: str) -> None:
    rig = booted(strategy, "permanent", ending)
    while stopping := [name for name, state in rig.states().items() if state == "stopping"]:
        rig.exits(stopping[0], Shutdown(by="supervisor"))
    assert rig.did(protocol.Start) == []
    rig.due("b")
    # In its first start `b` keeps `c` waiting whatever the strategy.
    again = {*TAKEN_ALONG[strategy], "b", *(["c"] if ending == "init_failed" else [])}
    started: list[str] = []
    while starting := ids(rig.did(protocol.Start)):
        assert len(starting) == 1
        started += starting
        rig.started(starting[0])
    assert started == sorted(again)
    assert set(rig.states().values()) == {"running"}


@pytest.mark.parametrize(("restart", "ending"), list(product(RESTARTS, ENDINGS[:4])))
def test_end_of_another_while_in_back_off(restart: Restart, ending: str) -> None:
    rig = three("one_for_one", restart)
    rig.boot()
    rig.exits("a", Crashed(error="first"))
    end(rig, "b", ending)
    assert rig.state("a") == "backoff"
    assert rig.state("b") == ("backoff" if ending in COMES_BACK[restart] else "stopped")
    rig.due("a")
    assert rig.state("a") == "starting"


@pytest.mark.parametrize(("strategy", "ending"), list(product(["one_for_all", "rest_for_one"], ENDINGS[:4])))
def test_end_of_one_that_is_being_taken_down(strategy: Strategy, ending: str) -> None:
    """`a` has failed; `c` is being cancelled for it; then `b`, whose turn comes next, ends by itself."""
    rig = three(strategy, "permanent")
    rig.boot()
    rig.exits("a", Crashed(error="first"))
    assert rig.states() == {"a": "backoff", "b": "running", "c": "stopping"}
    end(rig, "b", ending)
    assert rig.state("b") == "backoff"
    rig.exits("c", Shutdown(by="supervisor"))
    rig.due("b")
    assert rig.did(protocol.Start) == [], "a comes first"
    rig.due("a")
    assert ids(rig.did(protocol.Start)) == ["a"]
    rig.started("a")
    assert ids(rig.did(protocol.Start)) == ["b"]


@pytest.mark.parametrize(
    ("strategy", "restart", "reason"),
    list(product(STRATEGIES, RESTARTS, [Normal(), Shutdown(by="x"), Crashed(error="boom"), InitFailed(error="no")])),
)
def test_any_end_of_a_restarting_incarnation_is_a_failed_start(
    strategy: Strategy, restart: Restart, reason: ExitReason
) -> None:
    rig = three(strategy, restart)
    rig.hand(protocol.StartRequested())
    rig.started("a")
    rig.exits("b", reason)
    (said,) = [event for event in rig.said() if isinstance(event, events.StartFailed)]
    assert isinstance(said.reason, InitFailed)
    assert rig.state("b") == ("stopped" if restart == "temporary" else "backoff")


@pytest.mark.parametrize(
    ("strategy", "restart", "reason"),
    list(product(STRATEGIES, RESTARTS, [Normal(), Shutdown(by="x"), Crashed(error="boom")])),
)
def test_no_end_leads_to_a_restart_while_stopping(strategy: Strategy, restart: Restart, reason: ExitReason) -> None:
    rig = three(strategy, restart)
    rig.boot()
    rig.stop(drain_s=5.0)
    for name in ("c", "b", "a"):
        rig.exits(name, reason)
        assert rig.did(protocol.Start) == []
        assert ids(rig.did(protocol.Retire)) == [name]
    assert rig.did(protocol.Exit) == [protocol.Exit(reason=Shutdown(by="host"))]


@pytest.mark.parametrize(("strategy", "restart"), list(product(STRATEGIES, RESTARTS)))
def test_wedged_while_stopping_is_fenced_and_left_behind(strategy: Strategy, restart: Restart) -> None:
    rig = three(strategy, restart)
    rig.boot()
    rig.stop()
    rig.exits("c", Normal())
    rig.due("b")
    assert rig.did(protocol.Fence) == [protocol.Fence(id="b", generation=1)]
    assert ids(rig.did(protocol.Retire)) == ["b"]
    assert ids(rig.did(protocol.Cancel)) == ["a"]
    rig.exits("a", Normal())
    assert len(rig.did(protocol.Exit)) == 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_stop_ends_a_back_off(strategy: Strategy) -> None:
    rig = three(strategy, "permanent")
    rig.boot()
    rig.exits("b", Crashed(error="boom"))
    rig.stop()
    assert "b" in ids(rig.did(protocol.Retire))
    assert rig.due("b") == rig.last
    assert rig.did(protocol.Start) == []
