"""Lies about reloads: what is touched, what stays in flight, what is kept and what a crash brings back."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

RELOADING = "manus/reloading.py"
CHANGES = "manus/configuration_changes.py"
DESK = "manus/actors/router_desk.py"
REQUEST = "manus/actors/journey/request.py"
RETRY = "manus/actors/journey/retry.py"
ADMISSION = "manus/actors/admission/admission.py"
SUCCESSION = "manus/actors/admission/succession.py"
REGISTRY = "manus/actors/health/registry.py"
HEALTH = "manus/health_report.py"

T_RELOAD = "tests/reload/test_reload.py"
T_FLIGHT = "tests/reload/test_in_flight.py"
T_LIMITS = "tests/reload/test_limits.py"
T_CRASHES = "tests/reload/test_crashes.py"
T_HEALTH = "tests/reload/test_health.py"

RELOAD_MUTANTS = [
    Mutant(
        name="reload: a former actor is removed while calls keep to it",
        file=DESK,
        original="                if lane.attempts:\n                    self._leaving[actor] = lane\n",
        mutated="",
        killers=(f"{T_FLIGHT}::test_a_call_is_waited_for_however_long_it_takes",),
        rule="nothing in flight is dropped",
    ),
    Mutant(
        name="reload: a plan is walked on as it was made",
        file=REQUEST,
        original="            cursor.renew(self._renewed(cursor.plan))",
        mutated="            self._renewed(cursor.plan)",
        killers=(f"{T_FLIGHT}::test_a_failover_asks_nobody_who_has_left",),
        rule="removed providers' deployments leave the plan",
    ),
    Mutant(
        name="reload: who failed before it left is asked again",
        file=RETRY,
        original='        if advice.retry_here == "no" or there is None:\n            return\n        choice = there\n',
        mutated='        if advice.retry_here == "no":\n            return\n',
        killers=(f"{T_FLIGHT}::test_a_call_that_fails_after_its_provider_has_left_is_not_made_there_again",),
        rule="a request goes on with what there is",
    ),
    Mutant(
        name="reload: a router that crashes goes by the old configuration",
        file=DESK,
        original="        spec = self.spec = message.spec\n",
        mutated="        spec = message.spec\n",
        killers=(f"{T_CRASHES}::test_a_crash_afterwards_does_not_bring_the_old_configuration_back[router]",),
        rule="a crash after a reload does not bring the old configuration back",
    ),
    Mutant(
        name="reload: all health is kept",
        file=REGISTRY,
        original="            if stays(tracked.key.provider, tracked.key.key, tracked.deployment):",
        mutated="            if True:",
        killers=(f"{T_RELOAD}::test_a_new_key_is_shown_and_the_refusal_of_the_old_one_is_forgotten",),
        rule="health begins anew where the change could matter",
    ),
    Mutant(
        name="reload: all health is forgotten",
        file=CHANGES,
        original="    if before.way != after.way:\n",
        mutated="    if True:\n",
        killers=(
            f"{T_RELOAD}::test_health_begins_anew_where_the_change_may_have_mended_it_and_is_kept_where_it_cannot"
            "[how it is routed to]",
        ),
        rule="health of unchanged deployments is kept",
    ),
    Mutant(
        name="reload: what cannot change is taken for changed",
        file=RELOADING,
        original="        if fixed:\n",
        mutated="        if False:\n",
        killers=(
            f"{T_RELOAD}::test_what_cannot_change_in_a_running_agent_is_refused_by_its_name_before_anything_is_touched"
            "[keep_days]",
        ),
        rule="P12: clear refusals",
    ),
    Mutant(
        name="reload: nobody switches back",
        file=RELOADING,
        original="for switched, back in reversed(done) if",
        mutated="for switched, back in done[:0] if",
        killers=(f"{T_RELOAD}::test_an_actor_that_cannot_switch_has_those_before_it_switch_back[router]",),
        rule="a reload that fails half-way leaves the old configuration in force",
    ),
    Mutant(
        name="reload: limits forget what they have counted",
        file=SUCCESSION,
        original="    return same.pop(0) if same else None\n",
        mutated="    return None\n",
        killers=(f"{T_LIMITS}::test_what_was_used_of_a_minute_stays_used_when_the_limit_changes",),
        rule="nothing that is used or reserved is lost",
    ),
    Mutant(
        name="reload: a new budget begins at zero",
        file=SUCCESSION,
        original="            budget.begin_late()\n",
        mutated="",
        killers=(f"{T_LIMITS}::test_a_new_budget_that_is_used_up_already_refuses_the_next_call",),
        rule="P9: limits hold",
    ),
    Mutant(
        name="reload: who waited at a limit that is gone is looked for there",
        file=ADMISSION,
        original="        self.forget_line()  # also at those that go",
        mutated="        # also at those that go",
        killers=(f"{T_LIMITS}::test_a_limit_that_is_taken_away_lets_nobody_on_when_calls_end_that_it_still_counts",),
        rule="a reload crashes nobody",
    ),
    Mutant(
        name="health: an agent with nobody to ask is merely degraded",
        file=HEALTH,
        original='    if providers and all(each.status == "unavailable" for each in providers):\n',
        mutated="    if False:\n",
        killers=(f"{T_HEALTH}::test_an_agent_with_nobody_to_ask_is_unavailable",),
        rule="a probe is not told that all is well",
    ),
]
