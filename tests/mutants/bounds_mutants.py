"""Lies about limits, budgets and totals: between the file and the policy, and between the books and who reads them."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

POLICIES = "manus/config/limit_policies.py"
RULES = "manus/config/limit_rules.py"
REPORTS = "manus/reports.py"
READ_OUT = "manus/limit_reports.py"
TRACKER = "manus/token_tracker.py"
BOOKS = "manus/books.py"
ERRORS = "manus/errors.py"
WIRING = "manus/wiring.py"

HANDED = "tests/config/test_limit_policies.py"
BAD = "tests/config/test_bad_limits.py"
ODD = f"{BAD}::test_what_is_odd_is_a_warning_with_its_place_and_line"
WRONG = f"{BAD}::test_each_mistake_is_an_error_with_its_place_and_line"
TOLD = "tests/face/test_limit_reports.py"
TOTALS = "tests/face/test_usage_reports.py"
LIVE = "tests/face/test_token_tracker.py"
WHOLE = "tests/face/test_limits.py"
RAISED = "tests/face/test_errors.py"

BOUNDS_MUTANTS = [
    Mutant(
        name="the seed's limit bounds nothing",
        file=POLICIES,
        original="    if config.global_rate_limit_rpm and config.limits.requests_per_minute is None:\n",
        mutated="    if False:\n",
        killers=(f"{HANDED}::test_the_keys_of_general_mean_what_those_of_limits_do",),
        rule="`global_rate_limit_rpm` works",
    ),
    Mutant(
        name="the seed's budget bounds nothing",
        file=POLICIES,
        original="    if tokens and tokens not in (",
        mutated="    if False and tokens not in (",
        killers=(f"{HANDED}::test_the_keys_of_general_mean_what_those_of_limits_do",),
        rule="`global_token_limit_daily` works",
    ),
    Mutant(
        name="who is switched off is bounded too",
        file=POLICIES,
        original="    return place.provider is None or config.providers[place.provider].enabled\n",
        mutated="    return True\n",
        killers=(f"{HANDED}::test_who_is_switched_off_is_not_bounded",),
        rule="bounds are of entries that are asked",
    ),
    Mutant(
        name="several keys of a model share no deployment that there is",
        file=POLICIES,
        original="if len(keys) < 2 else",
        mutated="if True else",
        killers=(f"{HANDED}::test_a_model_has_its_limits_under_each_of_several_keys",),
        rule="a model has a deployment per key",
    ),
    Mutant(
        name="an hour has sixty seconds",
        file=POLICIES,
        original="HOUR_S: Final = 3600.0",
        mutated="HOUR_S: Final = 60.0",
        killers=(f"{HANDED}::test_budgets_are_exact_nano_usd_and_say_where_they_stand",),
        rule="a rolling budget is over so many hours",
    ),
    Mutant(
        name="Claude on Bedrock counts once",
        file=POLICIES,
        original='counting=_BURNT if kind == "bedrock" and _burns(model) else counting',
        mutated="counting=counting",
        killers=(f"{HANDED}::test_tokens_are_counted_as_the_vendor_counts_them",),
        rule="tokens count as the vendor counts them",
    ),
    Mutant(
        name="wiring forgets what is bounded",
        file=WIRING,
        original=", admission=wiring.admission)",
        mutated=")",
        killers=(f"{WHOLE}::test_what_is_above_a_limit_is_refused_where_it_cannot_wait_and_costs_nothing",),
        rule="limits of the configuration are kept",
    ),
    Mutant(
        name="two daily bounds on tokens need not agree",
        file=RULES,
        original="if flow is not None and budget is not None and flow != budget:",
        mutated="if False:",
        killers=(WRONG,),
        rule="limits that contradict each other are an error",
    ),
    Mutant(
        name="a window may be of nothing",
        file=RULES,
        original="            if each.usd is None and each.tokens is None:\n",
        mutated="            if False:\n",
        killers=(WRONG,),
        rule="a rolling budget says of how much",
    ),
    Mutant(
        name="a budget smaller than one request is not told",
        file=RULES,
        original="            if least is not None and rule.amount < least:\n",
        mutated="            if False:\n",
        killers=(ODD,),
        rule="a budget below what one request may cost is warned of",
    ),
    Mutant(
        name="what vendors count that count what is asked is held against the longest answer",
        file=RULES,
        original=" and not place.counting.asked:",
        mutated=":",
        killers=(f"{BAD}::test_of_vendors_that_count_what_is_asked_an_uncapped_answer_may_be_longer_than_the_limit",),
        rule="no warning of what works",
    ),
    Mutant(
        name="models without a price pass in silence",
        file=RULES,
        original="                if not card.price.known:\n",
        mutated="                if False:\n",
        killers=(ODD,),
        rule="an unknown price under a budget in USD is said",
    ),
    Mutant(
        name="lines of tags are added up",
        file=BOOKS,
        original='    if "tag" in by:\n',
        mutated="    if False:\n",
        killers=(f"{TOTALS}::test_totals_are_split_as_asked_and_their_sum_stays",),
        rule="a call counts once in the total, however many tags it has",
    ),
    Mutant(
        name="a dimension may be named twice",
        file=BOOKS,
        original="        if each in given[:place]:\n",
        mutated="        if False:\n",
        killers=(f"{TOTALS}::test_what_books_cannot_be_split_by_is_refused_by_name",),
        rule="bad input is refused by name",
    ),
    Mutant(
        name="long cache writes are forgotten",
        file=REPORTS,
        original="usage.cache_write_short + usage.cache_write_long",
        mutated="usage.cache_write_short",
        killers=(f"{TOTALS}::test_every_count_of_a_row_is_in_the_line",),
        rule="every count of the books is told",
    ),
    Mutant(
        name="open calls leave their budget untouched",
        file=READ_OUT,
        original="    return state.spent + state.in_doubt + state.reserved\n",
        mutated="    return state.spent + state.in_doubt\n",
        killers=(f"{TOLD}::test_a_budget_has_lost_what_is_settled_in_doubt_or_reserved",),
        rule="reservations count in full while open",
    ),
    Mutant(
        name="a provider's limit holds for its models alone when the provider is named",
        file=READ_OUT,
        original="        provider = deployment.partition",
        mutated="        provider = None and deployment.partition",
        killers=(f"{TOLD}::test_the_tightest_bound_that_a_call_falls_under_decides",),
        rule="a deployment falls under its provider's bounds",
    ),
    Mutant(
        name="a wait that nobody knows is none",
        file=READ_OUT,
        original="        if None in waits or any(",
        mutated="        if any(",
        killers=(f"{TOLD}::test_nobody_says_how_long_where_it_is_unknown_or_a_budget_is_used_up",),
        rule="what is unknown is said to be unknown",
    ),
    Mutant(
        name="what is in doubt is spent, to the tracker",
        file=TRACKER,
        original='    if ended.booking == "in_doubt":\n',
        mutated="    if False:\n",
        killers=(f"{LIVE}::test_what_is_in_doubt_is_in_no_sum_and_what_is_open_or_released_is_nothing",),
        rule="bounds are no usage",
    ),
    Mutant(
        name="an unknown price is a price of zero, to the tracker",
        file=TRACKER,
        original="        unpriced=int(ended.cost_nano_usd is None),\n",
        mutated="        unpriced=0,\n",
        killers=(f"{LIVE}::test_a_call_without_a_price_is_counted_as_such",),
        rule="an unknown price is never $0",
    ),
    Mutant(
        name="a closed tracker listens on",
        file=TRACKER,
        original="        self._bus.remove_listener(self._hear)\n",
        mutated="        pass\n",
        killers=(f"{LIVE}::test_reset_begins_anew_for_this_tracker_alone_and_close_ends_it",),
        rule="who is closed costs nothing more",
    ),
    Mutant(
        name="one's own bounds are told as a failed fallback",
        file=ERRORS,
        original="    if failure.kind in _OURS and all(",
        mutated="    if False and all(",
        killers=(f"{RAISED}::test_ones_own_bounds_are_told_as_such_unless_somebody_was_asked_and_failed_too",),
        rule="a limit or budget is told as such",
    ),
]
