"""The rules against Trio's traps, as functions from the syntax tree of a file to what breaks them in it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import TypeAlias

Finding: TypeAlias = tuple[int, str]
Rule: TypeAlias = Callable[[ast.Module, str], Iterator[Finding]]
"""Takes the tree of a file and its path below the package; yields line and complaint."""

_SHIELDING = {"CancelScope", "move_on_after", "move_on_at", "fail_after", "fail_at"}
_SCOPES = {*_SHIELDING, "open_nursery", "bounded_shield", "open_bare_nursery", "shield_until_released"}


_MEET_GROUPS = {
    "supervisor/exits.py",
    "actors/transport_errors.py",  # the errors of several addresses, which trio gathers in one
    "cli/sim.py",  # what left its own trio.run
}

_PARK_WITH_CARE = {
    # Who is woken has its place already, given in the same step; a cancelled waiter leaves a lot in the step in which
    # it is cancelled, which an Event in a list of one's own would not.
    "actors/waiting_room.py",
}


def shields_are_bounded(tree: ast.Module, path: str) -> Iterator[Finding]:
    """A shield without a deadline makes its actor wedged; only `supervisor/shield.py` may make one."""
    if path == "supervisor/shield.py":
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and any(_is_true(each.value) for each in node.keywords if each.arg == "shield"):
            yield node.lineno, "shield=True: use bounded_shield(seconds)"
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                is_shield = isinstance(target, ast.Attribute) and target.attr == "shield"
                if is_shield and node.value is not None and _is_true(node.value):
                    yield node.lineno, ".shield = True: use bounded_shield(seconds)"


def base_exceptions_pass(tree: ast.Module, path: str) -> Iterator[Finding]:
    """Whoever catches `BaseException` around an await eats cancellation; only the runner knows how not to."""
    if path == "supervisor/runner.py":
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Try | ast.TryStar) and any(_awaits(each) for each in node.body):
            for handler in node.handlers:
                if _catches_all(handler):
                    yield handler.lineno, "catches BaseException around an await"


def groups_are_opened_in_one_place(tree: ast.Module, path: str) -> Iterator[Finding]:
    """Only `supervisor/exits.py` looks inside the groups that incarnations end with; few others ever meet one."""
    if path in _MEET_GROUPS:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.TryStar):
            yield node.lineno, "except*: exception groups are opened in supervisor/exits.py"
        if isinstance(node, ast.Name) and node.id in ("BaseExceptionGroup", "ExceptionGroup"):
            yield node.lineno, "exception groups are opened in supervisor/exits.py"


def channels_close_synchronously(tree: ast.Module, path: str) -> Iterator[Finding]:
    """`async with channel` swallows a real exception under cancellation; `with channel` does not."""
    channels = set(_channel_names(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncWith):
            for item in node.items:
                name = _last_name(item.context_expr)
                if name in channels or name.endswith(("channel", "_send", "_receive")):
                    yield node.lineno, f"async with {name}: close channels with a synchronous with"


def nothing_yields_within_a_scope(tree: ast.Module, path: str) -> Iterator[Finding]:
    """A generator that yields inside a nursery or a scope breaks structured concurrency for whoever iterates it.

    A context manager is no such generator: its body runs in the task, and within the block, that entered it.
    """
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and not _is_context_manager(function):
            for block in _own_nodes(function):
                if isinstance(block, ast.With | ast.AsyncWith) and _opens_scope(block):
                    for node in _own_nodes(block):
                        if isinstance(node, ast.Yield | ast.YieldFrom):
                            yield node.lineno, "yields inside a nursery or a cancel scope"


def groups_are_strict(tree: ast.Module, path: str) -> Iterator[Finding]:
    """The embedding host may run its loop in loose mode: say what we rely on."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _last_name(node.func) == "open_nursery":
            strict = [each.value for each in node.keywords if each.arg == "strict_exception_groups"]
            if not (strict and _is_true(strict[0])):
                yield node.lineno, "open_nursery() without strict_exception_groups=True"


def nothing_can_be_woken_in_vain(tree: ast.Module, path: str) -> Iterator[Finding]:
    """Condition and ParkingLot lose wakeups to cancelled waiters unless used with care: an Event or a slot will do."""
    if path in _PARK_WITH_CARE:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ("Condition", "ParkingLot"):
            yield node.lineno, f"{node.attr}: use an Event, a channel or a WakeSlot"


def threads_say_whether_they_are_waited_for(tree: ast.Module, path: str) -> Iterator[Finding]:
    """A thread that cannot be abandoned holds up a shutdown: let each call say that it has thought of it."""
    for node in ast.walk(tree):
        is_thread = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("to_thread.run_sync")
        if isinstance(node, ast.Call) and is_thread and not any(_says_abandon(each) for each in node.keywords):
            yield node.lineno, "to_thread.run_sync without abandon_on_cancel"


def functions_have_names(tree: ast.Module, path: str) -> Iterator[Finding]:
    """A lambda bound to a name is a function without one in every traceback."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Lambda):
            yield node.lineno, "a lambda bound to a name: use def"


RULES: tuple[Rule, ...] = (
    shields_are_bounded,
    base_exceptions_pass,
    groups_are_opened_in_one_place,
    channels_close_synchronously,
    nothing_yields_within_a_scope,
    groups_are_strict,
    nothing_can_be_woken_in_vain,
    threads_say_whether_they_are_waited_for,
    functions_have_names,
)


def _says_abandon(keyword: ast.keyword) -> bool:
    return keyword.arg == "abandon_on_cancel"


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _own_nodes(block: ast.AST) -> Iterator[ast.AST]:
    """Walk what runs as part of `block`: functions defined within do not."""
    for child in ast.iter_child_nodes(block):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield child
            yield from _own_nodes(child)


def _awaits(node: ast.AST) -> bool:
    waits = ast.Await | ast.AsyncFor | ast.AsyncWith
    return isinstance(node, waits) or any(isinstance(each, waits) for each in _own_nodes(node))


def _catches_all(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(_last_name(kind) == "BaseException" for kind in kinds)


def _is_context_manager(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(_last_name(each) in ("asynccontextmanager", "contextmanager") for each in function.decorator_list)


def _opens_scope(block: ast.With | ast.AsyncWith) -> bool:
    return any(
        isinstance(item.context_expr, ast.Call) and _last_name(item.context_expr.func) in _SCOPES
        for item in block.items
    )


def _channel_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and "open_memory_channel" in ast.unparse(node.value):
            for target in node.targets:
                for each in target.elts if isinstance(target, ast.Tuple) else [target]:
                    yield _last_name(each)
