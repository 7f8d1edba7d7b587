"""Lies about routing: who may answer, in which order, who is left out, and what is remembered."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

POOLING = "manus/actors/routing/pooling.py"
TARGETS = "manus/actors/routing/targets.py"
POOL = "manus/actors/routing/pool.py"
ENTRIES = "manus/actors/routing/entries.py"
DRAFTING = "manus/actors/routing/drafting.py"
STRATEGIES = "manus/actors/routing/strategies.py"
ORDERING = "manus/actors/routing/ordering.py"
CRITERIA = "manus/actors/routing/criteria.py"
CONTEXT = "manus/actors/routing/context_fit.py"
COSTS = "manus/actors/routing/expected_cost.py"
AFFINITY = "manus/actors/routing/affinity.py"
CANDIDATES = "manus/actors/routing/candidates.py"
ROUTER = "manus/actors/router.py"

TABLE = "tests/actors/test_routing.py"
ORDERED = "tests/actors/test_routing_strategies.py"
WANTED = "tests/actors/test_routing_criteria.py"
FALLEN = "tests/actors/test_routing_fallbacks.py"
KEYED = "tests/actors/test_routing_keys.py"
WARM = "tests/actors/test_affinity.py"
TOLD = "tests/actors/test_router_explain.py"
EMBEDDED = "tests/actors/test_embed_run.py"

ROUTING_MUTANTS = [
    Mutant(
        name="no fallback still falls back",
        file=POOLING,
        original="alone=self._request.fallback_providers == (),",
        mutated="alone=False,",
        killers=(
            f"{TABLE}::test_first_choice_leads_then_the_fallback_list_or_priority",
            f"{ORDERED}::test_without_fallbacks_only_the_best_is_asked_and_the_others_say_why",
        ),
        rule="an empty fallback list asks for nobody else",
    ),
    Mutant(
        name="unknown capability is refused",
        file=POOLING,
        original="if getattr(card, need) is False and",
        mutated="if getattr(card, need) is not True and",
        killers=(
            f"{TABLE}::test_model_known_to_lack_a_capability_gives_way_to_the_next_of_its_entry_and_unknown_is_permitted",
        ),
        rule="unknown is permitted",
    ),
    Mutant(
        name="any embedder takes over",
        file=POOLING,
        original="        return {0: alike}\n",
        mutated="        return {0: choices}\n",
        killers=(f"{EMBEDDED}::test_only_deployments_of_the_same_model_take_over",),
        rule="vectors of two models cannot be compared",
    ),
    Mutant(
        name="an unknown price is free",
        file=STRATEGIES,
        original="LAST if (cost := nano_usd(choice.card)) is None else cost",
        mutated="(nano_usd(choice.card) or 0)",
        killers=(f"{ORDERED}::test_cost_aware_asks_the_cheapest_for_this_request_first_and_unknown_prices_last",),
        rule="an unknown price is never zero",
    ),
    Mutant(
        name="cost is that of the prompt alone",
        file=COSTS,
        original="output = min(EXPECTED_OUTPUT_TOKENS, bound_output_tokens(request, card))",
        mutated="output = 0",
        killers=(f"{ORDERED}::test_cost_is_that_of_the_request_and_not_of_a_token",),
        rule="cost is what the request is expected to cost",
    ),
    Mutant(
        name="the best of all goes first",
        file=STRATEGIES,
        original="order.insert(0, order.pop(better))",
        mutated="pass",
        killers=(f"{ORDERED}::test_latency_lets_the_better_of_two_drawn_go_first_and_the_rest_follow_by_cost",),
        rule="latency compares two that are drawn, lest all rush to one",
    ),
    Mutant(
        name="the worse of two goes first",
        file=STRATEGIES,
        original="better = one if costs[order[one]] <= costs[order[other]] else other",
        mutated="better = one if costs[order[one]] > costs[order[other]] else other",
        killers=(f"{ORDERED}::test_latency_lets_the_better_of_two_drawn_go_first_and_the_rest_follow_by_cost",),
        rule="latency asks the better of two",
    ),
    Mutant(
        name="a weight is not looked at by who is busy",
        file=STRATEGIES,
        original="in_flight(choice.deployment) / weight if weight else LAST",
        mutated="in_flight(choice.deployment) if weight else LAST",
        killers=(f"{ORDERED}::test_least_busy_asks_whoever_has_least_in_flight_for_its_weight",),
        rule="least busy is relative to the weight",
    ),
    Mutant(
        name="draws are sorted by their weight",
        file=STRATEGIES,
        original="-math.log(1.0 - chance.draw()) / weight",
        mutated="(1.0 - chance.draw()) / weight",
        killers=(f"{ORDERED}::test_weighted_draws_without_replacement_in_proportion_to_the_weights",),
        rule="weighted draws in proportion to the weights",
    ),
    Mutant(
        name="an entry with many models has many shares",
        file=POOL,
        original="providers[choice.provider].weight * of_models * of_keys",
        mutated="providers[choice.provider].weight * of_keys",
        killers=(f"{ORDERED}::test_an_entry_s_share_does_not_grow_with_the_models_and_keys_that_it_lists",),
        rule="the weight of an entry is its share, whatever it lists",
    ),
    Mutant(
        name="keys never take turns",
        file=STRATEGIES,
        original="start = first + turn % (end - first)",
        mutated="start = first",
        killers=(f"{KEYED}::test_keys_take_turns",),
        rule="keys are used turn by turn",
    ),
    Mutant(
        name="sticky keys are ordered like strangers",
        file=STRATEGIES,
        original="    if group.sticky:\n",
        mutated="    if not group.choices:\n",
        killers=(f"{KEYED}::test_sticky_keys_follow_each_other_in_their_order_under_every_strategy",),
        rule="a sticky key is used for as long as it is well",
    ),
    Mutant(
        name="unknown tiers come last",
        file=ORDERING,
        original="        return (1, 0)\n",
        mutated="        return (3, 0)\n",
        killers=(f"{WANTED}::test_task_complexity_asks_the_cheapest_that_is_enough_then_the_unknown_then_the_closest",),
        rule="an unknown tier comes right after those that are enough",
    ),
    Mutant(
        name="the farthest tier comes first",
        file=ORDERING,
        original="(2, complexity - tier)",
        mutated="(2, tier - complexity)",
        killers=(f"{WANTED}::test_task_complexity_asks_the_cheapest_that_is_enough_then_the_unknown_then_the_closest",),
        rule="of tiers that are too low the closest comes first",
    ),
    Mutant(
        name="a cap on cost forgives an unknown price",
        file=CRITERIA,
        original='return "its price is unknown, and the request has a cap on its cost (max_cost_usd)"',
        mutated='return ""',
        killers=(
            f"{WANTED}::test_whoever_is_expected_to_cost_more_than_allowed_is_left_out_and_so_is_an_unknown_price",
        ),
        rule="what may cost anything is no answer to a cap",
    ),
    Mutant(
        name="a cap on cost is held against what is expected",
        file=COSTS,
        original="and request.max_output_tokens is not None:",
        mutated="and request.max_output_tokens == -1:",
        killers=(f"{WANTED}::test_where_the_answer_is_bounded_the_cap_on_cost_is_held_against_the_worst",),
        rule="where the answer is bounded, the cap is one on the worst cost",
    ),
    Mutant(
        name="caps end where reserves begin",
        file=DRAFTING,
        original="reserves = [pool.reserves[place] for place in self._within_caps(pool.reserves)]",
        mutated="reserves = list(pool.reserves)",
        killers=(f"{WANTED}::test_caps_hold_for_those_in_reserve_too",),
        rule="no attempt may cost more than the request allows",
    ),
    Mutant(
        name="a warm cache overrules the price",
        file=DRAFTING,
        original="if not (any_of_them or self._ordering.among_equals or same_model(choice, first)):",
        mutated="if any_of_them is None:",
        killers=(f"{WARM}::test_it_overrules_neither_priority_nor_cost",),
        rule="a warm cache decides among equals only",
    ),
    Mutant(
        name="a warm cache is asked though it rests",
        file=DRAFTING,
        original="if not isinstance(verdict, Ready) or verdict.probe:",
        mutated="if isinstance(verdict, str):",
        killers=(f"{WARM}::test_whoever_is_not_well_is_not_preferred",),
        rule="whoever rests is not preferred",
    ),
    Mutant(
        name="a warm cache never cools",
        file=AFFINITY,
        original="if kept is None or now - kept[1] >= for_s:",
        mutated="if kept is None:",
        killers=(f"{WARM}::test_it_ends_with_the_life_of_a_prompt_cache",),
        rule="a prompt cache is warm for a while only",
    ),
    Mutant(
        name="every conversation is remembered for ever",
        file=AFFINITY,
        original="if len(answered) > CONVERSATIONS_KEPT:",
        mutated="if len(answered) > 2 * CONVERSATIONS_KEPT:",
        killers=(f"{WARM}::test_memory_of_conversations_is_bounded_and_forgets_the_one_answered_longest_ago",),
        rule="memory is bounded",
    ),
    Mutant(
        name="stand-ins are not followed",
        file=TARGETS,
        original="            waiting.append(item)\n",
        mutated="",
        killers=(f"{FALLEN}::test_models_may_stand_in_for_each_other_and_the_plan_still_ends",),
        rule="what stands in for a stand-in is asked too",
    ),
    Mutant(
        name="a policy fallback comes forward for a long prompt",
        file=CONTEXT,
        original='if choice.use == "larger_window" else choice',
        mutated='if choice.use != "any" else choice',
        killers=(f"{FALLEN}::test_policy_fallbacks_never_come_forward_for_a_long_prompt",),
        rule="policy fallbacks are asked after a content policy refused, and then only",
    ),
    Mutant(
        name="a policy fallback that has its turn is forgotten",
        file=POOLING,
        original='after_policy=use == "policy" or deployment in self._stand_ins,',
        mutated='after_policy=use == "policy",',
        killers=(
            f"{FALLEN}::test_a_policy_fallback_that_is_asked_in_its_turn_stands_in_the_plan_once_and_serves_both",
        ),
        rule="what is asked in its turn may still be a policy fallback",
    ),
    Mutant(
        name="a dry run takes turns",
        file=ROUTER,
        original="trio.current_time()).rehearsal()",
        mutated="trio.current_time())",
        killers=(f"{TOLD}::test_a_dry_run_leaves_no_trace_and_tells_what_the_request_then_meets",),
        rule="a dry run changes nothing",
    ),
    Mutant(
        name="who rests looks well",
        file=CANDIDATES,
        original="    if health.all_well:\n",
        mutated="    if plan.choices:\n",
        killers=(f"{TOLD}::test_resting_deployments_stay_in_the_route_and_say_for_how_long",),
        rule="a route tells whose breaker is open",
    ),
    Mutant(
        name="a fallback's model need not exist",
        file=ENTRIES,
        original="if target.model is None or self.card(target.entry, target.model) is not None:",
        mutated="if target.entry:",
        killers=(
            f"{FALLEN}::test_an_unknown_fallback_of_a_request_is_refused_with_what_there_is",
            f"{FALLEN}::test_a_policy_that_names_what_does_not_exist_is_a_mistake_of_the_wiring",
        ),
        rule="an unknown fallback is an error, not nobody",
    ),
]
