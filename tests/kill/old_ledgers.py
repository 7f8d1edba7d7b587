"""Own ledgers as earlier versions made them: their tables word for word, which no later change of ours may reach."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Final

APPLICATION_ID: Final = 0x4D616E75

VERSION_1: Final = """
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('intent', 'dispatched', 'settled', 'released', 'in_doubt')),
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    deployment TEXT NOT NULL,
    created_unix_s REAL NOT NULL,
    bound TEXT NOT NULL,
    estimate TEXT NOT NULL,
    request_key TEXT,
    conversation_id TEXT,
    key_fingerprint TEXT,
    tags TEXT,
    dispatched_unix_s REAL,
    ended_unix_s REAL,
    bound_cost_nano_usd INTEGER,
    estimate_cost_nano_usd INTEGER,
    price_version TEXT NOT NULL,
    input_uncached INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write_short INTEGER NOT NULL,
    cache_write_long INTEGER NOT NULL,
    output INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    audio_input INTEGER NOT NULL,
    audio_output INTEGER NOT NULL,
    server_tool_calls INTEGER NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('reported', 'estimated', 'bound', 'missing')),
    cost_nano_usd INTEGER,
    finish TEXT,
    reason TEXT,
    UNIQUE (request_id, attempt, run_id)
);
CREATE INDEX attempts_open ON attempts (run_id) WHERE ended_unix_s IS NULL;
CREATE INDEX attempts_in_doubt ON attempts (ended_unix_s) WHERE state = 'in_doubt';
CREATE INDEX attempts_named ON attempts (request_key) WHERE request_key IS NOT NULL;
PRAGMA user_version = 1;
PRAGMA application_id = 1298230901;
"""

ROWS: Final = 40

_ROW: Final = """
INSERT INTO attempts VALUES (
    :id, :request_id, 1, 'old', :state, 'alpha', 'small', 'alpha/small', :created,
    '[1000,0,0,0,500,0,0,0,0,"bound"]', '[300,0,0,0,200,0,0,0,0,"estimated"]', NULL, :conversation, NULL, :tags,
    :created + 1, :ended, 3000000, 1100000, 'old', :input, 0, 0, 0, :output, 0, 0, 0, 0, :source, :cost, NULL, NULL
)
"""

_ENDS: Final = (
    {"state": "settled", "input": 250, "output": 120, "source": "reported", "cost": 730_000},
    {"state": "settled", "input": 200, "output": 90, "source": "estimated", "cost": 560_000},
    {"state": "released", "input": 0, "output": 0, "source": "reported", "cost": 0},
    {"state": "in_doubt", "input": 1000, "output": 500, "source": "bound", "cost": 3_000_000},
    {"state": "dispatched", "input": 0, "output": 0, "source": "missing", "cost": None},
)


def make_version_1(path: Path) -> None:
    """Make a ledger of version 1 with rows in every state, over three days; of what is open its run is dead."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(VERSION_1)
        for number in range(ROWS):
            end = _ENDS[number % len(_ENDS)]
            created = 6_000.0 * number
            varying = {
                "id": number + 1,
                "request_id": f"old.{number}",
                "created": created,
                "ended": None if end["state"] == "dispatched" else created + 2,
                "conversation": "first" if number % 3 == 0 else None,
                "tags": '["lantern","harbour"]' if number % 2 else None,
            }
            connection.execute(_ROW, end | varying)
