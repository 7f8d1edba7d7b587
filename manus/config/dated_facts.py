"""Own the word on dated facts: prices that may have changed meanwhile, and models whose last day is near or past."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

from manus.messages.policy import CATALOGUE, ModelCard, ProviderPolicy

SHOWN_MAX: Final = 5
"""Models that one sentence names."""

RETIRES_WITHIN_DAYS: Final = 30
"""How long before a model's last day its users are told; vendors themselves give 60 days and more."""


def dated_warnings(providers: Iterable[ProviderPolicy], *, today: date, price_age_days: int) -> tuple[str, ...]:
    """Give one sentence on old prices and one on models that are switched off, where there is something to say."""
    entries = tuple(providers)
    said = (stale_prices(entries, today=today, warn_after_days=price_age_days), retiring_models(entries, today=today))
    return tuple(sentence for sentence in said if sentence is not None)


def retiring_models(providers: Iterable[ProviderPolicy], *, today: date) -> str | None:
    """Say which of the listed models their vendors have switched off, or soon will; None where there are none."""
    soon = today + timedelta(days=RETIRES_WITHIN_DAYS)
    told = [
        f"{provider.name}/{card.name} ({card.retires})"
        for provider in providers
        for card in provider.models
        if card.retires is not None and date.fromisoformat(card.retires) <= soon
    ]
    if not told:
        return None
    return f"the vendor has announced the last day of {_listed(told)}; choose a successor (manus models --all)"


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
    age_days = (today - oldest).days
    return (
        f"the catalogue's prices are of {oldest}, {age_days} days old, and may have changed: {_listed(old)}; "
        "update Manus, or write cost_per_input and cost_per_output into the configuration"
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN_MAX]) + (f" and {len(names) - SHOWN_MAX} more" if len(names) > SHOWN_MAX else "")


def _price_day(card: ModelCard) -> date | None:
    """Tell from which day a price of the catalogue is; None for a price from elsewhere, and for none."""
    if card.as_of is None or not card.price.known or CATALOGUE not in card.price.version:
        return None
    return date.fromisoformat(card.as_of)
