"""From limits and budgets as they are written to what accounting is handed: scopes, units, sources."""

from __future__ import annotations

from pathlib import Path

from manus.config.limit_policies import admission_policy
from manus.config.limit_schema import BudgetsTable, LimitsTable
from manus.config.load import load
from manus.config.policies import ledger_policy, router_policy
from manus.config.schema import KeyConfig, LLMConfig, ModelConfig, ProviderConfig
from manus.messages.limits import AdmissionPolicy, BudgetRule, LimitRule, Scope, TokenCounting
from tests.config.test_policies import config_of

USD = 1_000_000_000


def policy_of(**tables: object) -> AdmissionPolicy:
    return admission_policy(config_of(**tables), str.upper)


def entry_of(**fields: object) -> dict[str, object]:
    return {"providers": {"openai": {"api_key": "k", **fields}}}


def test_without_limits_and_budgets_nothing_is_bounded() -> None:
    assert policy_of() == AdmissionPolicy()


def test_limits_of_everything_become_one_rule_and_tokens_per_day_a_budget() -> None:
    policy = policy_of(
        limits={
            "requests_per_minute": 60,
            "tokens_per_minute": 5_000,
            "input_tokens_per_minute": 4_000,
            "output_tokens_per_minute": 3_000,
            "concurrency": 7,
            "tokens_per_day": 100_000,
            "learn": False,
            "waiting_max": 9,
        }
    )
    assert policy == AdmissionPolicy(
        limits=(
            LimitRule(
                requests_per_minute=60,
                tokens_per_minute=5_000,
                input_tokens_per_minute=4_000,
                output_tokens_per_minute=3_000,
                concurrency=7,
            ),
        ),
        budgets=(BudgetRule(amount=100_000, unit="tokens", source="limits.tokens_per_day"),),
        learn=False,
        waiting_max=9,
    )


def test_the_keys_of_general_mean_what_those_of_limits_do() -> None:
    policy = policy_of(general={"global_rate_limit_rpm": 60, "global_token_limit_daily": 5})
    assert policy.limits == (LimitRule(requests_per_minute=60, source="general.global_rate_limit_rpm"),)
    assert policy.budgets == (BudgetRule(amount=5, unit="tokens", source="general.global_token_limit_daily"),)


def test_what_is_said_twice_is_bounded_once() -> None:
    policy = policy_of(
        general={"global_rate_limit_rpm": 60, "global_token_limit_daily": 5},
        limits={"requests_per_minute": 60, "tokens_per_day": 5},
        budgets={"tokens_per_day": 5},
    )
    assert policy.limits == (LimitRule(requests_per_minute=60),)
    assert policy.budgets == (BudgetRule(amount=5, unit="tokens", source="budgets.tokens_per_day"),)


