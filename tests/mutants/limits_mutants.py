"""Lies about limits and budgets: what counts for how long, who is served next, what a crash leaves held."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

WINDOWS = "manus/actors/admission/windows.py"
FLOWS = "manus/actors/admission/flows.py"
BUDGETS = "manus/actors/admission/budgets.py"
LEARNING = "manus/actors/admission/learning.py"
ADMISSION = "manus/actors/admission/admission.py"
RULES = "manus/actors/admission/rules.py"
LINE = "manus/actors/admission/line.py"
GROUPS = "manus/actors/admission/groups.py"
ENTRANCE = "manus/actors/entrance.py"
ACTOR = "manus/actors/accounting.py"
RETRY = "manus/actors/journey/retry.py"
ATTEMPTS = "manus/actors/journey/attempts.py"

T_ROOM = "tests/actors/admission"
T_FLOWS = f"{T_ROOM}/test_flows.py"
T_BUDGETS = f"{T_ROOM}/test_budgets.py"
T_LEARNING = f"{T_ROOM}/test_learning.py"
T_LINE = f"{T_ROOM}/test_line.py"
T_ACTOR = f"{T_ROOM}/test_accounting_admission.py"
T_SPENT = f"{T_ROOM}/test_accounting_spent.py"
T_ROUTER = f"{T_ROOM}/test_router_limits.py"

LIMITS_MUTANTS = [
    Mutant(
        name="a minute has fifty-nine seconds",
        file=WINDOWS,
        original="MINUTE_S: Final = 60\n",
        mutated="MINUTE_S: Final = 58\n",
        killers=(f"{T_FLOWS}::test_a_minute_is_any_sixty_seconds_after_a_call_was_counted_at_the_latest",),
        rule="P9: no sixty seconds hold more than the limit",
    ),
    Mutant(
        name="open calls do not count",
        file=WINDOWS,
        original="        return self.open + self._counted\n",
        mutated="        return self._counted\n",
        killers=(f"{T_FLOWS}::test_our_own_refusals_cost_no_quota",),
        rule="P9: never overrun by a race",
    ),
    Mutant(
        name="a long stream counts to its end",
        file=FLOWS,
        original="        if not self.watches or mark is not None:\n            return mark\n",
        mutated="        if True:\n            return mark\n",
        killers=(f"{T_FLOWS}::test_a_call_counts_from_the_vendors_answer_and_not_from_the_end_of_a_long_stream",),
        rule="P9: never blocking traffic that fits",
    ),
    Mutant(
        name="what a vendor refused is forgotten",
        file=FLOWS,
        original="        if not ended.sent:\n            return 0\n        if self._is_requests:\n",
        mutated='        if ended.booked.state == "released":\n            return 0\n        if self._is_requests:\n',
        killers=(f"{T_FLOWS}::test_what_never_left_costs_no_quota_and_what_was_refused_by_the_vendor_does",),
        rule="P9: vendors may count what they refuse",
    ),
    Mutant(
        name="cache reads count for everybody",
        file="manus/actors/admission/needs.py",
        original="usage.input_total if counting.cache_reads else usage.input_total - usage.cache_read",
        mutated="usage.input_total",
        killers=(f"{T_FLOWS}::test_tokens_count_as_the_vendor_counts_them",),
        rule="P9: never blocking traffic that fits",
    ),
    Mutant(
        name="only the first limit is taken",
        file=ADMISSION,
        original="        marks = [gauge.take(need, clock) for gauge, need",
        mutated="        marks = [gauge.take(need if gauge is fit.gauges[0] else 0, clock) for gauge, need",
        killers=(f"{T_FLOWS}::test_scopes_hold_for_whom_they_name",),
        rule="all limits and budgets at once",
    ),
    Mutant(
        name="an attempt falls under the first of its tags alone",
        file=RULES,
        original="tuple(sorted(self._tags.intersection(reserve.tags)))",
        mutated="tuple(sorted(self._tags.intersection(reserve.tags[:1])))",
        killers=(f"{T_FLOWS}::test_scopes_hold_for_whom_they_name",),
        rule="limits per tag",
    ),
    Mutant(
        name="who comes later takes what others wait for",
        file=ADMISSION,
        original=" and not (line and line[0].seniority < seniority)",
        mutated="",
        killers=(
            f"{T_LINE}::test_small_ones_do_not_overtake_a_large_one_for_ever",
            f"{T_LINE}::test_who_does_not_wait_is_refused_at_once_and_overtakes_nobody",
        ),
        rule="nobody starves",
    ),
    Mutant(
        name="a flow is served to its end",
        file=GROUPS,
        original="            self._flows.move_to_end(tags)\n",
        mutated="            self._flows.move_to_end(tags, last=False)\n",
        killers=(f"{T_LINE}::test_a_tag_that_floods_a_limit_waits_for_itself",),
        rule="one flooding tag does not starve the others",
    ),
    Mutant(
        name="a group that was served keeps its seniority",
        file=LINE,
        original="        group.seniority = self.seniority(group.name[1], clock.at)\n",
        mutated="",
        killers=(f"{T_LINE}::test_a_tag_with_a_limit_of_its_own_that_floods_a_provider_waits_for_itself_too",),
        rule="one flooding tag does not starve the others",
    ),
    Mutant(
        name="batch is as good as interactive",
        file=LINE,
        original='return (now + BATCH_BEHIND_S if priority == "batch" else now, self._number)',
        mutated="return (now, self._number)",
        killers=(f"{T_LINE}::test_interactive_goes_before_batch_until_batch_has_waited_its_time",),
        rule="interactive before batch",
    ),
    Mutant(
        name="batch waits for ever",
        file=LINE,
        original="BATCH_BEHIND_S: Final = 10.0\n",
        mutated="BATCH_BEHIND_S: Final = 1e9\n",
        killers=(f"{T_LINE}::test_batch_is_not_starved_by_interactive_traffic_without_end",),
        rule="nobody starves",
    ),
    Mutant(
        name="time wakes nobody",
        file=LINE,
        original="        if at is not None and at < self._wake_at.get(gauge, math.inf):\n",
        mutated="        if at is not None and at < 0.0:\n",
        killers=(f"{T_LINE}::test_time_alone_lets_on_whoever_fits_then",),
        rule="a refill wakes who fits",
    ),
    Mutant(
        name="waiting has no bound",
        file=LINE,
        original="        if len(self._waiting) < self._waiting_max:\n            return None\n",
        mutated="        if self._waiting_max:\n            return None\n",
        killers=(f"{T_LINE}::test_so_many_may_wait_and_one_more_is_told_to_come_back",),
        rule="P10: every queue has a bound",
    ),
    Mutant(
        name="who cannot be served in time hangs until its deadline",
        file=LINE,
        original="        if shortage.free_at is None or shortage.free_at < deadline:\n",
        mutated="        if shortage.free_at is None or shortage.free_at < 1e30:\n",
        killers=(f"{T_LINE}::test_who_cannot_be_served_before_its_deadline_is_refused_at_once",),
        rule="waiting that cannot end in time is refused at once",
    ),
    Mutant(
        name="one that left still stands in the way",
        file=LINE,
        original="        group.drop(waiter)\n        return self.refill(tuple(group.spots), clock)\n",
        mutated="        group.drop(waiter)\n        return []\n",
        killers=(f"{T_LINE}::test_who_leaves_takes_nothing_and_holds_up_nobody",),
        rule="cancelled waiters leave the line at once",
    ),
    Mutant(
        name="every door is given up for the next one",
        file=LINE,
        original="            if now < group.keeps_until:\n",
        mutated="            if now < 0.0:\n",
        killers=(f"{T_LINE}::test_where_tags_and_providers_cross_nobody_finds_the_other_door_closed_for_ever",),
        rule="nobody starves where scopes cross",
    ),
    Mutant(
        name="a place that leads nowhere is kept for good",
        file=LINE,
        original="                group.keeps_until = now + group.keep_s\n",
        mutated="                group.keeps_until = now + 1e9\n",
        killers=(f"{T_LINE}::test_a_place_that_leads_nowhere_is_not_kept_from_others_for_long",),
        rule="P9: never blocking traffic that fits",
    ),
    Mutant(
        name="open calls hold nothing of a budget",
        file=BUDGETS,
        original="        return account.loaded and account.gone + account.held + need <= self.rule.amount\n",
        mutated="        return account.loaded and account.gone + need <= self.rule.amount\n",
        killers=(
            f"{T_BUDGETS}::test_where_open_calls_stand_in_the_way_it_is_waited_and_where_money_is_gone_it_is_refused",
        ),
        rule="P9: a budget is never overshot by a race",
    ),
    Mutant(
        name="a budget refuses while open calls may give back",
        file=BUDGETS,
        original="        if account.gone + need <= self.rule.amount:\n            return None\n",
        mutated="        if account.gone + account.held + need <= self.rule.amount:\n            return None\n",
        killers=(f"{T_ACTOR}::test_five_hundred_callers_use_up_a_dollar_before_any_is_refused_and_never_more",),
        rule="utilisation before the first refusal",
    ),
    Mutant(
        name="what is in doubt is free",
        file=BUDGETS,
        original='            case "in_doubt":\n                return 0, amount\n',
        mutated='            case "in_doubt":\n                return 0, 0\n',
        killers=(f"{T_BUDGETS}::test_open_calls_hold_their_bound_and_ended_ones_what_they_cost",),
        rule="in doubt counts its bound",
    ),
    Mutant(
        name="a clock that is set back finds a new day",
        file=BUDGETS,
        original="self._accounts.pop(period.begins_unix_s, None) or Account(period)",
        mutated="Account(period)",
        killers=(f"{T_BUDGETS}::test_a_clock_that_is_set_back_resets_nothing_and_blocks_nobody_for_ever",),
        rule="the clock resets no budget",
    ),
    Mutant(
        name="a rolling window goes by the wall's clock",
        file=BUDGETS,
        original="        over = clock.at - self.rule.window_s - self._slice_s\n",
        mutated="        over = clock.unix_s - 1_700_000_000.0 - self.rule.window_s - self._slice_s\n",
        killers=(f"{T_BUDGETS}::test_a_rolling_window_goes_by_time_that_passes_and_not_by_the_walls_clock",),
        rule="the clock resets no budget",
    ),
    Mutant(
        name="what others spent is not waited for",
        file="manus/actors/admission/budget_accounts.py",
        original="        self.loaded = False\n",
        mutated="        self.loaded = True\n",
        killers=(f"{T_SPENT}::test_nothing_is_granted_before_the_ledger_has_said_what_was_spent",),
        rule="budgets survive restarts",
    ),
    Mutant(
        name="shares are warned of again and again",
        file=BUDGETS,
        original="            account.told += 1\n            self._warn(",
        mutated="            account.told += 1 if share < 0.5 else len(self._warn_at)\n            self._warn(",
        killers=(f"{T_BUDGETS}::test_shares_are_warned_of_once_and_open_calls_do_not_count",),
        rule="a warning per share",
    ),
    Mutant(
        name="calls under way are taken for counted by the vendor",
        file=LEARNING,
        original="        return self.remaining - self._minute.open - max(0, since)\n",
        mutated="        return self.remaining - max(0, since)\n",
        killers=(f"{T_LEARNING}::test_calls_that_have_no_answer_yet_are_not_in_what_remains",),
        rule="never more than what the vendor said remains",
    ),
    Mutant(
        name="a header is believed for as long as it says",
        file=LEARNING,
        original="min(reset_s, HELD_BACK_MAX_S)",
        mutated="reset_s",
        killers=(f"{T_LEARNING}::test_no_header_blocks_for_longer_than_a_bound",),
        rule="an absurd header never blocks for long",
    ),
    Mutant(
        name="headers are learnt from where that is switched off",
        file=ADMISSION,
        original="        if not self.policy.learn:\n            return []\n",
        mutated="",
        killers=(f"{T_LEARNING}::test_it_can_be_switched_off",),
        rule="learning is off with learn = false",
    ),
    Mutant(
        name="who leaves the line is never answered",
        file=ENTRANCE,
        original="        for waiter in line.gone:\n            _reply(waiter, Denied(failure=LEFT))",
        mutated="        for waiter in ():\n            _reply(waiter, Denied(failure=LEFT))",
        killers=(f"{T_ACTOR}::test_an_asker_that_leaves_leaves_the_line_and_takes_nothing",),
        rule="P10: nothing stays in hand for ever",
    ),
    Mutant(
        name="what the store says before the task begins is not heard",
        file=ACTOR,
        original="            if not self._said:",
        mutated="            if True:",
        killers=(f"{T_ROOM}/test_accounting_start.py",),
        rule="nobody waits for ever",
    ),
    Mutant(
        name="an intent that could not be written keeps its hold",
        file=ACTOR,
        original="            self._entrance.put_back((reserve.request_id, reserve.attempt))\n",
        mutated="            pass\n",
        killers=(f"{T_ACTOR}::test_an_intent_that_cannot_be_written_gives_everything_back",),
        rule="settled or refunded exactly",
    ),
    Mutant(
        name="an ending gives nothing back",
        file=ACTOR,
        original="        if isinstance(booking, Booking):\n            self._entr",
        mutated="        if isinstance(booking, Booking) and not isinstance(ending, Release):\n            self._entr",
        killers=(f"{T_ACTOR}::test_a_crash_at_any_record_leaves_holds_equal_to_what_is_open",),
        rule="settled or refunded exactly",
    ),
    Mutant(
        name="a limit of ours is a failure of the vendor's to return to later",
        file=RETRY,
        original='failure.kind == "admission" or (',
        mutated="(",
        killers=(f"{T_ROUTER}::test_where_all_are_full_it_is_waited_for_the_first",),
        rule="others first, then in line",
    ),
    Mutant(
        name="nobody waits in line",
        file=ATTEMPTS,
        original="wait=not shed or self.alone",
        mutated="wait=False",
        killers=(f"{T_ROUTER}::test_who_has_nobody_else_to_ask_waits_in_line_at_its_first_attempt",),
        rule="who may wait waits within its deadline",
    ),
    Mutant(
        name="waiting in line counts as the deployment's slowness",
        file=ATTEMPTS,
        original="        began_at = attempt.started_at + attempt.waited_s  # the deployment is not slower for that\n",
        mutated="        began_at = attempt.started_at\n",
        killers=(f"{T_ROUTER}::test_waiting_in_line_makes_nobody_slow",),
        rule="health learns of vendors, not of our limits",
    ),
]
