"""The rooms of the package import in one direction only (docs/architecture.md, "The layers")."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "manus"

# What each room may import of ours. A file that is in no room belongs to the face, which may import everything.
MAY_IMPORT: dict[str, set[str]] = {
    "messages": {"messages"},
    "config": {"config", "messages", "_version"},
    "supervisor": {"supervisor"},
    "actors.codecs": {"actors.codecs", "messages"},
    "actors": {"actors", "actors.codecs", "messages", "supervisor"},
    "sim": {"sim", "actors", "actors.codecs", "messages", "supervisor"},
}


def room_of(module: str) -> str:
    """Name the room of a dotted module inside the package: the longest that fits, else `face`."""
    for room in sorted(MAY_IMPORT, key=len, reverse=True):
        if module == room or module.startswith(room + "."):
            return room
    return "face" if module != "_version" else "_version"


def imports_of(path: Path) -> list[tuple[int, str]]:
    """List every module of ours that `path` imports, wherever in the file, as (line, dotted name inside manus)."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                found += [(node.lineno, alias.name) for alias in names]
            case ast.ImportFrom(level=0, module=str(module), names=names):
                found += [
                    (node.lineno, f"{module}.{alias.name}" if is_module(f"{module}.{alias.name}") else module)
                    for alias in names
                ]
            case ast.ImportFrom(level=level) if level:
                pytest.fail(f"{path}:{node.lineno}: relative import; name the module in full")
            case _:
                pass
    return [(line, name.removeprefix("manus").lstrip(".")) for line, name in found if name.split(".")[0] == "manus"]


def is_module(dotted: str) -> bool:
    """Say whether a dotted name is a module or package of ours rather than a name inside one."""
    path = PACKAGE.parent.joinpath(*dotted.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def module_name(path: Path) -> str:
    """Spell a file of the package as a dotted name inside it."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = sorted(PACKAGE.rglob("*.py"))


def test_only_the_command_line_serves_other_processes() -> None:
    """`ipc` stands above the face, as the command line does: whoever embeds an agent loads nothing of it."""
    for path in FILES:
        if module_name(path).split(".")[0] not in ("ipc", "cli"):
            below = [line for line, name in imports_of(path) if name.split(".")[0] == "ipc"]
            assert not below, f"{path.relative_to(PACKAGE)} imports manus.ipc in line {below}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_layer_looks_upward(path: Path) -> None:
    room = room_of(module_name(path))
    if room not in MAY_IMPORT:
        return
    upward = [
        f"line {line}: {name or 'manus'}" for line, name in imports_of(path) if room_of(name) not in MAY_IMPORT[room]
    ]
    assert not upward, f"{path.relative_to(PACKAGE)} is in {room}, which may import {sorted(MAY_IMPORT[room])} only"


def test_the_check_sees_an_upward_import(tmp_path: Path) -> None:
    probe = tmp_path / "probe.py"
    probe.write_text("def f():\n    from manus.actors import router\n    import manus.config.load\n")
    assert {room_of(name) for _, name in imports_of(probe)} == {"actors", "config"}


def test_the_supervisor_knows_nothing_of_language_models() -> None:
    for path in sorted((PACKAGE / "supervisor").rglob("*.py")):
        text = path.read_text(encoding="utf-8").lower()
        for word in ("provider", "llm", "deployment"):
            assert word not in text, f"{path.name} says {word!r}"


def test_every_file_says_what_it_owns() -> None:
    for path in FILES:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{path} has no module docstring"
