"""Own the rules about limits and budgets: bounds that agree with each other, that something fits into, that hold.

What can only be judged from the other tables is judged here: a budget below what one request may cost, one in USD over
models whose price nobody knows, one that outlives the books.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from manus.config.limit_policies import BoundedPlace, bounded_places, budget_rules, is_in_use, seeds_budget
from manus.config.limit_schema import BudgetsTable, LimitsTable
from manus.config.policies import IN_MEMORY, model_card
from manus.config.problems import Problem, child_path
from manus.config.provider_places import type_of
from manus.config.schema import LLMConfig
from manus.messages.limits import BudgetRule, Scope
from manus.messages.policy import ModelCard
from manus.messages.usage import format_usd, nano_usd

LONGEST_ANSWER_TOKENS: Final = 131_072
"""What is set aside for the answer of a model that nobody has described, where the request names no `max_tokens`."""

TAG_CHARS_MAX: Final = 256
"""The longest tag that a request may bear."""

_NARROWER: Final = (
    ("input_tokens_per_minute", "tokens_per_minute"),
    ("output_tokens_per_minute", "tokens_per_minute"),
)
_SHORTER: Final = (("usd_per_day", "usd_per_month"), ("tokens_per_day", "tokens_per_month"))


def limits_do_not_contradict(config: LLMConfig) -> Iterator[Problem]:
    """The seed's keys, `[limits]` and `[budgets]` may say the same thing, if they agree."""
    for general, limit in (
        ("global_rate_limit_rpm", "requests_per_minute"),
        ("global_token_limit_daily", "tokens_per_day"),
    ):
        ours, theirs = getattr(config, general), getattr(config.limits, limit)
        if ours and theirs and ours != theirs:
            yield Problem(path=f"limits.{limit}", message=f"contradicts general.{general}; keep one of the two")
    daily, ours = config.global_token_limit_daily, config.budgets.tokens_per_day
    if daily and ours and daily != ours:
        message = "contradicts general.global_token_limit_daily; keep one of the two"
        yield Problem(path="budgets.tokens_per_day", message=message)
    for place in _places(config):
        flow, budget = place.limits.tokens_per_day, place.budgets.tokens_per_day
        if flow is not None and budget is not None and flow != budget:
            message = f"contradicts {place.limits_path}.tokens_per_day; keep one of the two"
            yield Problem(path=f"{place.budgets_path}.tokens_per_day", message=message)


def rolling_budgets_say_of_what(config: LLMConfig) -> Iterator[Problem]:
    """A window without an amount bounds nothing."""
    for place in _places(config):
        for index, each in enumerate(place.budgets.rolling):
            if each.usd is None and each.tokens is None:
                path = f"{place.budgets_path}.rolling[{index}]"
                yield Problem(path=path, message="says how long but not how much; add usd or tokens")


def bounds_can_be_reached(config: LLMConfig) -> Iterator[Problem]:
    """A part above its whole never decides."""
    for place in _places(config):
        pairs = [(place.limits_path, place.limits, _NARROWER), (place.budgets_path, place.budgets, _SHORTER)]
        for path, table, fields in pairs:
            for part, whole in fields:
                inner, outer = getattr(table, part), getattr(table, whole)
                if inner is not None and outer is not None and inner > outer:
                    yield _warning(f"{path}.{part}", f"is more than {whole}, so it is never reached; make it smaller")


def tags_can_be_borne(config: LLMConfig) -> Iterator[Problem]:
    """A tag that no request may bear bounds nothing."""
    for path, tags in (("limits.tags", config.limits.tags), ("budgets.tags", config.budgets.tags)):
        for tag in tags:
            if not 0 < len(tag) <= TAG_CHARS_MAX:
                message = f"names a tag that no request can bear; a tag is 1 to {TAG_CHARS_MAX} characters"
                yield Problem(path=child_path(path, tag), message=message)


def bounds_are_of_somebody(config: LLMConfig) -> Iterator[Problem]:
    """Bounds of a provider that is switched off hold for nobody, which whoever counts on them should know."""
    told: set[str] = set()
    for place in _places(config):
        if place.provider is None or is_in_use(place, config) or place.provider in told:
            continue
        for path, table, empty in (
            (place.limits_path, place.limits, LimitsTable()),
            (place.budgets_path, place.budgets, BudgetsTable()),
        ):
            if table != empty:
                told.add(place.provider)
                message = f"is of {place.provider}, which has enabled = false, so that it bounds nothing"
                yield _warning(path, message)
                break


def models_share_no_budget_over_keys(config: LLMConfig) -> Iterator[Problem]:
    """A model has a deployment per key, and each has the budget to itself: in all that is more than was written."""
    for place in _places(config):
        if len(place.scopes) > 1 and is_in_use(place, config) and any(budget_rules(place)):
            yield _warning(
                place.budgets_path,
                f"holds for the model under each of the {len(place.scopes)} keys of {place.provider} by itself; "
                "for one budget over all of them use the provider's budgets",
            )


