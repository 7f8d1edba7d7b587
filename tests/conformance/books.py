"""Own the comparison of what a host says was used with what the simulated providers bill for it."""

from __future__ import annotations

from collections import Counter
from typing import Final, Protocol

from tests.conformance.driver import Plain
from tests.conformance.vendors import Vendors
from tests.kill.audit import ERROR_SHARE, ERROR_TOKENS

AHEAD: Final = "endless"
"""The first word of prompts that are answered faster than their hosts read: what the kernel held when they left was
generated and billed, and nobody saw it."""

LEFT: Final = ("stall", "silent", "unheard", "rough", AHEAD)
"""The first words of prompts whose callers may leave before the provider told its usage. They bear the tag `left`."""


class Told(Protocol):
    """Whoever tells the books: a driver, or a reading of them."""

    def ask(self, method: str, **params: object) -> Plain:
        """Answer `usage.stats`."""


def check_books(host: Told, vendors: Vendors) -> Counter[str]:
    """Hold the host's books against the bills; give what was found, for whoever wants to see that it was not nothing.

    Raises:
        AssertionError: they differ: at all, where the provider told its usage; by more than an estimate may, elsewhere.
    """
    bills = vendors.rows()
    report = host.ask("usage.stats", by=["provider", "tag"])
    lines = {(line["provider"], line["tag"]): line for line in report["lines"]}
    found: Counter[str] = Counter()
    for provider, rows in bills.items():
        told = [row for row in rows if row.billed and row.prompt.split(" ")[0] not in LEFT]
        left = [row for row in rows if row.billed and row.prompt.split(" ")[0] in LEFT]
        exact, guessed = lines.pop((provider, None), None), lines.pop((provider, "left"), None)
        owed = (sum(row.input_tokens for row in told), sum(row.output_tokens for row in told))
        booked = (0, 0) if exact is None else (exact["input_tokens"], exact["output_tokens"])
        assert booked == owed, f"{provider}: {booked} booked, {owed} billed"
        assert exact is None or (exact["in_doubt"], exact["open"]) == (0, 0), exact
        found["exact"] += sum(owed)
        if guessed is None:
            assert not left, f"{provider} bills {left}, and the books have nothing of it"
            continue
        assert guessed["open"] == 0, guessed
        assert guessed["settled"] + guessed["in_doubt"] >= len(left), f"{guessed}: {len(left)} were billed"
        ran_ahead = any(row.prompt.startswith(AHEAD) for row in left)
        allowed = ERROR_TOKENS * len(left)
        for kind in ("input", "output"):
            billed = sum(row.input_tokens if kind == "input" else row.output_tokens for row in left)
            settled, doubtful = guessed[f"{kind}_tokens"], guessed[f"in_doubt_{kind}_tokens"]
            assert settled <= billed * (1 + ERROR_SHARE) + allowed, f"{provider}: {settled} {kind}, {billed} billed"
            at_least = billed * (1 - ERROR_SHARE) - allowed if kind == "input" or not ran_ahead else 0
            assert settled + doubtful >= at_least, f"{provider}: {guessed}, {billed} {kind} billed"
            found["estimated"] += settled
    assert not lines, f"booked, and never billed: {lines}"
    return found
