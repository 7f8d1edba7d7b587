"""Every way to write a configuration wrongly: the place is named, and the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from manus.config import auth_rules
from manus.config.check import check_text
from manus.config.problems import Problem

GOOD = """\
[general]
default_provider = "openai"

[providers.openai]
api_key = "${KEY}"
models = [{ name = "m", cost_per_input = 1, cost_per_output = 2 }]
"""

ENVIRON = {"KEY": "k-1234"}


def problems_of(text: str, environ: dict[str, str] | None = None) -> tuple[Problem, ...]:
    return check_text(text, file="llm.toml", environ=ENVIRON if environ is None else environ, base=Path()).problems


def test_a_good_file_has_no_problems() -> None:
    assert problems_of(GOOD) == ()


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[general", 1, "is not TOML"),
        ("[general]\nx = \n", 2, "is not TOML"),
        ('a = "unclosed\n', 1, "is not TOML"),
        ("[a]\n[a]\n", 2, "is not TOML"),
        ("a = 1\na = 2\n", 2, "is not TOML"),
        ("a = \x00\n", 1, "is not TOML"),
        ("this is prose\n", 1, "is not TOML"),
        ('{"json": true}\n', 1, "is not TOML"),
        ("key: value\n", 1, "is not TOML"),
    ],
)
def test_wrong_toml_is_one_problem_with_its_line(text: str, line: int, message: str) -> None:
    (problem,) = problems_of(text)
    assert problem.message.startswith(message)
    assert (problem.file, problem.line) == ("llm.toml", line)
    assert problem.column is not None


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 5000 + "]" * 5000, "a = " + "9" * 10_000, "a = " + "{b = " * 3000 + "1" + "}" * 3000],
    ids=["nested arrays", "number of ten thousand digits", "nested tables"],
)
def test_monstrous_toml_is_refused_and_not_a_crash(text: str) -> None:
    assert problems_of(text)


@pytest.mark.parametrize(
    ("added", "path", "message"),
    [
        ("[genral]\n", "genral", "unknown table or key; did you mean 'general'?"),
        ("[retry]\nbase = 1\n", "retry.base", "unknown key; did you mean 'base_s'?"),
        ("[retry]\nbase_s = 'x'\n", "retry.base_s", "expected seconds, more than 0"),
        ("[retry]\nbase_s = 0\n", "retry.base_s", "got 0"),
        ("[retry]\nbase_s = inf\n", "retry.base_s", "got inf"),
        ("[retry]\nbase_s = nan\n", "retry.base_s", "got nan"),
        ("[retry]\nbase_s = true\n", "retry.base_s", "got true"),
        ("[retry]\nbase_s = 1979-05-27\n", "retry.base_s", "got a date or time"),
        ("[retry]\nbase_s = 7.0\n", "retry.base_s", "more than max_s"),
        ("[retry]\nattempts_max = 1.5\n", "retry.attempts_max", "expected a whole number from 1 to 64; got 1.5"),
        ("[retry]\nattempts_max = 99999999999999999999\n", "retry.attempts_max", "got a number beyond 64 bits"),
        ("[timeouts]\nidle_s = -1\n", "timeouts.idle_s", "got -1"),
        ("[timeouts]\nrequest_s = 90000\n", "timeouts.request_s", "at most a day"),
        ("[ledger]\ndurability = 'powr'\n", "ledger.durability", "did you mean 'power'?"),
        ("[ledger]\npath = ''\n", "ledger.path", "names no file; name one"),
        ("[ledger]\npath = 'books/'\n", "ledger.path", "names no file"),
        ("[ledger]\npath = ['a']\n", "ledger.path", "expected a string; got an array"),
        ("[ipc]\nwindow = 0\n", "ipc.window", "expected a whole number from 1 to 65536; got 0"),
        ("[ipc]\nframe_bytes_max = 100\n", "ipc.frame_bytes_max", "a whole number from 1024 to"),
        ("[ipc]\nconnections_max = 0\n", "ipc.connections_max", "a whole number from 1 to 4096; got 0"),
        ("[budgets]\nusd_per_day = -0.01\n", "budgets.usd_per_day", "got -0.01"),
        ("[providers.x]\n", "providers.x", "needs a type"),
        ("[providers.olama]\n", "providers.olama", "did you mean 'ollama'?"),
        ("[providers.x]\ntype = 'opena'\n", "providers.x.type", "did you mean 'openai'?"),
        ("[providers.anthropic]\n", "providers.anthropic.api_key", 'write api_key = "${ANTHROPIC_API_KEY}"'),
        ("[providers.bedrock]\napi_key = 'k'\n", "providers.bedrock.region", "AWS_REGION"),
        ("[providers.bedrock]\napi_key = 'k'\nregion = 'here'\n", "providers.bedrock.region", "us-east-1"),
        ("[providers.bedrock]\nregion = 'x.evil.example/'\n", "providers.bedrock.region", "expected an AWS region"),
        (
            "[providers.bedrock]\nregion = 'us-east-1'\naws_access_key_id = 'a'\n",
            "providers.bedrock.aws_secret_access_key",
            "is missing, and aws_access_key_id is of no use without it",
        ),
        (
            "[providers.bedrock]\nregion = 'us-east-1'\napi_key = 'k'\nprofile = 'p'\n",
            "providers.bedrock.profile",
            "contradicts api_key",
        ),
        ("[providers.azure]\napi_key = 'k'\n", "providers.azure.base_url", "https://RESOURCE.openai.azure.com"),
        (
            "[providers.azure]\nbase_url = 'https://r.openai.azure.com'\n",
            "providers.azure.api_key",
            "or entra = true",
        ),
        (
            "[providers.azure]\nbase_url = 'https://r.openai.azure.com'\napi_key = 'k'\nentra = true\n",
            "providers.azure.entra",
            "contradicts api_key",
        ),
        (
            "[providers.azure]\nbase_url = 'https://r.openai.azure.com'\nentra = { tenant = 't', client_id = 'c' }\n",
            "providers.azure.entra.client_secret",
            "is missing, and tenant is of no use without it",
        ),
        (
            "[providers.azure]\nbase_url = 'http://h'\nentra = 'yes'\n",
            "providers.azure.entra",
            "true, false or a table",
        ),
        (
            "[providers.azure]\nbase_url = 'http://h'\nentra = { tenat = 't' }\n",
            "providers.azure.entra.tenat",
            "'tenant'",
        ),
        (
            "[providers.azure]\nbase_url = 'http://h'\napi_version = '2024&x=1'\n",
            "providers.azure.api_version",
            'such as "2024-10-21"',
        ),
        ("[providers.ollama]\nregion = 'us-east-1'\n", "providers.ollama.region", "is for type 'bedrock'"),
        ("[providers.ollama]\nauth_token = 't'\n", "providers.ollama.auth_token", "for type 'anthropic' or 'azure'"),
        (
            "[providers.anthropic]\napi_key = 'k'\nauth_token = 't'\n",
            "providers.anthropic.auth_token",
            "contradicts api_key",
        ),
        (
            "[providers.anthropic]\napi_key = 'k'\nheaders = { X-Api-Key = 'k' }\n",
            "providers.anthropic.headers.X-Api-Key",
            "contradicts api_key",
        ),
        ("[providers.ollama]\nkey_order = 'random'\n", "providers.ollama.key_order", "'round_robin' or 'sticky'"),
        ("[providers.\"a b\"]\ntype = 'ollama'\n", 'providers."a b"', "rename it"),
        ("[providers.OpenAI]\ntype = 'ollama'\n", "providers.OpenAI", "only in case"),
        ("[providers.ollama]\nmodels = 'a'\n", "providers.ollama.models", "expected an array"),
        ("[providers.ollama]\nmodels = ['a']\n", "providers.ollama.models[0]", "expected a table; got a string"),
        ("[providers.ollama]\nmodels = [{}]\n", "providers.ollama.models[0]", "has no 'name'"),
        ("[providers.ollama]\nmodels = [{name = ''}]\n", "providers.ollama.models[0].name", "1 to 256 characters"),
        (
            "[providers.ollama]\nmodels = [{name = 'a'}, {name = 'a'}]\n",
            "providers.ollama.models[1].name",
            "twice",
        ),
        (
            "[providers.ollama]\nmodels = [{name = 'a', cost_per_input = -5}]\n",
            "providers.ollama.models[0].cost_per_input",
            "expected USD per million tokens, 0 or more; got -5",
        ),
        (
            "[providers.ollama]\nmodels = [{name = 'a', tier = 11}]\n",
            "providers.ollama.models[0].tier",
            "from 1 (small) to 10 (frontier)",
        ),
        (
            "[providers.ollama]\nmodels = [{name = 'a', cost_per_input = 5}]\n",
            "providers.ollama.models[0].cost_per_output",
            "is missing beside cost_per_input",
        ),
        ("[providers.ollama]\nbase_url = 'localhost:11434'\n", "providers.ollama.base_url", "expected a URL"),
        ("[providers.ollama]\nbase_url = 'not a url'\n", "providers.ollama.base_url", "expected a URL"),
        ("[providers.ollama]\nbase_url = 'http://'\n", "providers.ollama.base_url", "expected a URL"),
        ("[providers.ollama]\nbase_url = 'http://h:99999'\n", "providers.ollama.base_url", "expected a URL"),
        ("[providers.ollama]\nbase_url = 'http://[::1'\n", "providers.ollama.base_url", "expected a URL"),
        ("[providers.ollama]\nbase_url = 'ftp://h'\n", "providers.ollama.base_url", "only http and https"),
        ("[providers.ollama]\nbase_url = 'http://u:p@h'\n", "providers.ollama.base_url", "use api_key or headers"),
        ("[providers.ollama]\nbase_url = 'http://h/?key=1'\n", "providers.ollama.base_url", "query or fragment"),
        ('[providers.ollama]\nbase_url = "http://h\\n"\n', "providers.ollama.base_url", "cannot be printed"),
        ("[providers.ollama]\nproxy = 'socks5://h'\n", "providers.ollama.proxy", "expected a URL"),
        ("[providers.ollama]\nheaders = {'a b' = 'x'}\n", "providers.ollama.headers", "a header's name"),
        ("[providers.ollama]\nheaders = {Host = 'x'}\n", "providers.ollama.headers.Host", "remove it"),
        ('[providers.ollama]\nheaders = {X = "a\\nb"}\n', "providers.ollama.headers.X", "HTTP header"),
        ("[providers.ollama]\nheaders = {X = 1}\n", "providers.ollama.headers.X", "expected a string"),
        ("[providers.ollama]\napi_key = 'a'\napi_keys = ['b']\n", "providers.ollama.api_keys", "contradicts api_key"),
        ("[providers.ollama]\napi_keys = ['b', 'b']\n", "providers.ollama.api_keys", "same key twice"),
        ("[providers.ollama]\napi_key = ''\n", "providers.ollama.api_key", "is empty"),
        ('[providers.ollama]\napi_key = "schlüssel"\n', "providers.ollama.api_key", "HTTP header"),
        ("[providers.ollama]\napi_key = { file = '/no/such' }\n", "providers.ollama.api_key", "cannot be read"),
        ("[providers.ollama]\napi_key = { file = '/' }\n", "providers.ollama.api_key", "cannot be read"),
        ("[providers.ollama]\napi_key = { env = 'NOPE' }\n", "providers.ollama.api_key", "variable NOPE is not set"),
        ("[providers.ollama]\napi_key = { enw = 'NOPE' }\n", "providers.ollama.api_key", "got a table"),
        ("[providers.ollama]\napi_key = '${NOPE'\n", "providers.ollama.api_key", "begins no variable"),
        (
            "[providers.ollama]\napi_key = '${NOPE}'\n",
            "providers.ollama.api_key",
            "enabled = false for the provider ollama",
        ),
        ("[providers.ollama]\nbase_url = '${NOPE}'\n", "providers.ollama.base_url", "variable NOPE is not set"),
        ("[providers.ollama]\ncommand = 'x'\n", "providers.ollama.command", 'is for type = "local"'),
        ("[providers.ollama]\nverify = false\n", "providers.ollama.verify", "any server can pretend"),
        ("[providers.ollama]\nconcurrency = 0\n", "providers.ollama.concurrency", "from 1 to 10000; got 0"),
        ("[providers.ollama]\nenabled = 'yes'\n", "providers.ollama.enabled", "expected true or false; got a string"),
        (
            "[providers.ollama]\ntimeouts = {connect_s = 700.0, total_s = 600}\n",
            "providers.ollama.timeouts.connect_s",
            "never run out",
        ),
        (
            "[providers.local]\ncommand = 'x'\nargs = ['--port={port}']\nbase_url = 'http://h'\n",
            "providers.local.base_url",
            "another type than 'local'",
        ),
        (
            "[providers.local]\ncommand = 'x'\nargs = ['--port={port}']\nhealth_path = 'health'\n",
            "providers.local.health_path",
            "expected a path",
        ),
        ("[providers.local]\ncommand = 'x'\n", "providers.local.args", "put {port} where it belongs"),
        ("[providers.o2]\ntype = 'openai'\n", "providers.o2.api_key", "is missing"),
    ],
)
def test_each_mistake_is_named_with_its_place_and_line(added: str, path: str, message: str) -> None:
    problems = problems_of(GOOD + added)

    assert [problem.path for problem in problems] == [path]
    assert message in problems[0].message
    assert problems[0].line is not None
    assert problems[0].line > GOOD.count("\n")


@pytest.mark.parametrize(
    ("general", "path", "message"),
    [
        ("default_provider = 'opnai'", "general.default_provider", "names no provider; there is openai"),
        ("default_provider = 5", "general.default_provider", "expected a string; got 5"),
        ("fallback_providers = ['nobody']", "general.fallback_providers[0]", "names no provider"),
        ("fallback_providers = 'openai'", "general.fallback_providers", "expected an array"),
        ("fallback_providers = ['openai', 'openai']", "general.fallback_providers[1]", "named before in this list"),
        (
            "default_provider = 'openai'\nfallback_providers = ['openai']",
            "general.fallback_providers[0]",
            "the default provider itself",
        ),
        ("routing_strategy = 'costaware'", "general.routing_strategy", "did you mean 'cost_aware'?"),
        ("enable_streaming = 1", "general.enable_streaming", "expected true or false; got 1"),
        ("global_rate_limit_rpm = -1", "general.global_rate_limit_rpm", "expected a whole number, 0 or more"),
        ("global_token_limit_daily = 1.5", "general.global_token_limit_daily", "got 1.5"),
    ],
)
def test_each_mistake_in_general_is_named(general: str, path: str, message: str) -> None:
    text = f"[general]\n{general}\n[providers.openai]\napi_key = 'k'\n"
    (problem,) = problems_of(text)
    assert problem.path == path
    assert message in problem.message
    assert problem.line in (2, 3)


def test_general_keys_outside_of_general_are_told_where_to_go() -> None:
    (problem,) = problems_of('default_provider = "openai"\n[providers.openai]\napi_key = "k"\n')
    assert "move it below a line [general]" in problem.message


def test_all_problems_are_reported_at_once_in_the_order_of_the_file() -> None:
    problems = problems_of(
        """\
