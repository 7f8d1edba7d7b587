"""Own the totals of a full ledger: what a question takes at ten million rows, beside a walk over all of them.

The file is made as a version ago would have left it and is then brought up to date, which is timed too. Calls come
evenly over ninety days, of ten deployments with two keys, three teams and a conversation for every ten calls.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from manus.actors.ledger.file import APPLICATION_ID, open_file
from manus.actors.ledger.schema import VERSION_1
from manus.actors.ledger.sqlite import last_id
from manus.actors.ledger.sqlite_spent import usage_spent
from manus.actors.ledger.sqlite_sums import usage_sums
from manus.messages.accounting import SpentAsked, StatsAsked
from manus.messages.limits import Scope

DAY_S = 86_400.0
DAYS = 90
NOW = 1_764_000_000.0
CHUNK = 500_000

_FILL = """
WITH RECURSIVE number(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM number WHERE n + 1 < :last)
INSERT INTO attempts
SELECT n + 1, printf('req-%016x', n), 1, printf('run-%d', n / 100000),
    CASE WHEN n % 1000 = 7 THEN 'in_doubt' WHEN n % 50 = 3 THEN 'released' ELSE 'settled' END,
    'provider' || (n / 10 % 5), 'model' || (n / 10 % 10), 'provider' || (n / 10 % 5) || '/model' || (n / 10 % 10),
    :begin + n * :pace, '[1200,0,0,0,4096,0,0,0,0,"bound"]', '[300,0,0,0,180,0,0,0,0,"estimated"]',
    NULL, 'conversation-' || (n / 10), 'f' || (n / 100 % 2), '["team-' || (n / 30 % 3) || '"]',
    :begin + n * :pace, :begin + n * :pace + 2, 19332000, 1035000, '2026-11',
    300, 0, 0, 0, n % 400, 0, 0, 0, 0,
    CASE WHEN n % 1000 = 7 THEN 'bound' WHEN n % 100 = 9 THEN 'estimated' ELSE 'reported' END,
    CASE WHEN n % 50 = 3 THEN 0 ELSE 1000000 + n % 400 END, 'stop', NULL
FROM number
"""
# What the books were added up with before there were sums.
_WALK = (
    "SELECT provider, model, state, count(*), sum(cost_nano_usd), sum(input_uncached), sum(output) FROM attempts "
    "WHERE created_unix_s >= ? GROUP BY provider, model, state"
)


def make_old_ledger(path: Path, rows: int) -> None:
    """Make a ledger of the first version with so many rows that have ended."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    for statement in VERSION_1:
        connection.execute(statement)
    connection.execute("PRAGMA user_version = 1")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for first in range(0, rows, CHUNK):
        last = min(first + CHUNK, rows)
        begin, pace = NOW - DAYS * DAY_S, DAYS * DAY_S / rows
        connection.execute("BEGIN")
        connection.execute(_FILL, {"first": first, "last": last, "begin": begin, "pace": pace})
        connection.execute("COMMIT")
    connection.close()


QUESTIONS: dict[str, StatsAsked] = {
    "all, by provider and model": StatsAsked(),
    "last 30 days, by provider and model": StatsAsked(since_unix_s=NOW - 30 * DAY_S - 1234.5),
    "last 7 days, by day and tag": StatsAsked(since_unix_s=NOW - 7 * DAY_S - 1234.5, by=("day", "tag")),
    "last hour, by deployment and key": StatsAsked(since_unix_s=NOW - 3600.0, by=("deployment", "key")),
    "last day, by conversation": StatsAsked(since_unix_s=NOW - DAY_S - 1234.5, by=("conversation",)),
}
WINDOWS: dict[str, SpentAsked] = {
    "spent in a day by everybody": SpentAsked(scope=Scope(), since_unix_s=NOW - DAY_S),
    "spent in a month by a tag": SpentAsked(scope=Scope("tag", "team-1"), since_unix_s=NOW - 31 * DAY_S),
    "spent in a month by others": SpentAsked(scope=Scope(), since_unix_s=NOW - 31 * DAY_S, others_only=True),
}


def print_totals(rounds: int, rows: int) -> None:
    """Make the ledger, ask and print."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "ledger.db"
        made = _seconds(lambda: make_old_ledger(path, rows))
        before = os.path.getsize(path)
        upgraded = _seconds(lambda: open_file(path, durability="process", busy_s=5.0).close())
        after = os.path.getsize(path)
        print(f"\ntotals of {rows:,} rows: {before / 1e9:.2f} GB of rows made in {made:.0f} s; brought up to date")
        print(f"from version 1 in {upgraded:.0f} s, {(after - before) / 1e6:.0f} MB larger with sums and an index")
        connection = open_file(path, durability="process", busy_s=5.0)
        for table in ("sums", "conversation_sums"):
            count = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            print(f"  {table}: {count:,}")
        own_after_id = last_id(connection)
        taken: dict[str, list[float]] = {}
        for _ in range(rounds):
            for name, question in QUESTIONS.items():
                _note(taken, name, partial(usage_sums, connection, question))
            for name, window in WINDOWS.items():
                spent = partial(usage_spent, connection, (window,), now_unix_s=NOW, own_run_id="own")
                _note(taken, name, partial(spent, own_after_id=own_after_id))
        _note(taken, "a walk over all rows", lambda: connection.execute(_WALK, (0.0,)).fetchall())
        connection.close()
    print(f"{'':40}{'ms, median':>12}{'worst':>10}")
    for name, each in taken.items():
        print(f"{name:40}{statistics.median(each):>12.1f}{max(each):>10.1f}")


def _note(taken: dict[str, list[float]], name: str, ask: Callable[[], object]) -> None:
    taken.setdefault(name, []).append(_seconds(ask) * 1e3)


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
