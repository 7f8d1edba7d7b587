"""`manus explain`: the plan of a request as its users see it, without a network."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.rig import Terminal

NOBODY = "http://127.0.0.1:9/v1"  # nothing may be asked of it

TWO = f"""\
[providers.cloud]
type = "openai"
priority = 1
base_url = "{NOBODY}"
api_key = "${{MY_KEY}}"
tags = ["eu"]
models = [
    {{ name = "large", cost_per_input = 5, cost_per_output = 20, tier = 9, vision = true, context_length = 100000 }},
    {{ name = "small", cost_per_input = 1, cost_per_output = 2, tier = 3, vision = false, context_length = 100000 }},
]
[providers.home]
type = "openai"
priority = 2
base_url = "{NOBODY}"
models = [{{ name = "tiny", cost_per_input = 0, cost_per_output = 0, tier = 1, vision = false }}]
[ledger]
path = "ledger.sqlite"
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = Terminal(tmp_path, None)
    (tmp_path / "llm.toml").write_text(TWO)
    return made


def ranks(output: bytes) -> list[str]:
    """Name the deployments of the table, in their order."""
    return re.findall(r"^\d+ +(\S+)", output.decode(), re.MULTILINE)


def test_the_plan_is_a_table_with_reasons_and_nothing_is_booked(terminal: Terminal) -> None:
    done = terminal.run("explain", "Hello")
    assert (done.returncode, done.stderr) == (0, b"")
    told = done.stdout.decode()
    assert told.startswith("strategy priority\n")
    assert ranks(done.stdout) == ["cloud/large", "home/tiny"]
    assert re.search(r"^1 +cloud/large +- +now +by priority", told, re.MULTILINE)
    assert re.search(r"would set aside \d+ in \+ \d+ out tokens \(\$0\.\d+\), at most \d+ in", told)
    assert not (terminal.directory / "ledger.sqlite").exists()


def test_budgets_that_the_request_could_never_fit_into_are_named(terminal: Terminal) -> None:
    path = terminal.directory / "llm.toml"
    bounds = "[budgets]\ntokens_per_month = 50000\nusd_per_day = 100\n[budgets.tags.team]\nusd_per_day = 0.000001\n"
    path.write_text(path.read_text() + bounds)

    done = terminal.run("explain", "--label", "team", "Hello")
    small = terminal.run("explain", "--json", "--max-tokens", "20", "Hello")

    assert done.returncode == 0
    told = done.stdout.decode()
    assert "does not fit into budgets.tokens_per_month, 50,000 tokens for all: name a smaller --max-tokens" in told
    assert "does not fit into budgets.tags.team.usd_per_day, $0.000001 for tag team" in told
    assert "budgets.usd_per_day" not in told
    assert json.loads(small.stdout)["never_fits"] == []


@pytest.mark.parametrize(
    ("arguments", "order"),
    [
        (["--strategy", "cost_aware"], ["home/tiny", "cloud/small", "cloud/large"]),
        (["--prefer", "cheap"], ["home/tiny", "cloud/small", "cloud/large"]),
        (["--complexity", "8"], ["cloud/large", "cloud/small", "home/tiny"]),
        (["--complexity", "2"], ["cloud/small", "cloud/large", "home/tiny"]),
        (["--needs", "vision"], ["cloud/large"]),
        (["--tag", "eu"], ["cloud/large"]),
        (["--provider", "home"], ["home/tiny", "cloud/large"]),
        (["--provider", "home", "--no-fallback"], ["home/tiny"]),
        (["--provider", "home", "--fallback", "cloud/small"], ["home/tiny", "cloud/small"]),
        (["--model", "small"], ["cloud/small", "home/tiny"]),
        (["--max-cost", "0.0000001"], ["home/tiny"]),
    ],
    ids=" ".join,
)
def test_every_option_of_routing_shows_in_the_plan(terminal: Terminal, arguments: list[str], order: list[str]) -> None:
    done = terminal.run("explain", *arguments, "Hello")
    assert done.returncode == 0, done.stderr
    assert ranks(done.stdout) == order


def test_those_left_out_are_told_with_the_reason(terminal: Terminal) -> None:
    told = terminal.run("explain", "--needs", "vision", "Hello").stdout.decode()
    assert re.search(r"left out:\n(.*\n)*  home/tiny +.*image", told)


def test_json_is_the_whole_route(terminal: Terminal) -> None:
    done = terminal.run("explain", "--json", "--strategy", "cost_aware", "-", stdin=b"Hello\n")
    told = json.loads(done.stdout)
    assert told["strategy"] == "cost_aware"
    assert [each["rank"] for each in told["candidates"]] == [0, 1, 2]
    assert told["candidates"][0]["score"] == 0
    assert told["reservation"]["estimate"]["output"] > 0


def test_criteria_that_nobody_meets_name_everybody_and_why(terminal: Terminal) -> None:
    done = terminal.run("explain", "--tag", "us", "--json", "Hello")
    assert done.returncode == 2
    for deployment in ("cloud/large", "home/tiny"):
        assert f"{deployment}: does not bear the tag 'us'" in done.stderr.decode()
    told = json.loads(done.stdout)["error"]
    assert (told["type"], told["kind"]) == ("FallbackError", "no_candidate")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--strategy", "cheapest"], "routing_strategy: expected priority, cost_aware"),
        (["--complexity", "11"], "criteria.task_complexity: expected a whole number from 1 to 10"),
        (["--complexity", "hard"], "invalid int value"),
        (["--needs", "sight"], "invalid choice: 'sight'"),
        (["--provider", "hme"], "Did you mean 'home'?"),
        (["--fallback", "cloud/smal"], "Did you mean 'small'?"),
        (["--fallback", "home", "--no-fallback"], "not allowed with"),
        (["--timeout", "-1"], "timeout_s: expected a number, more than 0"),
        (["--max-cost", "-1"], "criteria.max_cost_usd"),
        (["--config", "nowhere.toml"], "does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_is_status_2_and_says_what_is_wrong(terminal: Terminal, arguments: list[str], message: str) -> None:
    done = terminal.run("explain", *arguments, "Hello")
    assert (done.returncode, done.stdout) == (2, b"")
    assert message in done.stderr.decode()
