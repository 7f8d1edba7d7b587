"""Every way to say wrongly where requests go: the place is named, and the mend."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from manus.config.check import check_text
from manus.config.problems import Problem
from manus.config.routing_schema import RoutingStrategy
from manus.messages.requests import Strategy

TWO = """\
[providers.openai]
api_key = "k"
models = [{ name = "gpt-large" }, { name = "gpt-small" }]
[providers.vllm]
type = "openai"
base_url = "http://h/v1"
models = [{ name = "qwen/qwen3" }]
[providers.parked]
type = "openai"
enabled = false
"""


def problems_of(text: str) -> tuple[Problem, ...]:
    return check_text(text, file="llm.toml", environ={}, base=Path()).problems


def test_the_names_of_the_strategies_are_the_same_in_files_and_in_requests() -> None:
    assert tuple(each.value for each in RoutingStrategy) == get_args(Strategy)


@pytest.mark.parametrize(
    "good",
    [
        "[general]\nrouting_strategy = 'cost_aware'\n",
        "[general]\nfallback_providers = ['openai/gpt-small', 'vllm/qwen/qwen3']\n",
        "[general]\ndefault_provider = 'openai'\nfallback_providers = ['openai/gpt-small']\n",
        "[routing]\nfallbacks = { gpt-large = ['gpt-small', 'qwen/qwen3'] }\n",
        "[routing]\nfallbacks = { 'qwen/qwen3' = ['openai/gpt-large'], gpt-small = ['vllm/qwen/qwen3'] }\n",
        "[routing]\nfallbacks = { gpt-small = ['gpt-large'], 'qwen/qwen3' = ['gpt-large'] }\n",
        "[routing]\ncontent_policy_fallbacks = ['vllm', 'openai/gpt-small']\n",
        "[routing]\non_interrupt = 'restart'\naffinity_s = 0\n",
        "[health]\nopen_s = 60\nopen_max_s = 60\nprobe_interval_s = 5\n",
        "[hedge]\nenabled = true\n",
        "[limits]\nbatch_share = 1\nbatch_waiting_max = 0\n",
    ],
)
def test_what_can_be_done_is_accepted_in_silence(good: str) -> None:
    assert problems_of(good + TWO) == ()


@pytest.mark.parametrize(
    ("routing", "path", "message"),
    [
        ("[general]\nrouting_strategy = 'costaware'", "general.routing_strategy", "did you mean 'cost_aware'?"),
        ("[general]\nrouting_strategy = 'cheapest'", "general.routing_strategy", "expected 'priority', 'cost_aware'"),
        (
            "[general]\nfallback_providers = ['openai/gpt-smal']",
            "general.fallback_providers[0]",
            "names no model of openai; there is gpt-large or gpt-small; did you mean 'gpt-small'?",
        ),
        ("[general]\nfallback_providers = ['opnai/m']", "general.fallback_providers[0]", "names no provider"),
        ("[general]\nfallback_providers = ['parked']", "general.fallback_providers[0]", "enabled = false"),
        (
            "[general]\nfallback_providers = ['bedrock']",
            "general.fallback_providers[0]",
            "is not configured and so is never asked; add [providers.bedrock]",
        ),
        ("[routing]\nstrategy = 'latency'", "routing.strategy", "did you mean 'routing_strategy' in [general]?"),
        ("[routing]\nbatch_share = 0.5", "routing.batch_share", "unknown key; it belongs into [limits]"),
        ("[general]\non_interrupt = 'auto'", "general.on_interrupt", "unknown key; it belongs into [routing]"),
        ("[routing]\nfallback = {}", "routing.fallback", "did you mean 'fallbacks'?"),
        ("[routing]\nfallbacks = ['gpt-small']", "routing.fallbacks", "expected a table; got an array"),
        ("[routing]\nfallbacks = { gpt-large = 'gpt-small' }", "routing.fallbacks.gpt-large", "expected an array"),
        ("[routing]\nfallbacks = { gpt-large = [] }", "routing.fallbacks.gpt-large", "names nobody"),
        ("[routing]\non_interrupt = 'retry'", "routing.on_interrupt", "expected 'auto', 'error' or 'restart'"),
        ("[routing]\naffinity_s = -1", "routing.affinity_s", "seconds, 0 or more"),
        (
            "[routing]\ncontent_policy_fallbacks = ['vlm']",
            "routing.content_policy_fallbacks[0]",
            "did you mean 'vllm'?",
        ),
        (
            "[routing]\ncontent_policy_fallbacks = ['vllm/gpt']",
            "routing.content_policy_fallbacks[0]",
            "names no model of vllm",
        ),
        ("[routing]\ncontent_policy_fallbacks = ['vllm', 'vllm']", "routing.content_policy_fallbacks[1]", "remove it"),
        ("[limits]\nbatch_share = 0", "limits.batch_share", "a share, more than 0"),
        ("[health]\nfailures = 0", "health.failures", "expected a whole number from 1 to 1000; got 0"),
        ("[health]\nfailure_rate = 0", "health.failure_rate", "more than 0"),
        ("[health]\nopen_s = 61", "health.open_s", "more than open_max_s = 20 s"),
        ("[health]\ncooldown_s = 61", "health.cooldown_s", "more than open_max_s = 20 s"),
        ("[health]\nopen_s = 0", "health.open_s", "got 0"),
        ("[health]\njitter = 2", "health.jitter", "a share from 0 to 1"),
        ("[health]\nsilent_s = 601", "health.silent_s", "longer than timeouts.request_s = 600 s"),
        ("[health]\nprobe_interval_s = 60", "health.probe_interval_s", "not less than open_max_s"),
        ("[hedge]\nquantile = 1", "hedge.quantile", "from 0.5 to 0.999"),
        ("[hedge]\nenabled = true\nbudget_ratio = 0", "hedge.budget_ratio", "more than 0"),
        ("[hedge]\nenabled = 1", "hedge.enabled", "true or false"),
        (
            "[hedge]\nenabled = true\n[general]\nfallback_providers = []",
            "hedge.enabled",
            "no second candidate that could race the first",
        ),
        (
            "[hedge]\nenabled = true\ndelay_min_s = 60\n[timeouts]\nfirst_content_s = 60",
            "hedge.delay_min_s",
            "given up already",
        ),
    ],
)
def test_each_mistake_is_named_with_its_place_and_line(routing: str, path: str, message: str) -> None:
    (problem,) = problems_of(f"{routing}\n{TWO}")
    assert problem.path == path
    assert message in problem.message
    assert problem.line is not None
    assert problem.line <= routing.count("\n") + 1


PARKED = TWO.replace("enabled = false", "enabled = false\nmodels = [{ name = 'parked' }]")


@pytest.mark.parametrize(
    ("fallbacks", "path", "message"),
    [
        ("{ gpt-lrge = ['gpt-small'] }", "routing.fallbacks.gpt-lrge", "did you mean 'gpt-large'?"),
        ("{ gpt-large = ['gpt-smal'] }", "routing.fallbacks.gpt-large[0]", "no provider has this model"),
        ("{ gpt-large = ['opnai/gpt-small'] }", "routing.fallbacks.gpt-large[0]", "no provider has this model"),
        ("{ gpt-large = ['vllm/gpt-small'] }", "routing.fallbacks.gpt-large[0]", "names no model of vllm"),
        ("{ gpt-large = ['gpt-small', 'gpt-small'] }", "routing.fallbacks.gpt-large[1]", "named before in this list"),
        ("{ gpt-large = ['gpt-large'] }", "routing.fallbacks.gpt-large", "circle: gpt-large -> gpt-large; remove"),
        (
            "{ gpt-large = ['openai/gpt-large'] }",
            "routing.fallbacks.gpt-large",
            "circle: gpt-large -> gpt-large; remove",
        ),
        (
            "{ gpt-large = ['gpt-small'], gpt-small = ['openai/gpt-large'] }",
            "routing.fallbacks.gpt-large",
            "goes round in a circle: gpt-large -> gpt-small -> gpt-large; remove one of them",
        ),
        (
            "{ gpt-large = ['gpt-small'], gpt-small = ['qwen/qwen3'], 'qwen/qwen3' = ['gpt-large'] }",
            "routing.fallbacks.gpt-large",
            "gpt-large -> gpt-small -> qwen/qwen3 -> gpt-large",
        ),
    ],
)
def test_fallbacks_of_models_name_models_and_go_nowhere_twice(fallbacks: str, path: str, message: str) -> None:
    (problem,) = problems_of(f"[routing]\nfallbacks = {fallbacks}\n{PARKED}")
    assert (problem.path, problem.line, problem.severity) == (path, 2, "error")
    assert message in problem.message


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("parked", "is a model of none but providers with enabled = false"),
        ("parked/parked", "names parked, which has enabled = false"),
    ],
)
def test_a_fallback_that_is_only_switched_off_is_a_warning(target: str, message: str) -> None:
    (problem,) = problems_of(f"[routing]\nfallbacks = {{ gpt-large = ['{target}'] }}\n{PARKED}")
    assert (problem.path, problem.severity) == ("routing.fallbacks.gpt-large[0]", "warning")
    assert message in problem.message


def test_a_model_that_only_leads_into_a_circle_is_not_blamed_for_it() -> None:
    fallbacks = "{ parked = ['gpt-large'], gpt-large = ['gpt-small'], gpt-small = ['gpt-large'] }"
    (problem,) = problems_of(f"[routing]\nfallbacks = {fallbacks}\n{PARKED}")
    assert "gpt-large -> gpt-small -> gpt-large" in problem.message


def test_of_many_models_only_some_are_listed() -> None:
    many = ", ".join(f"{{ name = 'model-{number}' }}" for number in range(500))
    text = f"[routing]\nfallbacks = {{ model-1 = ['nothing'] }}\n[providers.openai]\napi_key = 'k'\nmodels = [{many}]\n"
    (problem,) = problems_of(text)
    assert problem.message.endswith("model-18, model-19 and 480 more")


def test_who_is_switched_off_and_lists_nothing_has_no_model() -> None:
    (problem,) = problems_of(f"[routing]\nfallbacks = {{ gpt-large = ['whatever'] }}\n{TWO}")
    assert (problem.path, problem.severity) == ("routing.fallbacks.gpt-large[0]", "error")


def test_whoever_takes_any_model_has_every_model() -> None:
    anybody = TWO.replace("base_url", "any_model = true\nbase_url")
    assert problems_of(f"[routing]\nfallbacks = {{ whatever = ['vllm/else'] }}\n{anybody}") == ()


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (TWO.replace("[{ name", "[{ nme"), "providers.openai.models[0].nme", "did you mean 'name'?"),
        (TWO.replace("\nmodels", "\nweight = -1\nmodels", 1), "providers.openai.weight", "a number, 0 or more; got -1"),
        (
            TWO.replace("\nmodels", "\nweight = 0\nmodels"),
            "providers.openai.weight",
            "the weights of openai and vllm sum to zero",
        ),
        (
            "[general]\nfallback_providers = ['vllm']\n" + TWO.replace("h/v1'", "").replace('/v1"', '/v1"\nweight = 0'),
            "providers.vllm.weight",
            "the weights of vllm sum to zero",
        ),
        (
            TWO.replace('" }', '", weight = 0 }'),
            "providers.openai.models",
            "the weights of these models sum to zero",
        ),
        (
            TWO.replace('api_key = "k"', "api_keys = [{ key = 'a', weight = 0 }, { key = 'b', weight = 0 }]"),
            "providers.openai.api_keys",
            "the weights of these keys sum to zero",
        ),
        (
            TWO.replace('api_key = "k"', "api_keys = ['a', { key = 'b', weigth = 0 }]"),
            "providers.openai.api_keys[1]",
            "expected a string, { env",
        ),
        (
            TWO.replace('api_key = "k"', "api_keys = ['a', { key = 'b', weight = 'x' }]"),
            "providers.openai.api_keys[1].weight",
            "a number, 0 or more; got a string",
        ),
        (
            TWO.replace('api_key = "k"', "api_keys = ['a', { weight = 2 }]"),
            "providers.openai.api_keys[1]",
            "expected a string, { env",
        ),
        (
            TWO.replace('api_key = "k"', "api_keys = [{ key = 'a' }, { key = 'a', weight = 2 }]"),
            "providers.openai.api_keys",
            "holds the same key twice",
        ),
    ],
)
def test_each_mistake_in_weights_and_keys_is_named(text: str, path: str, message: str) -> None:
    problems = problems_of(text)
    assert problems
    assert problems[0].path == path
    assert message in problems[0].message


def test_one_weight_of_zero_is_no_mistake() -> None:
    assert problems_of(TWO.replace('/v1"', '/v1"\nweight = 0')) == ()


def test_names_that_are_unknown_only_because_their_provider_is_wrong_are_not_blamed() -> None:
    routing = "[routing]\nfallbacks = { gpt-large = ['qwen/qwen3'] }\ncontent_policy_fallbacks = ['vllm/qwen/qwen3']\n"
    (problem,) = problems_of(routing + TWO.replace('type = "openai"\nbase', "type = 5\nbase"))
    assert problem.path == "providers.vllm.type"
