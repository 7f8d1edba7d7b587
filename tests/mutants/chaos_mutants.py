"""Lies that chaos must find out by itself, in random trees and in the whole agent: the harness bites, and not only
single tests do.
"""

from __future__ import annotations

import msgspec

from tests.mutants.mutant import Mutant
from tests.mutants.shell_mutants import SHELL_MUTANTS

CHAOS = "tests/sim/test_supervisor_chaos.py::test_every_rule_holds_for_the_fixed_seeds_and_everything_was_met"

FOUND_BY_CHAOS = (
    "the mailbox dies with its actor",
    "no drain at the stop",
    "the in-hand is not answered on a crash",
    "a checkpoint between receiving and registering",
    "the newest waits least",
    "work for nobody is begun",
    "a sent request is safe to retry",
    "the outcome overtakes unread items",
)

CHAOS_MUTANTS: list[Mutant] = [
    msgspec.structs.replace(mutant, name=f"{mutant.name} (chaos)", killers=(CHAOS,))
    for mutant in SHELL_MUTANTS
    if mutant.name in FOUND_BY_CHAOS
]

AGENT_CHAOS = "tests/sim/test_chaos.py::test_every_promise_holds_for_a_fixed_seed"
ANSWERED = "tests/sim/test_chaos.py::test_whoever_can_be_answered_is_answered"
SAVED = "tests/sim/test_chaos.py::test_plans_that_broke_something_once_hold_now"
OUTCOMES = "tests/sim/test_sim_outcomes.py::test_a_fault_is_told_as_what_it_is"

AGENT_MUTANTS = [
    Mutant(
        name="a token is shown after its end (chaos)",
        file="manus/actors/credentials/tokens.py",
        original="        usable_s = life_s - min(MARGIN_S, 0.1 * life_s)\n",
        mutated="        usable_s = life_s + 3.0\n",
        killers=(f"{AGENT_CHAOS}[9]",),
        rule="no request shows what has expired",
    ),
    Mutant(
        name="what Bedrock wrote to its cache is free (chaos)",
        file="manus/actors/codecs/bedrock_decode.py",
        original="            cache_write_short=max(0, written - long),\n",
        mutated="            cache_write_short=0,\n",
        killers=(f"{AGENT_CHAOS}[2]",),
        rule="reported usage is what the vendor bills, in all of its parts",
    ),
    Mutant(
        name="a Responses item that is no JSON is an empty one",
        file="manus/actors/codecs/responses_output.py",
        original="        except MALFORMED_ERRORS:\n            return None\n",
        mutated="        except MALFORMED_ERRORS:\n            return Item()\n",
        killers=(f"{OUTCOMES}[openai-responses-latin1-body-whole]",),
        rule="a success is a whole answer",
    ),
    Mutant(
        name="a frame's checksum is not looked at (chaos)",
        file="manus/actors/codecs/event_stream.py",
        original="        if crc32(frame[8:payload_end], prelude_crc) != _unpack_crc(frame, payload_end)[0]:\n",
        mutated="        if payload_end < 0:\n",
        killers=(f"{AGENT_CHAOS}[63]",),
        rule="an undecodable event is an interruption",
    ),
]