[general]
default_provider = "opnai"
[providers.openai]
api_key = "${NOPE}"
base_url = "nonsense"
models = [
    { name = "a", cost_per_input = -5 },
    { nme = "b" },
]
[timeouts]
connect_s = 0
[retries]
"""
    )
    assert [(problem.line, problem.path) for problem in problems] == [
        (2, "general.default_provider"),
        (4, "providers.openai.api_key"),
        (5, "providers.openai.base_url"),
        (7, "providers.openai.models[0].cost_per_input"),
        (8, "providers.openai.models[1].nme"),
        (8, "providers.openai.models[1]"),
        (11, "timeouts.connect_s"),
        (12, "retries"),
    ]


def test_a_disabled_provider_may_lack_its_variables_and_its_type() -> None:
    parked = """
[providers.anthropic]
enabled = false
api_key = "${ANTHROPIC_API_KEY}"
base_url = "${ANTHROPIC_URL}"
headers = { X = "${NOPE}" }
models = [{ name = "${ANTHROPIC_MODEL:-claude}" }]
"""
    assert problems_of(GOOD + parked) == ()


def test_nobody_enabled_is_said_once() -> None:
    (problem,) = problems_of("[providers.openai]\nenabled = false\n")
    assert problem.path == "providers"
    assert "enable one of them" in problem.message


def test_an_empty_file_says_that_a_provider_is_needed() -> None:
    (problem,) = problems_of("")
    assert "add a table [providers.NAME]" in problem.message


def test_a_value_reported_once_causes_no_second_problem() -> None:
    """What only follows from a value that was left out would send the reader looking for a second mistake."""
    (problem,) = problems_of('[general]\ndefault_provider = "openai"\n[providers]\nopenai = 3\n')
    assert problem.path == "providers.openai"
    (problem,) = problems_of('[providers.openai]\nbase_url = "${NOPE}"\n')
    assert problem.path == "providers.openai.base_url"
    (problem,) = problems_of("providers = 1\n")
    assert problem.path == "providers"


def test_a_problem_is_written_like_a_compilers() -> None:
    problem = problems_of(GOOD + "[retry]\nbase = 1\n")[0]
    assert str(problem) == "llm.toml:8: retry.base: unknown key; did you mean 'base_s'?"


@pytest.mark.parametrize(
    ("entry", "path", "extra"),
    [
        ("[providers.bedrock]\nregion = 'us-east-1'\n", "providers.bedrock", "bedrock"),
        ("[providers.bedrock]\nregion = 'us-east-1'\nprofile = 'p'\n", "providers.bedrock", "bedrock"),
        (
            "[providers.azure]\nbase_url = 'https://r.openai.azure.com'\nentra = true\n",
            "providers.azure.entra",
            "azure",
        ),
    ],
)
def test_a_library_that_is_not_there_is_named_with_its_installation(
    entry: str, path: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert problems_of(GOOD + entry) == ()
    monkeypatch.setattr(auth_rules, "is_installed", lambda module: False)
    (problem,) = problems_of(GOOD + entry)
    assert problem.path == path
    assert f'pip install "manus-llm[{extra}]"' in problem.message


@pytest.mark.parametrize(
    "entry",
    [
        "[providers.anthropic]\nauth_token = 't'\nbetas = ['b']\n",
        "[providers.anthropic]\nbase_url = 'http://gateway'\n",
        "[providers.anthropic]\napi_keys = ['a', 'b']\nkey_order = 'sticky'\n",
        "[providers.bedrock]\napi_key = 'k'\nbase_url = 'https://bedrock-runtime-fips.us-east-1.amazonaws.com'\n",
        "[providers.bedrock]\nregion = 'us-gov-west-1'\naws_access_key_id = 'a'\naws_secret_access_key = 'b'\n",
        "[providers.azure]\nbase_url = 'https://r.openai.azure.com/openai/v1/'\napi_key = 'k'\napi_version = 'v1'\n",
        "[providers.azure]\nbase_url = 'http://h'\nmodels = [{ name = 'mine', base = 'gpt-5.4', efforts = ['low'] }]\n",
        "[providers.azure]\nbase_url = 'http://h'\nentra = { client_id = 'c' }\n",
        "[providers.azure]\nbase_url = 'http://h'\n[providers.azure.entra]\n",
        "[providers.ollama]\napi_key = 'k'\nheaders = { X-Api-Key = 'of a gateway' }\n",
    ],
)
def test_every_type_can_be_configured(entry: str) -> None:
    assert problems_of(GOOD + entry) == ()
