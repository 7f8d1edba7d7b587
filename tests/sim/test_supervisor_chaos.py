"""Random trees under blows drawn from seeds: every rule of supervision holds, and the batch has met everything."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from manus.sim.determinism import simulate
from manus.supervisor import events
from manus.supervisor.reasons import Crashed, Normal
from manus.supervisor.terminals import Expired
from tests.sim import tree_invariants as rules
from tests.sim import tree_order as decisions
from tests.sim.tree_chaos import FRESH_PLANS, PLANS, Verdict, explain, load, main, run_plan, save, shrink
from tests.sim.tree_plan import ActorPlan, Plan, actors_of, plan_from_seed
from tests.sim.tree_report import Done, Handled, Report, Sent
from tests.sim.tree_world import TreeWorld

FIXED = range(250)
FRESH = 100

# What the fixed batch must have met at least once. A rule that was never tempted has not been tested.
MARKS = (
    *("ActorStarted", "ActorExited", "StartFailed", "RestartScheduled", "Quarantined", "Escalated", "RequestCrashed"),
    *("DeadLetter", "LateReply", "Hung", "Wedged", "ShutdownOverran", "probation", "late replies"),
    *(f"reason:{reason}" for reason in ("Normal", "Shutdown", "Crashed", "Hung", "InitFailed", "Wedged")),
    *(f"dead:{why}" for why in ("full", "stopping", "unavailable", "crashed")),
    *(f"overran:{phase}" for phase in ("drain", "cancel")),
    *(f"end:ActorFailed:{kind}" for kind in ("actor_crashed", "actor_hung", "request_crashed", "stopped")),
    *(f"end:Undelivered:{reason}" for reason in ("full", "stopping", "unavailable")),
    *("end:Done", "end:CutShort", "end:Expired:queued", "end:Expired:running", "end:Unavailable"),
    *(f"way:{way}" for way in ("ask", "stream", "tell", "cast", "place", "place_cast")),
    *("left", "no place", "the tree fell", "added", "removed"),
)


def insist(verdict: Verdict) -> None:
    """Fail with everything that is needed to see the run again; the plan is kept in the working directory."""
    if verdict.broken:
        pytest.fail(explain(verdict, save(verdict, FRESH_PLANS)))


def test_every_rule_holds_for_the_fixed_seeds_and_everything_was_met() -> None:
    marks: Counter[str] = Counter()
    for seed in FIXED:
        verdict = run_plan(plan_from_seed(seed))
        insist(verdict)
        marks.update(verdict.marks)
    assert not [mark for mark in MARKS if not marks[mark]]


def test_every_rule_holds_for_fresh_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    first = random.SystemRandom().randrange(10**6, 10**9)
    with capsys.disabled():
        print(f"\nfresh tree seeds: {first} to {first + FRESH - 1}")
    for seed in range(first, first + FRESH):
        insist(run_plan(plan_from_seed(seed)))


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.json")), ids=lambda path: path.stem)
def test_plans_that_broke_a_rule_once_keep_it_now(path: Path) -> None:
    insist(run_plan(load(path)))


@pytest.mark.long
@pytest.mark.parametrize("first", range(10_000, 40_000, 1_000))
def test_every_rule_holds_for_thousands_of_seeds(first: int) -> None:
    for seed in range(first, first + 1_000):
        insist(run_plan(plan_from_seed(seed)))


TRACES = """
from tests.sim.tree_chaos import run_plan
from tests.sim.tree_plan import plan_from_seed
print([run_plan(plan_from_seed(seed)).trace for seed in range(20)])
"""


def test_a_plan_runs_the_same_under_every_hash_seed() -> None:
    traces = {
        subprocess.run(
            [sys.executable, "-c", TRACES],
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.getcwd()},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    here = [run_plan(plan_from_seed(seed)).trace for seed in range(20)]
    assert traces == {f"{here}\n"}
    assert len(set(here)) == 20


# --- saving, replaying, shrinking --------------------------------------------------------------------


def test_a_plan_survives_being_saved(tmp_path: Path) -> None:
    plan = plan_from_seed(7)
    assert load(save(Verdict(plan=plan, broken=(), trace=""), tmp_path)) == plan


def test_the_same_seed_draws_the_same_plan() -> None:
    assert plan_from_seed(11) == plan_from_seed(11)
    assert plan_from_seed(11) != plan_from_seed(12)


def test_the_command_replays_a_seed_and_says_what_it_met(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "3"]) == 0
    assert "1 plans, 0 broke a rule" in capsys.readouterr().out


def test_shrinking_leaves_only_what_breaks_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = next(plan for seed in range(50) if len((plan := plan_from_seed(seed)).messages) > 20 and plan.blows)
    culprit = plan.messages[len(plan.messages) // 2].number

    def breaks_with_the_culprit(smaller: Plan) -> Verdict:
        broken = any(message.number == culprit for message in smaller.messages)
        return Verdict(plan=smaller, broken=("rule: broken",) if broken else (), trace="")

    monkeypatch.setattr("tests.sim.tree_chaos.run_plan", breaks_with_the_culprit)
    smallest = shrink(plan)
    assert [message.number for message in smallest.messages] == [culprit]
    assert smallest.blows == ()


# --- the judges can tell -----------------------------------------------------------------------------


def report_of(plan: Plan) -> Report:
    return simulate(TreeWorld(plan).run, schedule_seed=plan.schedule_seed, horizon_s=plan.horizon_s)


@pytest.fixture(scope="module")
def eventful() -> Plan:
    """A plan with restarts, answers, streams, tells and a stop that finds several siblings up."""
    for seed in range(1000):
        plan = plan_from_seed(seed, "safety")
        report = report_of(plan)
        kinds = {type(event) for event in report.events}
        done = [sent for sent in report.sent.values() if sent.answers and isinstance(sent.answers[0], Done)]
        quiet = [sent for sent in report.sent.values() if sent.plan.way == "cast" and sent.accepted]
        stopped = [event for event in report.events if event.cause == "stop:stop"]
        in_a_row = [actor for actor in actors_of(plan.tree) if actor.places == 1 or actor.manner != "requests"]
        streams = [sent for sent in done if sent.items]
        served = [actor for actor in actors_of(plan.tree) if actor.manner == "requests"]
        beside = [child for child in plan.tree.children if isinstance(child, ActorPlan)]
        several = all(len(each) > 1 for each in (plan.tree.children, quiet, stopped, in_a_row))
        eventful = len(done) > 5 and streams and served and beside and not report.failure
        if several and eventful and {events.RestartScheduled, events.ActorStarted} <= kinds:
            return plan
    raise AssertionError("no plan is eventful enough")


def answered(report: Report) -> Sent:
    return next(
        sent
        for sent in report.sent.values()
        if sent.plan.way == "ask" and sent.answers and isinstance(sent.answers[0], Done)
    )


def handled_of(report: Report, sent: Sent) -> Handled:
    return next(handled for handled in report.handled if handled.number == sent.plan.number)


def lose_the_end(report: Report) -> None:
    answered(report).answers.clear()


def give_a_second_end(report: Report) -> None:
    answered(report).answers.append(Expired(where="running"))


def keep_an_asker(report: Report) -> None:
    answered(report).ended_at += 100.0


def leave_something_in_hand(report: Report) -> None:
    report.late_answers.append("x has something in hand")


def serve_out_of_order(report: Report) -> None:
    report.handled.reverse()


def lose_a_message(report: Report) -> None:
    sent = next(sent for sent in report.sent.values() if sent.plan.way == "cast" and sent.accepted)
    name = f"Work{sent.plan.number}"
    report.handled[:] = [handled for handled in report.handled if handled.number != sent.plan.number]
    report.events[:] = [e for e in report.events if not (isinstance(e, events.DeadLetter) and e.message == name)]


def begin_twice(report: Report) -> None:
    report.handled.append(report.handled[0])


def begin_too_late(report: Report) -> None:
    sent = answered(report)
    handled_of(report, sent).began_at = sent.deadline


def work_on_for_nobody(report: Report) -> None:
    sent = answered(report)
    handled_of(report, sent).ended_at = sent.deadline + 1.0


def wait_too_long_before_the_restart(report: Report) -> None:
    change(report, events.RestartScheduled, delay_s=31.0)


def restart_once_too_often(report: Report) -> None:
    change(report, events.RestartScheduled, n_in_period=9)


def never_restart(report: Report) -> None:
    index = next(i for i, event in enumerate(report.events) if isinstance(event, events.RestartScheduled))
    scheduled = report.events[index]
    report.stop_began_at = 1000.0
    report.events[index + 1 :] = []
    report.removed.clear()
    report.events.append(msgspec.structs.replace(scheduled, at=scheduled.at + 1.0))


def bring_back_who_was_done(report: Report) -> None:
    index = next(i for i, event in enumerate(report.events) if isinstance(event, events.RestartScheduled))
    scheduled = report.events[index]
    name = scheduled.actor
    group = msgspec.structs.replace(
        report.plan.tree,
        children=tuple(
            msgspec.structs.replace(actor, restart="transient") if actor.name == name else actor
            for actor in actors_of(report.plan.tree)
        ),
    )
    report.plan = msgspec.structs.replace(report.plan, tree=group)
    report.events.insert(index, events.ActorExited(at=0.0, actor=name, reason=Normal()))


def stop_in_the_wrong_order(report: Report) -> None:
    first, *_, last = (i for i, event in enumerate(report.events) if event.cause == "stop:stop")
    group = msgspec.structs.replace(report.plan.tree, ordered=True)
    report.plan = msgspec.structs.replace(report.plan, tree=group)
    names = [child.name for child in group.children]
    report.events[first:] = [
        events.ActorExited(at=report.stop_began_at, actor=name, cause="stop:stop", reason=Normal())
        for name in names[:2]
    ]
    assert last


def overfill_a_mailbox(report: Report) -> None:
    name = next(iter(report.mailboxes))
    report.mailboxes[name] = msgspec.structs.replace(report.mailboxes[name], queued_peak=1000)


def leave_a_task_behind(report: Report) -> None:
    report.tasks_left = 1


def forget_the_cause(report: Report) -> None:
    change(report, events.RestartScheduled, cause="nobody#1")


def start_a_generation_twice(report: Report) -> None:
    report.events.append(next(event for event in report.events if isinstance(event, events.ActorStarted)))


def answer_from_the_grave(report: Report) -> None:
    sent = answered(report)
    handled = handled_of(report, sent)
    handled.replied_after_events = len(report.events)
    ended = events.ActorExited(at=0.0, actor=handled.actor, generation=handled.generation, reason=Normal())
    report.events.insert(0, ended)


def lose_an_item(report: Report) -> None:
    sent = next(sent for sent in report.sent.values() if sent.items and isinstance(sent.answers[0], Done))
    sent.items.pop()


def let_wait_who_comes_to_one_at_rest(report: Report) -> None:
    sent = answered(report)
    sent.ended_at = sent.sent_at + 1.0
    rests = events.Quarantined(at=sent.sent_at - 1.0, actor=sent.plan.to, rest_s=100.0, reason=Normal())
    report.events[:] = [rests]


def die_of_one_request(report: Report) -> None:
    name = next(actor.name for actor in actors_of(report.plan.tree) if actor.manner == "requests")
    reason = Crashed(error="Boom: a request")
    report.events[:] = [events.ActorExited(at=1.0, actor=name, generation=1, cause=f"{name}#1", reason=reason)]


def start_while_stopping(report: Report) -> None:
    child = next(child for child in report.plan.tree.children if isinstance(child, ActorPlan))
    at = report.stop_began_at + child.start_s + 1.0
    report.events.append(events.ActorStarted(at=at, actor=child.name, generation=99))


def start_the_youngest_first(report: Report) -> None:
    group = msgspec.structs.replace(report.plan.tree, ordered=True)
    report.plan = msgspec.structs.replace(report.plan, tree=group)
    report.removed.clear()
    report.events.insert(0, events.ActorStarted(at=0.0, actor=group.children[-1].name, generation=1))


def spare_the_siblings(report: Report) -> None:
    group = msgspec.structs.replace(report.plan.tree, ordered=True, strategy="one_for_all")
    report.plan = msgspec.structs.replace(report.plan, tree=group)
    report.removed.clear()
    first, second = group.children[0].name, group.children[1].name
    report.events[:] = [
        events.ActorStarted(at=0.0, actor=first, generation=1),
        events.ActorStarted(at=0.0, actor=second, generation=1),
        events.RestartScheduled(at=1.0, actor=second, generation=1, delay_s=0.0, n_in_period=1),
        events.ActorStarted(at=1.0, actor=second, generation=2),
    ]


def change(report: Report, kind: type, **fields: object) -> None:
    index = next(i for i, event in enumerate(report.events) if isinstance(event, kind))
    report.events[index] = msgspec.structs.replace(report.events[index], **fields)


@pytest.mark.parametrize(
    ("tamper", "rule"),
    [
        (lose_the_end, rules.each_dialog_has_one_end),
        (give_a_second_end, rules.each_dialog_has_one_end),
        (keep_an_asker, rules.askers_are_free_in_time),
        (leave_something_in_hand, rules.what_was_in_hand_is_answered_before_the_rest),
        (serve_out_of_order, rules.first_in_is_first_served),
        (lose_a_message, rules.nothing_accepted_vanishes),
        (begin_twice, rules.nothing_accepted_vanishes),
        (begin_too_late, rules.nothing_starts_too_late),
        (work_on_for_nobody, rules.leaving_stops_the_work),
        (wait_too_long_before_the_restart, decisions.restarts_are_as_specified),
        (restart_once_too_often, decisions.restarts_are_as_specified),
        (never_restart, decisions.every_restart_is_followed),
        (bring_back_who_was_done, decisions.ends_that_bring_nobody_back),
        (stop_in_the_wrong_order, decisions.stops_go_in_reverse_order),
        (overfill_a_mailbox, rules.bounds_hold),
        (leave_a_task_behind, rules.nothing_stays_behind),
        (forget_the_cause, decisions.everything_has_a_cause),
        (lose_an_item, rules.streams_are_whole),
        (let_wait_who_comes_to_one_at_rest, rules.the_quarantined_answer_at_once),
        (die_of_one_request, rules.one_crashed_request_is_survived),
        (start_while_stopping, decisions.nothing_starts_while_stopping),
        (start_the_youngest_first, decisions.first_starts_go_in_order),
        (spare_the_siblings, decisions.groups_share_their_fate),
        (start_a_generation_twice, rules.generations_are_fenced),
        (answer_from_the_grave, rules.generations_are_fenced),
    ],
)
def test_the_judges_notice(
    eventful: Plan, tamper: Callable[[Report], None], rule: Callable[[Report], Iterator[str]]
) -> None:
    report = report_of(eventful)
    assert list(rule(report)) == []
    tamper(report)
    assert list(rule(report)) != []
