"""Own the picture of what tasks wait for: the await frames of a task and of all beneath it, as bounded text."""

from __future__ import annotations

import traceback

import trio

_TASKS_MAX = 16
_FRAMES_MAX = 24


def await_stack(task: trio.lowlevel.Task) -> str:
    """Describe where `task` and its children wait, outermost frame first. Call it in the loop's thread."""
    family = _family(task)
    text = [_one(each) for each in family[:_TASKS_MAX]]
    if len(family) > _TASKS_MAX:
        text.append(f"... and {len(family) - _TASKS_MAX} tasks more")
    return "\n".join(text)


def _one(task: trio.lowlevel.Task) -> str:
    frames = traceback.StackSummary.extract(task.iter_await_frames(), limit=_FRAMES_MAX, lookup_lines=True)
    return f"task {task.name}:\n" + "".join(frames.format()).rstrip()


def _family(task: trio.lowlevel.Task) -> list[trio.lowlevel.Task]:
    family = [task]
    for nursery in task.child_nurseries:
        # The children are a set: their order must not depend on where in memory they lie.
        for child in sorted(nursery.child_tasks, key=_creation_order):
            family.extend(_family(child))
    return family


def _creation_order(task: trio.lowlevel.Task) -> tuple[str, str]:
    return task.name, "".join(str(frame.f_lineno) for frame, _ in task.iter_await_frames())
