"""The public names: resolved lazily, typed, documented, and told in one table only."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import manus

SOURCE = Path(manus.__file__).read_text(encoding="utf-8")


def test_what_type_checkers_see_is_what_is_resolved() -> None:
    (guarded,) = [node for node in ast.parse(SOURCE).body if isinstance(node, ast.If)]
    seen: dict[str, str] = {}
    for node in guarded.body:
        assert isinstance(node, ast.ImportFrom)
        seen.update({alias.asname or alias.name: node.module or "" for alias in node.names})
    assert seen == {name: f"manus.{module}" for name, module in manus._MODULE_OF.items()}


@pytest.mark.parametrize("name", manus.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(manus, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value)
    assert name in dir(manus)


def test_public_methods_are_documented() -> None:
    for cls in (manus.LLMAgent, manus.LLMStream, manus.SSEStream, manus.LLMResponse, manus.StreamChunk):
        for name, member in inspect.getmembers(cls):
            if not name.startswith("_") and callable(member) and not inspect.isclass(member):
                assert inspect.getdoc(member), f"{cls.__name__}.{name}"


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'create_agents'"):
        _ = manus.create_agents


def test_asking_for_data_types_loads_no_loop_and_no_http() -> None:
    text = "import sys, manus; manus.LLMConfig, manus.Secret; print(*sorted({'trio', 'httpx'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == ""


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(manus.__file__).parent / "py.typed").exists()
