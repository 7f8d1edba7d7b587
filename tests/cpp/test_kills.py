"""The server is killed under the C++ client: every call has a definite end, which the ledger and the bills confirm."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from tests.cpp.kills import TOGETHER, run_kills, run_local_kills

LONG: Final = int(os.environ.get("MANUS_CPP_KILLS", "100"))
"""Kills of the long lane."""


@pytest.mark.parametrize("kills", [5, pytest.param(LONG, marks=pytest.mark.long)])
def test_every_call_of_a_killed_server_has_a_definite_end(tmp_path: Path, kills: int) -> None:
    figures = run_kills(tmp_path, kills=kills, seed=kills)
    assert figures.kills == kills
    assert figures.calls == kills * (TOGETHER + 1)
    assert figures.books["in_doubt"] > 0, "nobody was killed in mid-stream"
    assert figures.events > kills, "hardly anything was streamed"


@pytest.mark.long
def test_no_model_server_outlives_its_killed_host(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    figures = run_local_kills(tmp_path, kills=3, seed=1)
    assert figures.model_servers == 3, "no model server was there to be orphaned"
