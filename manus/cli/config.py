"""Own `manus config`: check a configuration, show it as it takes effect, write one to begin with."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from manus.cli import exits

if TYPE_CHECKING:
    from manus.config.problems import Problem


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser("config", help="check, show or begin a configuration")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    check = actions.add_parser("check", help="tell everything that is wrong with it")
    check.add_argument("file", nargs="?", help="the file; left out, the one that would be used")
    check.add_argument("--json", action="store_true", help="one JSON object with all problems")
    check.set_defaults(run=run_check)
    show = actions.add_parser("show", help="show what takes effect, defaults filled in, secrets hidden")
    show.add_argument("file", nargs="?", help="the file; left out, the one that would be used")
    show.set_defaults(run=run_show)
    init = actions.add_parser("init", help="write a commented file to begin with")
    init.add_argument("file", nargs="?", default="llm.toml", help="where (default: llm.toml); never overwritten")
    init.set_defaults(run=run_init)


def run_check(arguments: argparse.Namespace) -> int:
    """Print every problem; the status is 2 if one of them is an error."""
    from manus.config.check import check_config, check_text
    from manus.config.environment import config_from_environment
    from manus.config.load import find, read_text
    from manus.config.problems import InvalidConfig, errors_of
    from manus.config.wheels import is_installed

    environ = dict(os.environ)
    path = Path(arguments.file) if arguments.file else find(environ, Path())
    try:
        if path is None:
            checked = check_config(config_from_environment(environ, installed=is_installed).config)
        else:
            text = read_text(path, environ)
            checked = check_text(text, file=str(path), environ=environ, base=path.parent)
        problems = checked.problems
    except InvalidConfig as invalid:
        problems = invalid.problems
    origin = "the environment" if path is None else str(path)
    _print_problems(problems, origin=origin, as_json=arguments.json)
    return exits.BAD_INPUT if errors_of(problems) else exits.OK


def run_show(arguments: argparse.Namespace) -> int:
    """Print the effective configuration as TOML."""
    from manus.config.load import load
    from manus.config.problems import InvalidConfig
    from manus.config.show import show

    try:
        loaded = load(arguments.file)
    except InvalidConfig as invalid:
        print(invalid, file=sys.stderr)
        return exits.BAD_INPUT
    for note in loaded.notes:
        print(note, file=sys.stderr)
    print(f"# from {loaded.origin}")
    print(show(loaded.config), end="")
    return exits.OK


def run_init(arguments: argparse.Namespace) -> int:
    """Write the starter file."""
    from manus.config.init import write_starter
    from manus.config.problems import InvalidConfig

    try:
        write_starter(Path(arguments.file))
    except InvalidConfig as invalid:
        print(invalid, file=sys.stderr)
        return exits.BAD_INPUT
    print(f"wrote {arguments.file}; enable a provider in it, then run: manus config check {arguments.file}")
    return exits.OK


def _print_problems(problems: tuple[Problem, ...], *, origin: str, as_json: bool) -> None:
    if as_json:
        listed = [
            {field: getattr(problem, field) for field in ("severity", "file", "line", "column", "path", "message")}
            for problem in problems
        ]
        print(json.dumps({"origin": origin, "problems": listed}))
        return
    for problem in problems:
        print(problem)
    if not problems:
        print(f"{origin}: no problems")
