"""Own the word on prices that may be out of date: dated data is trusted for a while, and then somebody should look."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from manus.messages.policy import CATALOGUE, ModelCard, ProviderPolicy


def stale_prices(providers: Iterable[ProviderPolicy], *, today: date, warn_after_days: int) -> str | None:
    """Say in one sentence that prices in use are older than wanted; None where they are not, or nobody wants to know.

    Prices that were configured are not judged: whoever wrote them knows their age.
    """
    if not warn_after_days:
        return None
    old: list[str] = []
    oldest = today
    for provider in providers:
        for card in provider.models:
            day = _price_day(card)
            if day is not None and today - day > timedelta(days=warn_after_days):
                old.append(f"{provider.name}/{card.name}")
                oldest = min(oldest, day)
    if not old:
        return None
    shown = ", ".join(old[:5]) + (f" and {len(old) - 5} more" if len(old) > 5 else "")
    return (
        f"the catalogue's prices are of {oldest}, {(today - oldest).days} days old, and may have changed: {shown}; "
        "update Manus, or write cost_per_input and cost_per_output into the configuration"
    )


def _price_day(card: ModelCard) -> date | None:
    """Tell from which day a price of the catalogue is; None for a price from elsewhere, and for none."""
    if card.as_of is None or not card.price.known or CATALOGUE not in card.price.version:
        return None
    return date.fromisoformat(card.as_of)
