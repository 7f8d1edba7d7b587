"""Own the rules a tree of specs must obey before it is built."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from manus.supervisor.intensity import shortest_spending_time_s
from manus.supervisor.spec import AnySpec, ChildSpec, SupervisedSpec, SupervisorSpec


class SpecError(ValueError):
    """A tree of specs breaks rules; `problems` lists every one, each with the child and the setting to change."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def check_tree(root: SupervisorSpec) -> None:
    """Raise `SpecError` with all problems of the tree, or return."""
    problems = tuple(problems_of(root))
    if problems:
        raise SpecError(problems)


def problems_of(root: SupervisorSpec) -> Iterator[str]:
    """Name each broken rule in the tree below and including `root`."""
    specs = list(walk(root))
    for name, count in Counter(spec.id for spec in specs).items():
        if count > 1:
            yield f"{name}: the id is used {count} times; ids are unique in a tree"
    for spec in specs:
        yield from _problems_of_lifecycle(spec)
        yield from _problems_of_restarts(spec)
        match spec:
            case ChildSpec():
                yield from _problems_of_worker(spec)
            case SupervisorSpec():
                yield from _problems_of_supervisor(spec)
    yield from _problems_of_uses([spec for spec in specs if isinstance(spec, ChildSpec)])


def walk(root: SupervisorSpec) -> Iterator[AnySpec]:
    """Visit the tree in start order, parents before children."""
    yield root
    for child in root.children:
        match child:
            case SupervisorSpec():
                yield from walk(child)
            case ChildSpec():
                yield child


def covers(uses: tuple[str, ...], child_id: str) -> bool:
    """Tell whether a child that declares `uses` may hold a ref to `child_id`."""
    return any(use == child_id or (use.endswith("/*") and child_id.startswith(use[:-1])) for use in uses)


def _problems_of_lifecycle(spec: SupervisedSpec) -> Iterator[str]:
    if not spec.id or spec.id != spec.id.strip() or "*" in spec.id or "#" in spec.id:
        yield f"{spec.id!r}: an id is not empty and holds no space at its ends, no '*' and no '#'"
    if spec.significant and spec.restart == "permanent":
        yield f"{spec.id}: significant never applies with restart = permanent: such a child always comes back"
    for setting in ("shutdown_s", "drain_s"):
        yield from _not_negative(spec, setting, getattr(spec, setting))
    for setting in ("start_timeout_s", "quarantine_s"):
        yield from _positive(spec, setting, getattr(spec, setting))
    if math.isinf(spec.quarantine_s):
        yield f"{spec.id}: quarantine_s must be finite, or the child would never be tried again"


def _problems_of_restarts(spec: SupervisedSpec) -> Iterator[str]:
    intensity, backoff = spec.intensity, spec.backoff
    found = [
        *_not_negative(spec, "intensity.max_restarts", intensity.max_restarts),
        *_positive(spec, "intensity.period_s", intensity.period_s),
        *_not_negative(spec, "backoff.min_s", backoff.min_s),
        *_not_negative(spec, "backoff.jitter", backoff.jitter),
    ]
    if not backoff.max_s >= backoff.min_s or math.isinf(backoff.max_s):
        found.append(f"{spec.id}: backoff.max_s = {backoff.max_s:g} must be finite and at least min_s")
    if not 1.0 <= backoff.factor < math.inf:
        found.append(f"{spec.id}: backoff.factor = {backoff.factor:g} must be at least 1 and finite")
    if backoff.jitter > 1.0:
        found.append(f"{spec.id}: backoff.jitter = {backoff.jitter:g} must lie in 0..1")
    if backoff.reset_after_s is not None:
        found.extend(_not_negative(spec, "backoff.reset_after_s", backoff.reset_after_s))
    yield from found
    if found or spec.restart == "temporary":
        return
    if (spent_s := shortest_spending_time_s(intensity, backoff)) >= intensity.period_s:
        yield (
            f"{spec.id}: the intensity can never be spent: {intensity.max_restarts} restarts take at least "
            f"{spent_s:g} s of back-off, not less than intensity.period_s = {intensity.period_s:g}; "
            "the child would fail for ever unnoticed; lengthen the period or shorten the back-off"
        )


def _problems_of_worker(spec: ChildSpec) -> Iterator[str]:
    if math.isinf(spec.shutdown_s):
        yield f"{spec.id}: shutdown_s = inf is for supervisors; a worker that ignores cancellation would hold up all"
    if math.isinf(spec.drain_s):
        yield f"{spec.id}: drain_s = inf is for supervisors; a worker needs a time limit"
    if math.isinf(spec.start_timeout_s):
        yield f"{spec.id}: start_timeout_s = inf is for supervisors; a worker needs a time limit"
    yield from _not_negative(spec, "mailbox.capacity", spec.mailbox.capacity)
    yield from _positive(spec, "mailbox.control_capacity", spec.mailbox.control_capacity)
    if spec.liveness is not None:
        yield from _positive(spec, "liveness.ping_interval_s", spec.liveness.ping_interval_s)
        yield from _positive(spec, "liveness.ping_timeout_s", spec.liveness.ping_timeout_s)
        if spec.liveness.progress_timeout_s is not None:
            yield from _positive(spec, "liveness.progress_timeout_s", spec.liveness.progress_timeout_s)


def _problems_of_supervisor(spec: SupervisorSpec) -> Iterator[str]:
    if not spec.ordered and spec.strategy != "one_for_one":
        yield f"{spec.id}: strategy = {spec.strategy} restarts children in order and needs ordered = true"


def _problems_of_uses(workers: list[ChildSpec]) -> Iterator[str]:
    """Refs form a DAG: an ask goes only down it, so no two actors can ever wait for each other."""
    ids = {spec.id for spec in workers}
    for spec in workers:
        for use in spec.uses:
            if not use.endswith("/*") and use not in ids:
                yield f"{spec.id}: uses {use!r}, which is no worker of this tree"
    targets = {spec.id: [other for other in ids if covers(spec.uses, other)] for spec in workers}
    cycle = _cycle_in({name: sorted(others) for name, others in targets.items()})
    if cycle:
        yield f"{cycle[0]}: the refs go round in a circle, {' -> '.join(cycle)}: asks could wait for each other"


def _cycle_in(targets: dict[str, list[str]]) -> list[str]:
    """Find one cycle, as the path that comes back to its start; empty when there is none."""
    done: set[str] = set()
    for root in sorted(targets):
        path: list[str] = []
        stack = [(root, False)]
        while stack:
            name, is_left = stack.pop()
            if is_left:
                done.add(path.pop())
            elif name in path:
                return [*path[path.index(name) :], name]
            elif name not in done:
                path.append(name)
                stack.append((name, True))
                stack.extend((target, False) for target in targets[name])
    return []


def _not_negative(spec: SupervisedSpec, setting: str, value: float) -> Iterator[str]:
    if not value >= 0:
        yield f"{spec.id}: {setting} = {value:g} must not be negative"


def _positive(spec: SupervisedSpec, setting: str, value: float) -> Iterator[str]:
    if not value > 0:
        yield f"{spec.id}: {setting} = {value:g} must be greater than 0"
