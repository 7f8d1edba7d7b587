"""The demo says FAIL, and gives False, when books and bills differ or a provider does not come back."""

from __future__ import annotations

import io

import pytest

from manus.demo import callers, stage
from manus.demo.play import play
from manus.demo.screen import Screen
from manus.sim.bill import Bill, BillRow


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Play a fraction of the whole."""
    monkeypatch.setattr(callers, "QUESTIONS", 2)
    for name, value in {"STRIKE_S": 0.3, "BETWEEN_S": 0.1, "HEAL_S": 1.2, "STORM_S": 2.0, "STORM_MAX_S": 3.0}.items():
        monkeypatch.setattr(stage, name, value)


async def played() -> tuple[bool, str]:
    """Play; give the verdict and what was shown."""
    out = io.StringIO()
    return await play(Screen(out, colours=False)), out.getvalue()


async def test_one_token_more_on_one_bill_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Bill.rows

    def overcharged(bill: Bill) -> tuple[BillRow, ...]:
        rows = honest(bill)
        if rows and rows[0].prompt.startswith(stage.HEALTHY):
            rows[0].output_tokens += 1
        return rows

    monkeypatch.setattr(Bill, "rows", overcharged)
    good, shown = await played()
    assert not good
    assert "FAIL oak: 'oak " in shown
    assert "DIFFERENT FROM the bills" in shown


async def test_providers_that_do_not_come_back_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    well = stage.providers()
    monkeypatch.setattr(stage, "providers", well.copy)
    monkeypatch.setattr(stage, "USUAL", stage.GARBLING)  # what they are healed with, once the play has begun
    good, shown = await played()
    assert not good
    for name in (stage.HUNG, stage.GARBLED):
        assert f"FAIL {name}: " in shown
    assert shown.count("DID NOT COME BACK") == 2
