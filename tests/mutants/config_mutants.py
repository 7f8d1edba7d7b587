"""Lies about the configuration of routing, and about what the public face says of it."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

RULES = "manus/config/routing_rules.py"
POLICIES = "manus/config/policies.py"
WALK = "manus/config/walk.py"
LOAD = "manus/config/load.py"
CRITERIA = "manus/criteria.py"
CHECKS = "manus/option_checks.py"
ERRORS = "manus/errors.py"

BAD = "tests/config/test_bad_routing.py"
NAMED = f"{BAD}::test_each_mistake_is_named_with_its_place_and_line"
OF_MODELS = f"{BAD}::test_fallbacks_of_models_name_models_and_go_nowhere_twice"
GOOD = f"{BAD}::test_what_can_be_done_is_accepted_in_silence"
WEIGHED = f"{BAD}::test_each_mistake_in_weights_and_keys_is_named"
HANDED = "tests/config/test_policies.py::test_the_router_is_handed_numbers"
REFUSED = "tests/face/test_bad_requests.py::test_a_bad_option_is_refused_by_name"
RAISED = "tests/face/test_errors.py"

CONFIG_MUTANTS = [
    Mutant(
        name="a circle of fallbacks is not seen",
        file=RULES,
        original="            if after == start:\n",
        mutated="            if after == start and len(way) > 1:\n",
        killers=(OF_MODELS,),
        rule="cyclic fallbacks are an error",
    ),
    Mutant(
        name="a circle through an entry is not seen",
        file=RULES,
        original="""    return target.partition("/")[2] if _names_a_place(target, config) else target
""",
        mutated="    return target\n",
        killers=(OF_MODELS,),
        rule="an `entry/model` is that model",
    ),
    Mutant(
        name="a circle is told once for each model on it",
        file=RULES,
        original="if cycle and frozenset(cycle) not in told:",
        mutated="if cycle:",
        killers=(OF_MODELS,),
        rule="one mistake is one problem",
    ),
    Mutant(
        name="fallbacks of strangers are taken",
        file=RULES,
        original="        if not _is_a_model(model, config):\n",
        mutated="        if False:\n",
        killers=(OF_MODELS,),
        rule="a fallback for a model that nobody has is an error",
    ),
    Mutant(
        name="who is switched off takes any model",
        file=RULES,
        original="for entry in config.providers.values() if entry.enabled)",
        mutated="for entry in config.providers.values())",
        killers=(f"{BAD}::test_who_is_switched_off_and_lists_nothing_has_no_model",),
        rule="an entry that is switched off serves nobody",
    ),
    Mutant(
        name="a fallback may name a model that its entry lacks",
        file=RULES,
        original="    elif model and not _has(entry, model):\n",
        mutated="    elif False:\n",
        killers=(NAMED,),
        rule="`entry/model` names a model of the entry",
    ),
    Mutant(
        name="weights may sum to zero",
        file=RULES,
        original="if pool and not any(entry.weight for entry in pool.values()):",
        mutated="if False:",
        killers=(WEIGHED,),
        rule="weights that sum to zero share out nothing",
    ),
    Mutant(
        name="weights of those who are never asked count",
        file=RULES,
        original="if name in named} or enabled\n",
        mutated="if name} or enabled\n",
        killers=(WEIGHED,),
        rule="the pool of a strategy is the default provider and the fallbacks, where they are given",
    ),
    Mutant(
        name="weights of keys may sum to zero",
        file=RULES,
        original="if entry.api_keys and not any(key.weight for key in entry.api_keys):",
        mutated="if False:",
        killers=(WEIGHED,),
        rule="weights that sum to zero share out nothing",
    ),
    Mutant(
        name="a breaker may open for longer than its longest",
        file=RULES,
        original="""    for field in ("open_s", "cooldown_s"):
        if getattr(health, field) > health.open_max_s:
""",
        mutated="""    for field in ("open_s", "cooldown_s"):
        if False:
""",
        killers=(NAMED,),
        rule="what grows begins below its end",
    ),
    Mutant(
        name="a race of one is not told",
        file=RULES,
        original="    if _places(config) < 2:\n",
        mutated="    if _places(config) < 1:\n",
        killers=(NAMED,),
        rule="hedging without a second candidate is warned of",
    ),
    Mutant(
        name="every model is a second candidate",
        file=RULES,
        original="    one_model = config.routing_strategy is RoutingStrategy.PRIORITY\n",
        mutated="    one_model = False\n",
        killers=(NAMED,),
        rule="under `priority` an entry is asked for one model",
    ),
    Mutant(
        name="the strategy of the file is not handed on",
        file=POLICIES,
        original="        strategy=config.routing_strategy.value,\n",
        mutated="",
        killers=(HANDED,),
        rule="what is configured takes effect",
    ),
    Mutant(
        name="who is not configured is handed on as a policy fallback",
        file=POLICIES,
        original="for each in routing.content_policy_fallbacks if _is_configured(each, config))",
        mutated="for each in routing.content_policy_fallbacks)",
        killers=(HANDED,),
        rule="a type without an entry was warned of, and is nobody to the router",
    ),
    Mutant(
        name="a key's weight is forgotten",
        file=WALK,
        original="        return KeyConfig(key=secret, **built) if",
        mutated="        return KeyConfig(key=secret) if",
        killers=("tests/config/test_show_and_init.py::test_what_is_shown_is_toml_that_means_the_same", WEIGHED),
        rule="keys have weights and tags",
    ),
    Mutant(
        name="a program has to write its providers down",
        file=LOAD,
        original="        case LLMConfig(providers=providers) if not providers:\n",
        mutated="        case LLMConfig(providers=providers) if False:\n",
        killers=(
            "tests/config/test_load.py"
            "::test_a_configuration_of_a_program_that_names_no_provider_has_those_of_the_environment",
        ),
        rule="without providers, those of the environment are taken",
    ),
    Mutant(
        name="tasks may be harder than hard",
        file=CRITERIA,
        original='whole_number("criteria.task_complexity", 1, 10)',
        mutated='whole_number("criteria.task_complexity", 0, 11)',
        killers=(REFUSED,),
        rule="complexity is from 1 to 10",
    ),
    Mutant(
        name="a time that has passed is a time",
        file=CHECKS,
        original="if is_number and 0 <= value <= most and not (positive and value == 0):",
        mutated="if is_number and value <= most:",
        killers=(REFUSED,),
        rule="a deadline in the past is refused",
    ),
    Mutant(
        name="an error forgets its route",
        file=ERRORS,
        original="        self.route = unfinished.route\n",
        mutated="",
        killers=(RAISED,),
        rule="an error carries every attempt",
    ),
    Mutant(
        name="an error does not say when to come back",
        file=ERRORS,
        original="    if failure.retry_after_s is not None:\n        parts.append(",
        mutated="    if False:\n        parts.append(",
        killers=(RAISED,),
        rule="a refusal says when to come back",
    ),
]
