"""Every way to write limits and budgets wrongly: the place is named, and the mend; what is good passes in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from manus.actors.estimates.bound import OUTPUT_TOKENS
from manus.config.check import check_text
from manus.config.limit_rules import LONGEST_ANSWER_TOKENS, TAG_CHARS_MAX
from manus.config.problems import Problem
from manus.option_checks import NAME_CHARS_MAX

OPENAI = """\
[providers.openai]
api_key = "k"
models = [
    { name = "gpt-x", cost_per_input = 1, cost_per_output = 10, max_output_tokens = 10000 },
    { name = "gpt-y", cost_per_input = 1, cost_per_output = 20, max_output_tokens = 8000 },
]
"""


def problems_of(text: str) -> tuple[Problem, ...]:
    return check_text(text, file="llm.toml", environ={}, base=Path()).problems


@pytest.mark.parametrize(
    "good",
    [
        "[limits]\nrequests_per_minute = 60\ntokens_per_minute = 10000\nconcurrency = 8\n",
        "[limits]\ntokens_per_day = 100000\n[budgets]\ntokens_per_day = 100000\ntokens_per_month = 100000\n",
        "[budgets]\nusd_per_request = 0.1\nusd_per_day = 0.1\nusd_per_month = 5\nrolling = [{ hours = 5, usd = 2 }]\n",
        "[budgets]\nwarn_at = []\nusd_per_day = 1\nrefresh_s = 0.5\n",
        "[general]\nglobal_rate_limit_rpm = 5\nglobal_token_limit_daily = 8000\n[limits]\nrequests_per_minute = 5\n",
        '[limits.tags."team a"]\nconcurrency = 1\n[budgets.tags.batch]\nusd_per_day = 5\n',
        "[budgets]\nusd_per_month = 5\n[ledger]\nkeep_days = 1.5\n",
        "[limits]\nlearn = false\nwaiting_max = 0\n",
        "[routing]\non_cancel = 'drain'\ndrain_s = 5\ndrains_max = 0\n",
    ],
)
def test_what_can_hold_is_accepted_in_silence(good: str) -> None:
    assert problems_of(good + OPENAI) == ()


@pytest.mark.parametrize(
    ("bad", "path", "message"),
    [
        ("[limits]\nrequests_per_minute = 0", "limits.requests_per_minute", "a whole number, 1 or more; got 0"),
        ("[limits]\ntokens_per_minute = -5", "limits.tokens_per_minute", "got -5"),
        ("[limits]\nconcurrency = 1.5", "limits.concurrency", "got 1.5"),
        ("[limits]\ntokens_per_day = nan", "limits.tokens_per_day", "got nan"),
        ("[limits]\nrequest_per_minute = 5", "limits.request_per_minute", "did you mean 'requests_per_minute'?"),
        ("[limits]\nusd_per_day = 5", "limits.usd_per_day", "unknown key; it belongs into [budgets]"),
        ("[limits]\nlearn = 1", "limits.learn", "expected true or false; got 1"),
        ("[limits.tags]\nteam = 5", "limits.tags.team", "expected a table; got 5"),
        ("[limits.tags.team]\nrpm = 5", "limits.tags.team.rpm", "unknown key"),
        ("[limits.tags.team]\nconcurrency = 0", "limits.tags.team.concurrency", "got 0"),
        ("[budgets]\nusd_per_day = 0", "budgets.usd_per_day", "more than 0 (left out, there is no such budget); got 0"),
        ("[budgets]\nusd_per_day = nan", "budgets.usd_per_day", "got nan"),
        ("[budgets]\nusd_per_month = inf", "budgets.usd_per_month", "got inf"),
        ("[budgets]\nusd_per_request = 1e-12", "budgets.usd_per_request", "got 1e-12"),
        ("[budgets]\nusd_per_day = '$5'", "budgets.usd_per_day", "got a string"),
        ("[budgets]\nwarn_at = [0]", "budgets.warn_at[0]", "a share, more than 0 and at most 1; got 0"),
        ("[budgets]\nwarn_at = [50]", "budgets.warn_at[0]", "got 50"),
        ("[budgets]\nwarn_at = 0.5", "budgets.warn_at", "expected an array"),
        ("[budgets]\non_unknown_price = 'refused'", "budgets.on_unknown_price", "did you mean 'refuse'?"),
        ("[budgets]\nrolling = [{ usd = 5 }]", "budgets.rolling[0]", "has no 'hours'"),
        ("[budgets]\nrolling = [{ hours = 5 }]", "budgets.rolling[0]", "add usd or tokens"),
        ("[budgets]\nrolling = [{ hours = 0, usd = 5 }]", "budgets.rolling[0].hours", "hours, more than 0"),
        ("[budgets]\nrolling = { hours = 1, usd = 5 }", "budgets.rolling", "expected an array"),
        ("[budgets.tags.t]\nrolling = [{ hours = 5 }]", "budgets.tags.t.rolling[0]", "add usd or tokens"),
        ('[limits.tags.""]\nconcurrency = 1', 'limits.tags.""', "no request can bear"),
        (f"[budgets.tags.{'x' * 257}]\nusd_per_day = 1", f"budgets.tags.{'x' * 257}", "1 to 256 characters"),
        ("[budgets]\nrequests_per_minute = 5", "budgets.requests_per_minute", "it belongs into [limits]"),
        ("[ledger]\nkeep_days = 0", "ledger.keep_days", "expected days, 1 or more; got 0"),
        ("[routing]\non_cancel = 'drains'", "routing.on_cancel", "did you mean 'drain'?"),
        ("[routing]\ndrain_s = 0", "routing.drain_s", "got 0"),
        (
            "[general]\nglobal_rate_limit_rpm = 5\n[limits]\nrequests_per_minute = 6",
            "limits.requests_per_minute",
            "contradicts general.global_rate_limit_rpm",
        ),
        (
            "[general]\nglobal_token_limit_daily = 10000\n[budgets]\ntokens_per_day = 20000",
            "budgets.tokens_per_day",
            "contradicts general.global_token_limit_daily",
        ),
        (
            "[limits.tags.t]\ntokens_per_day = 10000\n[budgets.tags.t]\ntokens_per_day = 20000",
            "budgets.tags.t.tokens_per_day",
            "contradicts limits.tags.t.tokens_per_day",
        ),
    ],
)
def test_each_mistake_is_an_error_with_its_place_and_line(bad: str, path: str, message: str) -> None:
    (problem,) = problems_of(f"{bad}\n{OPENAI}")
    assert (problem.path, problem.severity, problem.file) == (path, "error", "llm.toml")
    assert message in problem.message
    assert problem.line is not None
    assert problem.line <= bad.count("\n") + 1


def test_a_tag_may_be_as_long_in_the_file_as_in_a_request() -> None:
    assert TAG_CHARS_MAX == NAME_CHARS_MAX


@pytest.mark.parametrize(
    ("odd", "path", "message"),
    [
        (
            "[limits]\ntokens_per_minute = 9000\ninput_tokens_per_minute = 9500",
            "limits.input_tokens_per_minute",
            "is more than tokens_per_minute, so it is never reached",
        ),
        ("[budgets]\nusd_per_day = 9\nusd_per_month = 5", "budgets.usd_per_day", "is more than usd_per_month"),
        ("[budgets]\nusd_per_day = 0.09", "budgets.usd_per_day", "($0.10), so that all such requests are refused"),
        ("[budgets]\nusd_per_request = 0.0999", "budgets.usd_per_request", "($0.10)"),
        ("[budgets]\nrolling = [{ hours = 1, usd = 0.01 }]", "budgets.rolling[0].usd", "($0.10)"),
        ("[budgets]\ntokens_per_day = 7999", "budgets.tokens_per_day", "(8,000 tokens)"),
        ("[budgets.tags.t]\ntokens_per_day = 7999", "budgets.tags.t.tokens_per_day", "(8,000 tokens)"),
        ("[general]\nglobal_token_limit_daily = 7999", "general.global_token_limit_daily", "(8,000 tokens)"),
        ("[limits]\ntokens_per_minute = 7999", "limits.tokens_per_minute", "(8,000 tokens)"),
        ("[limits]\noutput_tokens_per_minute = 100", "limits.output_tokens_per_minute", "have every request name"),
        (
            "[budgets]\nusd_per_day = 5\n[ledger]\npath = ':memory:'",
            "ledger.path",
            "a restart begins budgets.usd_per_day anew; name a file",
        ),
        (
            "[providers.parked]\ntype = 'ollama'\nenabled = false\nlimits = { concurrency = 1 }",
            "providers.parked.limits",
            "enabled = false, so that it bounds nothing",
        ),
        (
            "[providers.parked]\ntype = 'ollama'\nenabled = false\n"
            "models = [{ name = 'm', budgets.tokens_per_day = 1 }]",
            "providers.parked.models[0].budgets",
            "enabled = false",
        ),
        (
            "[budgets]\nusd_per_day = 5\n[providers.gateway]\ntype = 'openai'\nbase_url = 'http://h/v1'\n"
            "models = [{ name = 'm' }]",
            "providers.gateway.models[0]",
            "unknown price, so that budgets.usd_per_day does not count it",
        ),
        (
            "[budgets]\nusd_per_day = 5\non_unknown_price = 'refuse'\n[providers.gateway]\ntype = 'openai'\n"
            "base_url = 'http://h/v1'\nmodels = [{ name = 'm' }]",
            "providers.gateway.models[0]",
            "unknown price, so that it is never asked",
        ),
    ],
)
def test_what_is_odd_is_a_warning_with_its_place_and_line(odd: str, path: str, message: str) -> None:
    (problem,) = problems_of(f"{odd}\n{OPENAI}")
    assert (problem.path, problem.severity) == (path, "warning")
    assert message in problem.message
    assert problem.line is not None
    assert problem.line <= odd.count("\n") + 1


KEYS = """\
[providers.openai]
api_keys = ["k-1", "k-2"]
models = [{ name = "m", cost_per_input = 1, cost_per_output = 10, budgets = { usd_per_day = 5, usd_per_month = 50 } }]
"""


def test_a_budget_of_a_model_under_several_keys_is_said_to_be_several_budgets() -> None:
    (problem,) = problems_of(KEYS)
    assert (problem.path, problem.severity) == ("providers.openai.models[0].budgets", "warning")
    assert "under each of the 2 keys of openai by itself" in problem.message


def test_a_bound_of_a_model_is_held_against_that_model_alone() -> None:
    small = "models = [{ name = 'big', max_output_tokens = 9000, limits = { tokens_per_minute = 8000 } },\n"
    small += "{ name = 'small', max_output_tokens = 90, limits = { tokens_per_minute = 8000 } }]\n"
    (problem,) = problems_of(f"[providers.ollama]\n{small}")
    assert problem.path == "providers.ollama.models[0].limits.tokens_per_minute"


def test_of_vendors_that_count_what_is_asked_an_uncapped_answer_may_be_longer_than_the_limit() -> None:
    limited = OPENAI + "[providers.openai.limits]\ntokens_per_minute = 100\n"
    assert problems_of(limited) == ()


def test_of_a_model_that_nobody_describes_the_longest_answer_on_offer_is_set_aside() -> None:
    unknown = "[providers.gateway]\ntype = 'openai'\nbase_url = 'http://h/v1'\n"
    unknown += "models = [{ name = 'm', cost_per_input = 1, cost_per_output = 1 }]\n"
    (problem,) = problems_of(f"[budgets]\ntokens_per_day = 131071\n{unknown}")
    assert "(131,072 tokens)" in problem.message
    assert problems_of(f"[budgets]\ntokens_per_day = 131072\n{unknown}") == ()
    assert LONGEST_ANSWER_TOKENS == OUTPUT_TOKENS


def test_models_that_make_vectors_fit_into_anything() -> None:
    model = "models = [{ name = 'e', cost_per_input = 1, cost_per_output = 0, embeddings = true }]\n"
    assert problems_of(f"[budgets]\nusd_per_day = 0.000001\n[providers.openai]\napi_key = 'k'\n{model}") == ()


def test_a_model_without_a_price_is_warned_of_once_however_many_budgets_count_it() -> None:
    text = "[budgets]\nusd_per_day = 5\nusd_per_month = 50\n[budgets.tags.t]\nusd_per_day = 5\n"
    text += "[providers.ollama]\nbase_url = 'http://h'\nbudgets = { usd_per_day = 5 }\nmodels = [{ name = 'm' }]\n"
    (problem,) = problems_of(text)
    assert problem.path == "providers.ollama.models[0]"
