"""Every file of the package keeps the rules against Trio's traps, and the rules bite."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.async_rules import RULES, Rule

PACKAGE = Path(__file__).parent.parent / "manus"
FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("rule", RULES, ids=[rule.__name__ for rule in RULES])
def test_every_file_keeps(rule: Rule) -> None:
    broken = []
    for file in FILES:
        path = file.relative_to(PACKAGE).as_posix()
        tree = ast.parse(file.read_text(encoding="utf-8"))
        broken += [f"manus/{path}:{line}: {complaint}" for line, complaint in rule(tree, path)]
    assert broken == []


TRAPS = {
    "shields_are_bounded": [
        "with trio.CancelScope(shield=True):\n    pass",
        "with trio.move_on_after(5, shield=True):\n    pass",
        "scope.shield = True",
    ],
    "base_exceptions_pass": [
        "async def f():\n    try:\n        await g()\n    except BaseException:\n        pass",
        "async def f():\n    try:\n        await g()\n    except:\n        pass",
        "async def f():\n    try:\n        async with g():\n            1\n    except (E, BaseException):\n        1",
    ],
    "groups_are_opened_in_one_place": [
        "try:\n    f()\nexcept* ValueError:\n    pass",
        "try:\n    f()\nexcept ExceptionGroup:\n    pass",
    ],
    "channels_close_synchronously": [
        "async def f():\n    send, receive = trio.open_memory_channel(1)\n    async with send:\n        pass",
        "async def f(self):\n    async with self.event_channel:\n        pass",
    ],
    "nothing_yields_within_a_scope": [
        "async def f():\n    async with trio.open_nursery() as nursery:\n        yield 1",
        "async def f():\n    with trio.move_on_after(1):\n        if x:\n            yield 1",
        "def f():\n    with CancelScope():\n        yield 1",
    ],
    "groups_are_strict": [
        "async def f():\n    async with trio.open_nursery() as nursery:\n        pass",
        "async def f():\n    async with trio.open_nursery(strict_exception_groups=False) as nursery:\n        pass",
    ],
    "nothing_can_be_woken_in_vain": ["x = trio.Condition()", "x = trio.lowlevel.ParkingLot()"],
    "threads_say_whether_they_are_waited_for": ["async def f():\n    await trio.to_thread.run_sync(g)"],
    "functions_have_names": ["f = lambda: 1"],
}


@pytest.mark.parametrize(
    ("rule", "trap"), [(rule, trap) for rule in RULES for trap in TRAPS[rule.__name__]], ids=lambda each: None
)
def test_a_rule_finds_its_trap(rule: Rule, trap: str) -> None:
    assert list(rule(ast.parse(trap), "actors/somebody.py")) != []


SOUND = [
    "with bounded_shield(1.0):\n    pass",
    "scope.shield = False",
    "def f():\n    try:\n        g()\n    except BaseException:\n        raise",
    "async def f():\n    with send:\n        pass",
    "@asynccontextmanager\nasync def f():\n    async with open_nursery(strict_exception_groups=True):\n        yield",
    "async def f():\n    with trio.move_on_after(1):\n        async def g():\n            yield 1",
    "async def f():\n    await trio.to_thread.run_sync(g, abandon_on_cancel=True)",
]


@pytest.mark.parametrize("sound", SOUND)
def test_no_rule_complains_of_sound_code(sound: str) -> None:
    assert [finding for rule in RULES for finding in rule(ast.parse(sound), "actors/somebody.py")] == []


def test_the_supervisor_knows_nothing_of_what_it_supervises() -> None:
    strangers = ("provider", "llm", "openai", "prompt", "token count")
    found = [
        f"{file.name}:{number}: {word}"
        for file in sorted((PACKAGE / "supervisor").glob("*.py"))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        for word in strangers
        if word in line.lower()
    ]
    assert found == []
