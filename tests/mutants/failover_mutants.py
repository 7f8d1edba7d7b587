"""Lies about failover: what follows a failure, who is asked when deployments rest, the race of a slow attempt."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

RETRY = "manus/actors/journey/retry.py"
RESTING = "manus/actors/journey/resting.py"
ATTEMPTS = "manus/actors/journey/attempts.py"
REQUEST = "manus/actors/journey/request.py"
HEDGING = "manus/actors/journey/hedging.py"
DELIVERY = "manus/actors/delivery.py"
CALL = "manus/actors/provider_call.py"

T_RESTING = "tests/actors/test_retry_resting.py"
T_ROUTER = "tests/actors/test_router_resting.py"
T_HEDGING = "tests/actors/test_hedging.py"
T_PATIENCE = "tests/actors/test_patience.py"
T_PROVIDER_ENDS = "tests/actors/test_provider_ends.py"

FAILOVER_MUTANTS = [
    Mutant(
        name="all who wait come back at once",
        file=RETRY,
        original="self._deadline - at) * self._jitter.draw()",
        mutated="self._deadline - at)",
        killers=(f"{T_RESTING}::test_those_who_wait_for_the_same_deployment_do_not_come_back_together",),
        rule="waits for a deployment that rests are jittered",
    ),
    Mutant(
        name="patience is endless in small pieces",
        file=RETRY,
        original="if self._patient_until is None else self._patient_until",
        mutated="if self is not None else self._patient_until",
        killers=(f"{T_RESTING}::test_nobody_waits_for_ever_in_small_pieces",),
        rule="nobody waits longer than wait_hint_max_s for a deployment that rests",
    ),
    Mutant(
        name="an open breaker is retried at once",
        file=RETRY,
        original="if isinstance(self._verdict(retry.choice, retry.at), NotBefore):",
        mutated="if isinstance(self._verdict(retry.choice, 1e9), NotBefore):",
        killers=(f"{T_RESTING}::test_deployment_whose_breaker_opened_on_this_failure_is_not_retried_at_once",),
        rule="same-deployment retry only where it can help",
    ),
    Mutant(
        name="returning costs no budget",
        file=RETRY,
        original="if returning is not None and not returning.full and not self._paid:",
        mutated="if returning is None and not self._paid:",
        killers=(f"{T_RESTING}::test_returning_to_who_asked_for_patience_takes_from_the_retry_budget",),
        rule="all attempts at a deployment that was asked before are a share of traffic",
    ),
    Mutant(
        name="returning costs the budget again and again",
        file=RETRY,
        original="            self._paid = True  # however often it has to be waited for until it begins\n",
        mutated="",
        killers=(f"{T_RESTING}::test_a_return_is_paid_for_once_however_often_it_has_to_wait",),
        rule="the budget is of attempts, not of waits",
    ),
    Mutant(
        name="what a policy refused goes to anybody",
        file=RETRY,
        original="            if not choice.after_policy:\n                return False",
        mutated="            if choice is None:\n                return False",
        killers=(f"{T_RESTING}::test_what_a_policy_refused_is_asked_of_those_named_for_it_and_of_nobody_else",),
        rule="content policy goes to the configured fallback only",
    ),
    Mutant(
        name="a policy fallback serves any failure",
        file=RETRY,
        original='        elif choice.use == "policy":\n            return False',
        mutated="        elif choice is None:\n            return False",
        killers=(f"{T_RESTING}::test_policy_fallback_is_not_asked_after_a_prompt_that_was_too_long_either",),
        rule="a policy fallback is for what a policy refused",
    ),
    Mutant(
        name="come back when the last one is ready",
        file=RESTING,
        original="return min(times) if",
        mutated="return max(times) if",
        killers=(
            f"{T_RESTING}::test_where_waiting_is_not_worth_it_the_caller_is_told_who_rests_and_when_to_come_back",
        ),
        rule="retry_after is the earliest useful time",
    ),
    Mutant(
        name="come back later though somebody is ready",
        file=RESTING,
        original="if times and len(times) == len(candidates) else None",
        mutated="if times else None",
        killers=(f"{T_RESTING}::test_end_where_somebody_may_be_asked_at_once_promises_no_time",),
        rule="retry_after is the earliest useful time",
    ),
    Mutant(
        name="health is not told",
        file=ATTEMPTS,
        original="        self.tell_health(attempt, failure)\n",
        mutated="",
        killers=(f"{T_ROUTER}::test_deployment_with_an_open_breaker_is_not_asked_and_the_route_says_why",),
        rule="what came of every attempt is told to health",
    ),
    Mutant(
        name="silence until the deadline is forgotten",
        file=REQUEST,
        original="                self._attempts.tell_health(attempt, failure)",
        mutated="                self._attempts.withdraw(attempt)",
        killers=("tests/actors/test_health_of_requests.py",),
        rule="a deadline that passes in silence counts",
    ),
    Mutant(
        name="the route does not say why it ended",
        file=REQUEST,
        original="        self._story.gave_up = step.reason\n",
        mutated="",
        killers=(
            f"{T_ROUTER}::test_route_tells_why_each_attempt_was_made_what_it_set_aside_and_why_no_other_followed",
        ),
        rule="a route explains itself",
    ),
    Mutant(
        name="the loser goes on",
        file=HEDGING,
        original="                other.end_early(OVERTAKEN)",
        mutated="                pass",
        killers=(f"{T_HEDGING}::test_slow_first_attempt_is_overtaken_and_the_loser_cancelled_and_booked",),
        rule="the loser is cancelled",
    ),
    Mutant(
        name="a stream that speaks is raced",
        file=DELIVERY,
        original='            self.phase = "streaming"\n            self._lead()\n            if',
        mutated='            self.phase = "streaming"\n            if',
        killers=(f"{T_HEDGING}::test_stream_that_began_is_not_raced_however_slow_it_goes_on",),
        rule="never hedge after content was shown",
    ),
    Mutant(
        name="races cost no budget",
        file=HEDGING,
        original=" or not self._cell.hedge_budget.spend(first.choice.provider, now):",
        mutated=":",
        killers=(f"{T_HEDGING}::test_races_are_a_share_of_traffic",),
        rule="hedges are a share of traffic",
    ),
    Mutant(
        name="batch requests are raced",
        file=HEDGING,
        original=' and request.priority != "batch"',
        mutated="",
        killers=(f"{T_HEDGING}::test_batch_request_is_not_raced",),
        rule="batch requests give way",
    ),
    Mutant(
        name="a probe joins a race",
        file=RETRY,
        original="if isinstance(verdict, Ready) and not verdict.probe:",
        mutated="if isinstance(verdict, Ready):",
        killers=(f"{T_RESTING}::test_spare_deployment_is_one_that_is_well",),
        rule="the probe of a breaker is not spent on a race",
    ),
    Mutant(
        name="what one of both learnt is forgotten",
        file=HEDGING,
        original="            self._cursor.failed(failed.choice, failed.failure, trio.current_time())",
        mutated="            continue",
        killers=(f"{T_HEDGING}::test_what_one_of_both_learnt_holds_for_what_follows",),
        rule="content policy never goes to just anybody",
    ),
    Mutant(
        name="the end of a finished stream is waited for as for content",
        file=CALL,
        original='                    self._expect("finish", timeouts.finish_s)\n                continue',
        mutated='                    self._expect("idle", timeouts.idle_s)\n                continue',
        killers=(f"{T_PROVIDER_ENDS}::test_end_that_does_not_come_after_the_finish_reason_is_waited_for_shortly",),
        rule="an answer with its finish reason is finalised promptly",
    ),
    Mutant(
        name="a finished stream without its end is thrown away",
        file=CALL,
        original="        if verdict_of(delivery.assembly) is not None:\n            return False",
        mutated="        return False",
        killers=(f"{T_PROVIDER_ENDS}::test_end_that_does_not_come_after_the_finish_reason_is_waited_for_shortly",),
        rule="an answer with its finish reason is finalised",
    ),
    Mutant(
        name="a silent provider has all the time of its request",
        file=REQUEST,
        original='if len(plan.choices) > 1 and any(choice.use == "any" for choice in plan.choices[1:]):',
        mutated="if len(plan.choices) > 1000:",
        killers=(f"{T_PATIENCE}::test_a_silent_provider_leaves_the_others_their_time",),
        rule="silence may cost a share of the time while somebody else could be asked",
    ),
    Mutant(
        name="whoever is the last is hurried as well",
        file=REQUEST,
        original='if len(plan.choices) > 1 and any(choice.use == "any" for choice in plan.choices[1:]):',
        mutated="if plan.choices:",
        killers=(f"{T_PATIENCE}::test_with_nobody_else_to_ask_an_attempt_has_all_the_time_there_is",),
        rule="with nobody left to ask, an attempt has all the time there is",
    ),
    Mutant(
        name="callers in a hurry open breakers for everybody",
        file="manus/actors/call_failures.py",
        original='PASSED_OVER = Advice("no", "yes", False)',
        mutated='PASSED_OVER = Advice("no", "yes", True)',
        killers=(f"{T_PATIENCE}::test_callers_in_a_hurry_put_nobody_to_rest_for_others",),
        rule="a wait that was shorter than usual is no failure by itself",
    ),
    Mutant(
        name="a long silence is forgiven because it was cut short",
        file="manus/actors/health/counting.py",
        original='(kind == "timeout" and failure.timeout in IN_SILENCE and not failure.what_to_do.health)',
        mutated="False",
        killers=(f"{T_PATIENCE}::test_a_silence_that_was_long_by_itself_counts_against_its_deployment",),
        rule="silence that lasted `health.silent_s` counts",
    ),
    Mutant(
        name="tool calls are hurried between their pieces",
        file="manus/actors/journey/patience.py",
        original="if not (isinstance(call.request, ChatRequest) and call.request.tools):",
        mutated="if call.request is not None:",
        killers=(f"{T_PATIENCE}::test_nobody_is_hurried_who_is_the_last_or_may_have_begun_to_call_a_tool",),
        rule="a call that has begun cannot be taken up by anybody else",
    ),
]
