"""The pages say what is so: links lead to files, commands are there, and pieces of configuration are good."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from manus.cli import COMMANDS
from manus.config import auth_rules, provider_rules
from manus.config.check import check_text

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_finds_it(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(r"`(?:\$ )?manus ([a-z]+)", page.read_text(encoding="utf-8")))
    assert named - set(COMMANDS) == set()


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"`manus {name}" not in readme] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_piece_of_configuration_is_good(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (auth_rules, provider_rules):
        monkeypatch.setattr(module, "is_installed", bool)  # whatever is asked for is there
    for piece in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        names = re.findall(r"\$\{(\w+)", piece) + re.findall(r'env = "(\w+)"', piece)
        for name in re.findall(r'file = "([^"]+)"', piece):
            (tmp_path / name).write_text("another")
        problems = check_text(
            piece, file=page.name, environ={name: f"k-{name}" for name in names}, base=tmp_path
        ).problems
        whole = "[providers." in piece  # a piece of a file need not name providers
        assert [str(problem) for problem in problems if whole or problem.path != "providers"] == []