def test_budgets_are_exact_nano_usd_and_say_where_they_stand() -> None:
    policy = policy_of(
        budgets={
            "usd_per_request": 0.1,
            "usd_per_day": 0.3,
            "usd_per_month": 20,
            "tokens_per_month": 8,
            "rolling": [{"hours": 5, "usd": 2.0, "tokens": 70}, {"hours": 0.5, "tokens": 3}],
            "on_unknown_price": "refuse",
            "warn_at": [1, 0.25, 1.0],
            "refresh_s": 4,
        }
    )
    assert policy.usd_per_request == USD // 10
    assert policy.on_unknown_price == "refuse"
    assert policy.warn_at == (0.25, 1.0)
    assert policy.refresh_s == 4.0
    assert policy.budgets == (
        BudgetRule(amount=3 * USD // 10, source="budgets.usd_per_day"),
        BudgetRule(amount=20 * USD, period="month", source="budgets.usd_per_month"),
        BudgetRule(amount=8, unit="tokens", period="month", source="budgets.tokens_per_month"),
        BudgetRule(amount=2 * USD, period="rolling", window_s=18_000.0, source="budgets.rolling[0].usd"),
        BudgetRule(amount=70, unit="tokens", period="rolling", window_s=18_000.0, source="budgets.rolling[0].tokens"),
        BudgetRule(amount=3, unit="tokens", period="rolling", window_s=1_800.0, source="budgets.rolling[1].tokens"),
    )


def test_tags_have_scopes_of_their_own() -> None:
    policy = policy_of(
        limits={"tags": {"team-a": {"concurrency": 2}}},
        budgets={"tags": {"team-a": {"usd_per_day": 1}, "a b": {"tokens_per_day": 9}}},
    )
    assert policy.limits == (
        LimitRule(scope=Scope(kind="tag", name="team-a"), source="limits.tags.team-a", concurrency=2),
    )
    assert policy.budgets == (
        BudgetRule(amount=USD, scope=Scope(kind="tag", name="team-a"), source="budgets.tags.team-a.usd_per_day"),
        BudgetRule(
            amount=9,
            unit="tokens",
            scope=Scope(kind="tag", name="a b"),
            source='budgets.tags."a b".tokens_per_day',
        ),
    )


def test_a_provider_a_key_and_a_model_each_have_theirs() -> None:
    policy = policy_of(
        **entry_of(
            api_key=None,
            api_keys=[{"key": "one", "limits": {"requests_per_minute": 1}, "budgets": {"usd_per_day": 1}}],
            limits={"requests_per_minute": 2},
            models=[{"name": "m", "limits": {"requests_per_minute": 3}, "budgets": {"tokens_per_day": 4}}],
        )
    )
    counting = TokenCounting(asked=True)
    assert policy.limits == (
        LimitRule(
            scope=Scope(kind="provider", name="openai"),
            source="providers.openai.limits",
            requests_per_minute=2,
            counting=counting,
        ),
        LimitRule(
            scope=Scope(kind="key", name="openai#ONE"),
            source="providers.openai.api_keys[0].limits",
            requests_per_minute=1,
            counting=counting,
        ),
        LimitRule(
            scope=Scope(kind="deployment", name="openai/m"),
            source="providers.openai.models[0].limits",
            requests_per_minute=3,
            counting=counting,
        ),
    )
    assert [(rule.scope.kind, rule.source) for rule in policy.budgets] == [
        ("key", "providers.openai.api_keys[0].budgets.usd_per_day"),
        ("deployment", "providers.openai.models[0].budgets.tokens_per_day"),
    ]


def test_a_model_has_its_limits_under_each_of_several_keys() -> None:
    models = [{"name": "m", "limits": {"requests_per_minute": 3}}]
    policy = policy_of(**entry_of(api_key=None, api_keys=["one", "two"], models=models))
    assert [rule.scope.name for rule in policy.limits] == ["openai/m#ONE", "openai/m#TWO"]


def test_no_key_is_in_the_policy() -> None:
    keys = [{"key": "sk-canary", "limits": {"concurrency": 1}}]
    config = config_of(**entry_of(api_key=None, api_keys=keys))
    assert "canary" not in repr(admission_policy(config, lambda key: key[:2]))


def test_tokens_are_counted_as_the_vendor_counts_them() -> None:
    models = [{"name": "anthropic.claude-opus-5"}, {"name": "mine", "base": "us.anthropic.claude-sonnet-5-5"}]
    models += [{"name": "amazon.nova-pro-v1:0"}, {"name": "anthropic.claude-3-haiku-20240307-v1:0"}]
    limited = [model | {"limits": {"tokens_per_minute": 9}} for model in models]
    tables = {
        "bedrock": {"region": "us-east-1", "api_key": "k", "models": limited},
        "anthropic": {"api_key": "k", "limits": {"tokens_per_minute": 9}},
        "ollama": {"limits": {"tokens_per_minute": 9}},
    }
    counted = {rule.scope.name: rule.counting for rule in policy_of(providers=tables).limits}
    assert counted == {
        "bedrock/anthropic.claude-opus-5": TokenCounting(output_weight=5),
        "bedrock/mine": TokenCounting(output_weight=5),
        "bedrock/amazon.nova-pro-v1:0": TokenCounting(),
        "bedrock/anthropic.claude-3-haiku-20240307-v1:0": TokenCounting(),
        "anthropic": TokenCounting(cache_reads=False),
        "ollama": TokenCounting(),
    }


def test_who_is_switched_off_is_not_bounded() -> None:
    parked = {"enabled": False, "limits": {"concurrency": 1}, "models": [{"name": "m", "budgets": {"usd_per_day": 1}}]}
    assert policy_of(providers={"openai": {"api_key": "k"}, "ollama": parked}) == AdmissionPolicy()


def test_a_program_writes_the_same_with_types() -> None:
    config = LLMConfig(
        global_rate_limit_rpm=5,
        providers={
            "openai": ProviderConfig(
                api_keys=[KeyConfig(key="k", limits=LimitsTable(concurrency=1))],  # type: ignore[arg-type]  # text
                models=[ModelConfig(name="m", budgets=BudgetsTable(tokens_per_day=5))],
            )
        },
    )
    policy = admission_policy(load(config, environ={}).config, str.upper)
    assert [rule.source for rule in policy.limits] == [
        "general.global_rate_limit_rpm",
        "providers.openai.api_keys[0].limits",
    ]
    assert [rule.scope.name for rule in policy.budgets] == ["openai/m"]


def test_the_router_is_told_what_becomes_of_calls_whose_caller_left() -> None:
    policy = router_policy(config_of(routing={"on_cancel": "drain", "drain_s": 5, "drains_max": 2}))
    assert (policy.on_cancel, policy.drain_s, policy.drains_max) == ("drain", 5.0, 2)
    assert router_policy(config_of()).on_cancel == "abort"


def test_the_ledger_is_told_how_long_to_keep_its_rows() -> None:
    kept = ledger_policy(config_of(ledger={"keep_days": 90}), base=Path(), state=None)
    assert kept.keep_days == 90.0
    assert ledger_policy(config_of(), base=Path(), state=None).keep_days is None