ROUTING_LIES = [
    Mutant(
        name="a call goes on after its actor's end (chaos)",
        file="manus/actors/provider_call.py",
        original="        await trio.lowlevel.checkpoint_if_cancelled()\n        self._authorisation",
        mutated="        self._authorisation",
        killers=(
            "tests/actors/test_provider.py"
            "::test_nothing_is_begun_where_the_asker_left_in_the_step_in_which_the_credentials_came",
        ),
        rule="no work starts after its caller left",
    ),
    Mutant(
        name="who is silent is the end (chaos)",
        file="manus/messages/failures.py",
        original='    "timeout": Advice("no", "yes", True),\n',
        mutated='    "timeout": Advice("no", "no", True),\n',
        killers=(f"{ANSWERED}[1]", f"{ANSWERED}[2]"),
        rule="a silent route is failed over at once",
    ),
    Mutant(
        name="a wait that ran out behind a shield is the caller leaving",
        file="manus/actors/provider_call.py",
        original="        if self._env.scope.cancel_called:\n            return\n",
        mutated="",
        killers=("tests/actors/test_provider.py::test_head_that_comes_after_its_time_is_not_the_caller_leaving",),
        rule="a silent route is failed over",
    ),
    Mutant(
        name="as many attempts as there is time for (chaos)",
        file="manus/actors/journey/retry.py",
        original="        if self._begun >= self._policy.attempts_max:\n            return self._give_up(",
        mutated="        if self._begun >= 1000:\n            return self._give_up(",
        killers=(f"{AGENT_CHAOS}[1]",),
        rule="a plan is finite",
    ),
    Mutant(
        name="a retry calls itself a failover (chaos)",
        file="manus/actors/journey/retry.py",
        original="return Ask(choice=retry.choice, role=retry.role",
        mutated='return Ask(choice=retry.choice, role="failover"',
        killers=(f"{AGENT_CHAOS}[0]",),
        rule="a route tells what happened",
    ),
    Mutant(
        name="nobody says why it was given up (chaos)",
        file="manus/actors/journey/request.py",
        original="        self._story.gave_up = step.reason\n",
        mutated="",
        killers=(f"{AGENT_CHAOS}[0]",),
        rule="a route tells why nothing followed",
    ),
    Mutant(
        name="retries cost nothing (chaos)",
        file="manus/actors/journey/traffic_share.py",
        original="        self._spent[slot] += 1\n",
        mutated="",
        killers=(f"{AGENT_CHAOS}[114]", f"{AGENT_CHAOS}[144]"),
        rule="retries are a share of traffic",
    ),
    Mutant(
        name="a deployment is retried without end (chaos)",
        file="manus/actors/journey/retry.py",
        original='if advice.retry_here == "once" and tries > self._policy.same_deployment:',
        mutated='if advice.retry_here == "once" and tries > 100:',
        killers=(f"{AGENT_CHAOS}[0]",),
        rule="a deployment is retried as often as allowed",
    ),
    Mutant(
        name="an open breaker lets everybody through (chaos)",
        file="manus/actors/health/tracked.py",
        original='            if breaker.state == "open" and breaker.rest.holds(now, longer_s=held_s):\n',
        mutated='            if breaker.state == "opened":\n',
        killers=(f"{AGENT_CHAOS}[96]", f"{AGENT_CHAOS}[97]", f"{AGENT_CHAOS}[116]"),
        rule="nothing is asked while its breaker is open",
    ),
    Mutant(
        name="all find out at once (chaos)",
        file="manus/actors/health/tracked.py",
        original='elif breaker.state == "half_open" and breaker.probing',
        mutated='elif breaker.state == "probing" and breaker.probing',
        killers=(f"{AGENT_CHAOS}[7]", f"{AGENT_CHAOS}[13]", f"{AGENT_CHAOS}[73]"),
        rule="one probe at a time",
    ),
    Mutant(
        name="nobody waits for Retry-After (chaos)",
        file="manus/actors/health/cooldown.py",
        original="        if self.rest.extend(now, seconds):\n",
        mutated="        if seconds < 0:\n",
        killers=(f"{AGENT_CHAOS}[9]",),
        rule="a cooldown lasts as long as the vendor said",
    ),
    Mutant(
        name="a new answer is not held against the old one (chaos)",
        file="manus/actors/journey/joints.py",
        original="        if not self._shown.startswith(text[:left], self._at):\n",
        mutated="        if self._at < 0:\n",
        killers=(f"{AGENT_CHAOS}[58]",),
        rule="a spliced answer is one answer, to the byte",
    ),
    Mutant(
        name="a rescued answer is its last part (chaos)",
        file="manus/actors/journey/rescue.py",
        original="        whole = shown.answer()\n",
        mutated="        whole = ended\n",
        killers=(f"{AGENT_CHAOS}[5]",),
        rule="the answer is what the caller received",
    ),
    Mutant(
        name="a race begins at once (chaos)",
        file="manus/actors/journey/hedging.py",
        original="    return None if slow_s is None else max(slow_s, policy.delay_min_s)",
        mutated="    return None if slow_s is None else 0.0",
        killers=(f"{AGENT_CHAOS}[18]",),
        rule="a slow attempt is raced, and no other",
    ),
    Mutant(
        name="races cost nothing (chaos)",
        file="manus/actors/journey/hedging.py",
        original="if choice is None or not self._cell.hedge_budget.spend(first.choice.provider, now):",
        mutated="if choice is None:",
        killers=(f"{AGENT_CHAOS}[11]",),
        rule="hedges are a share of traffic",
    ),
    Mutant(
        name="the loser of a race talks on (chaos)",
        file="manus/actors/journey/hedging.py",
        original="                other.end_early(OVERTAKEN)\n",
        mutated="                pass\n",
        killers=(f"{AGENT_CHAOS}[30]",),
        rule="the loser is cancelled",
    ),
    Mutant(
        name="batch takes every place (chaos)",
        file="manus/actors/waiting_room.py",
        original="if self.taken >= (self._batch_places if batch else self._places):",
        mutated="if self.taken >= self._places:",
        killers=(f"{AGENT_CHAOS}[4]",),
        rule="batch gives way",
    ),
    Mutant(
        name="a mistake nobody planned (chaos)",
        file="manus/actors/journey/request.py",
        original="        cursor = self._cursor(plan)\n",
        mutated='        cursor = self._cursor(plan)\n        assert len(plan.choices) != 2, "a bug"\n',
        killers=(f"{AGENT_CHAOS}[3]",),
        rule="nothing of ours raises",
    ),
    Mutant(
        name="one retry budget for everybody (chaos)",
        file="manus/actors/journey/traffic_share.py",
        original="        share = self._by_provider.get(provider)\n",
        mutated='        provider = ""\n        share = self._by_provider.get(provider)\n',
        killers=(f"{SAVED}[seed-153-isolation]",),
        rule="faults of one provider use up nothing of another's",
    ),
    Mutant(
        name="a token's end is known by the wall clock alone (chaos)",
        file="manus/actors/credentials/tokens.py",
        original="        return unix_s < self._refresh_unix_s and trio.current_time() < self._refresh_at\n",
        mutated="        return unix_s < self._refresh_unix_s\n",
        killers=(f"{SAVED}[seed-60-safety]",),
        rule="",
    ),
]
"""What chaos must find out about plans, breakers, budgets, races and rescues: each with the seed that tells."""