def one_request_fits(config: LLMConfig) -> Iterator[Problem]:
    """What one request may use at most is set aside before it is made: a bound below that refuses it."""
    for place in _places(config):
        if not is_in_use(place, config):
            continue
        cards = _cards(config, place)
        tokens, cost = _least_tokens(cards), _least_cost(cards)
        for field in ("tokens_per_minute", "output_tokens_per_minute"):
            bound = getattr(place.limits, field)
            # A vendor that counts what is asked takes something smaller where no cap is named.
            if bound is not None and tokens is not None and bound < tokens and not place.counting.asked:
                yield _too_small(f"{place.limits_path}.{field}", f"{tokens:,} tokens")
        for source, rule in _budgets_by_source(config, place).items():
            least = cost if rule.unit == "nano_usd" else tokens
            if least is not None and rule.amount < least:
                yield _too_small(source, format_usd(least) if rule.unit == "nano_usd" else f"{least:,} tokens")
    usd, cost = config.budgets.usd_per_request, _least_cost(_cards(config, None))
    if usd is not None and cost is not None and nano_usd(usd) < cost:
        yield _too_small("budgets.usd_per_request", format_usd(cost))


def prices_are_known_under_budgets(config: LLMConfig) -> Iterator[Problem]:
    """A budget in USD counts nothing of a model that nobody has priced; or, by policy, such a model is never asked."""
    sources: dict[tuple[str, int], str] = {}
    for place in _places(config):
        source = next((rule.source for rule in budget_rules(place) if rule.unit == "nano_usd"), None)
        if source is None and place.provider is None and config.budgets.usd_per_request is not None:
            source = "budgets.usd_per_request"
        if source is not None and is_in_use(place, config):
            for where, card in _cards(config, place):
                if not card.price.known:
                    sources.setdefault(where, source)
    refuses = config.budgets.on_unknown_price == "refuse"
    for (name, index), source in sources.items():
        yield _warning(
            f"{child_path('providers', name)}.models[{index}]",
            "has an unknown price, so that it is never asked (budgets.on_unknown_price = 'refuse'); "
            "add cost_per_input and cost_per_output"
            if refuses
            else f"has an unknown price, so that {source} does not count it; add cost_per_input and cost_per_output, "
            "or set budgets.on_unknown_price = 'refuse'",
        )


def books_outlive_budgets(config: LLMConfig) -> Iterator[Problem]:
    """A budget goes on after a restart by what the books say of its period."""
    places = [place for place in _places(config) if is_in_use(place, config)]
    rules = [rule for place in places for rule in _budgets_by_source(config, place).values()]
    if rules and config.ledger.path == IN_MEMORY:
        message = f"ends with the process, so that a restart begins {rules[0].source} anew; name a file"
        yield _warning("ledger.path", message)


def _places(config: LLMConfig) -> list[BoundedPlace]:
    """List the places; which key is which does not matter here, so that no key is looked at."""
    return list(bounded_places(config, _unnamed))


def _unnamed(key: str) -> str:
    return ""


def _budgets_by_source(config: LLMConfig, place: BoundedPlace) -> dict[str, BudgetRule]:
    """Give the budgets of a place once each, by where they stand; those of the whole include the seed's key."""
    of_all = seeds_budget(config) if place.scopes == (Scope(),) else ()
    return {rule.source: rule for rule in (*of_all, *budget_rules(place))}


def _cards(config: LLMConfig, place: BoundedPlace | None) -> list[tuple[tuple[str, int], ModelCard]]:
    """Describe the listed models of enabled entries that a place holds for, each with its entry and place in it."""
    found = []
    for name, entry in config.providers.items():
        kind = type_of(name, entry)
        if not entry.enabled or kind is None or (place is not None and place.provider not in (None, name)):
            continue
        for index, model in enumerate(entry.models):
            if place is None or place.model in (None, model.name):
                found.append(((name, index), model_card(model, kind, entry)))
    return found


def _least_tokens(cards: list[tuple[tuple[str, int], ModelCard]]) -> int | None:
    """Give the least that a request without `max_tokens` may be answered with at most; None where nobody is listed."""
    return min((_longest_answer(card) for _, card in cards), default=None)


def _least_cost(cards: list[tuple[tuple[str, int], ModelCard]]) -> int | None:
    """Give the least that such an answer may cost at most, in nano-USD; None where somebody's price is unknown."""
    costs = [card.price.worst_nano_usd(input_tokens=0, output_tokens=_longest_answer(card)) for _, card in cards]
    return None if None in costs else min((cost for cost in costs if cost is not None), default=None)


def _longest_answer(card: ModelCard) -> int:
    if card.embeddings:
        return 0
    return card.max_output_tokens or card.context_tokens or LONGEST_ANSWER_TOKENS


def _too_small(path: str, least: str) -> Problem:
    return _warning(
        path,
        f"is less than the answer alone of one request without max_tokens may use, at any of the models it holds for "
        f"({least}), so that all such requests are refused; make it larger, or have every request name max_tokens",
    )


def _warning(path: str, message: str) -> Problem:
    return Problem(path=path, message=message, severity="warning")


RULES: Final = (
    limits_do_not_contradict,
    rolling_budgets_say_of_what,
    bounds_can_be_reached,
    tags_can_be_borne,
    bounds_are_of_somebody,
    models_share_no_budget_over_keys,
    one_request_fits,
    prices_are_known_under_budgets,
    books_outlive_budgets,
)
