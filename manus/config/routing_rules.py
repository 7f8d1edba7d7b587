"""Own the rules about where requests go: names that stand for somebody, no circles, numbers that can come to pass.

A target is what a fallback list names: an `entry`, an `entry/model`, or, in `routing.fallbacks`, a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from manus.config.did_you_mean import listing, suggestion
from manus.config.problems import Problem, Severity, child_path, printable
from manus.config.provider_places import TYPES
from manus.config.routing_schema import RoutingStrategy
from manus.config.schema import LLMConfig, ProviderConfig

FALLBACKS: Final = "routing.fallbacks"

NAMES_TOLD: Final = 20
"""Names of models listed in a problem at most."""


def default_provider_exists(config: LLMConfig) -> Iterator[Problem]:
    """The first choice must be an enabled entry."""
    name = config.default_provider
    if name is None:
        return
    entry = config.providers.get(name)
    if entry is None:
        yield _unknown_entry(name, "general.default_provider", config)
    elif not entry.enabled:
        yield _disabled_entry(name, "general.default_provider", "error")


def fallback_providers_exist(config: LLMConfig) -> Iterator[Problem]:
    """Fallbacks must be entries; one that is switched off, or a type that has no entry, is skipped, and said so."""
    yield from _targets_exist(config, config.fallback_providers or (), "general.fallback_providers")


def policy_fallbacks_exist(config: LLMConfig) -> Iterator[Problem]:
    """So must those that are asked after a refusal."""
    yield from _targets_exist(config, config.routing.content_policy_fallbacks, "routing.content_policy_fallbacks")


def fallback_order_has_no_cycle(config: LLMConfig) -> Iterator[Problem]:
    """Nobody is asked twice: not the first choice again, not a fallback again."""
    seen = {config.default_provider}
    for index, name in enumerate(config.fallback_providers or ()):
        if name in seen:
            which = "the default provider itself" if name == config.default_provider else "named before in this list"
            yield Problem(
                path=f"general.fallback_providers[{index}]",
                message=f"is {which}; a provider is asked once per request, so remove it",
            )
        seen.add(name)
    yield from _named_twice(config.routing.content_policy_fallbacks, "routing.content_policy_fallbacks")


def model_fallbacks_exist(config: LLMConfig) -> Iterator[Problem]:
    """A model that nobody has is never asked, and falls back for nobody."""
    for model, targets in config.routing.fallbacks.items():
        place = child_path(FALLBACKS, model)
        if not _is_a_model(model, config):
            yield Problem(path=place, message=_no_model(model, config))
        if not targets:
            yield Problem(path=place, message="names nobody; name a model, or remove it")
        for index, target in enumerate(targets):
            yield from _model_target_exists(target, f"{place}[{index}]", config)
        yield from _named_twice(targets, place)


def model_fallbacks_have_no_cycle(config: LLMConfig) -> Iterator[Problem]:
    """Two models that stand in for each other would send a request round in circles."""
    graph = {
        model: [_model_of(target, config) for target in targets] for model, targets in config.routing.fallbacks.items()
    }
    told: set[frozenset[str]] = set()
    for model in graph:
        cycle = _cycle_through(model, graph)
        if cycle and frozenset(cycle) not in told:
            told.add(frozenset(cycle))
            way = " -> ".join(printable(each) for each in (*cycle, model))
            yield Problem(
                path=child_path(FALLBACKS, model), message=f"goes round in a circle: {way}; remove one of them"
            )


def weights_can_be_shared_out(config: LLMConfig) -> Iterator[Problem]:
    """Weights say who gets which share; where all of them are zero there is nothing to share."""
    enabled = {name: entry for name, entry in config.providers.items() if entry.enabled}
    pool = enabled
    if config.fallback_providers is not None:
        named = {target.partition("/")[0] for target in config.fallback_providers} | {config.default_provider}
        pool = {name: entry for name, entry in enabled.items() if name in named} or enabled
    if pool and not any(entry.weight for entry in pool.values()):
        first = next(iter(pool))
        yield Problem(
            path=f"{child_path('providers', first)}.weight",
            message=f"the weights of {_all_of(pool)} sum to zero; give one of them a weight more than 0",
        )
    for name, entry in enabled.items():
        if entry.models and not any(model.weight for model in entry.models):
            yield Problem(
                path=f"{child_path('providers', name)}.models",
                message="the weights of these models sum to zero; give one of them a weight more than 0",
            )
        if entry.api_keys and not any(key.weight for key in entry.api_keys):
            yield Problem(
                path=f"{child_path('providers', name)}.api_keys",
                message="the weights of these keys sum to zero; give one of them a weight more than 0",
            )


def breakers_can_work(config: LLMConfig) -> Iterator[Problem]:
    """What grows must begin below its end, and a wait that outlives every request is never seen to end."""
    health = config.health
    for field in ("open_s", "cooldown_s"):
        if getattr(health, field) > health.open_max_s:
            yield Problem(
                path=f"health.{field}",
                message=f"is {getattr(health, field):g} s, more than open_max_s = {health.open_max_s:g} s, up to which "
                "it grows; make it smaller",
            )
    if health.silent_s > config.timeouts.request_s:
        yield _warning(
            "health.silent_s",
            f"is {health.silent_s:g} s, longer than timeouts.request_s = {config.timeouts.request_s:g} s, so that "
            "only requests with a longer timeout of their own can count",
        )
    if health.probe_interval_s is not None and health.probe_interval_s >= health.open_max_s:
        yield _warning(
            "health.probe_interval_s",
            f"is {health.probe_interval_s:g} s, not less than open_max_s = {health.open_max_s:g} s, so that a request "
            "tries first and there is little left to find out",
        )


def hedging_can_happen(config: LLMConfig) -> Iterator[Problem]:
    """A race needs two, and a slow one that is still being waited for."""
    if not config.hedge.enabled:
        return
    if _places(config) < 2:
        yield _warning("hedge.enabled", "is true, but there is no second candidate that could race the first; add one")
    first_content_s = config.timeouts.first_content_s
    if first_content_s is not None and config.hedge.delay_min_s >= first_content_s:
        yield _warning(
            "hedge.delay_min_s",
            f"is {config.hedge.delay_min_s:g} s, not less than timeouts.first_content_s = {first_content_s:g} s, when "
            "the slow attempt has been given up already",
        )


def _targets_exist(config: LLMConfig, targets: Iterable[str], path: str) -> Iterator[Problem]:
    for index, target in enumerate(targets):
        place = f"{path}[{index}]"
        name, _, model = target.partition("/")
        entry = config.providers.get(name)
        if entry is not None:
            yield from _target_in_entry(name, entry, model, place)
        elif name in TYPES:
            message = f"names {name}, which is not configured and so is never asked; add [providers.{name}]"
            yield Problem(path=place, message=message, severity="warning")
        else:
            yield _unknown_entry(name, place, config)


def _target_in_entry(name: str, entry: ProviderConfig, model: str, place: str) -> Iterator[Problem]:
    if not entry.enabled:
        yield _disabled_entry(name, place, "warning")
    elif model and not _has(entry, model):
        known = [each.name for each in entry.models]
        yield Problem(path=place, message=f"names no model of {name}; {_there_is(known)}{suggestion(model, known)}")


def _model_target_exists(target: str, place: str, config: LLMConfig) -> Iterator[Problem]:
    """Check an item of `routing.fallbacks`: an `entry/model` that there is, or else a model."""
    name, _, model = target.partition("/")
    entry = config.providers.get(name)
    if _names_a_place(target, config):
        if entry is not None and not entry.enabled:
            yield _disabled_entry(name, place, "warning")
    elif not _is_a_model(target, config):
        if model and entry is not None:
            yield from _target_in_entry(name, entry, model, place)
        else:
            yield Problem(path=place, message=_no_model(target, config))
    elif not _is_served(target, config):
        message = "is a model of none but providers with enabled = false; enable one, or name another"
        yield _warning(place, message)


def _named_twice(targets: Iterable[str], path: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, target in enumerate(targets):
        if target in seen:
            yield Problem(path=f"{path}[{index}]", message="is named before in this list; remove it")
        seen.add(target)


def _model_of(target: str, config: LLMConfig) -> str:
    """Name the model that a target of `routing.fallbacks` asks for."""
    return target.partition("/")[2] if _names_a_place(target, config) else target


def _cycle_through(start: str, graph: Mapping[str, list[str]]) -> list[str]:
    """Find a shortest way from `start` back to it: the models on it, `start` first; nothing where there is none."""
    ways = [[start]]
    seen: set[str] = set()
    for way in ways:  # grows while it is read: breadth first
        for after in graph.get(way[-1], ()):
            if after == start:
                return way
            if after not in seen:
                seen.add(after)
                ways.append([*way, after])
    return []


def _names_a_place(target: str, config: LLMConfig) -> bool:
    """Tell whether a target is an `entry/model` that there is; what is none may still be a model's name."""
    name, slash, model = target.partition("/")
    entry = config.providers.get(name)
    return bool(slash) and entry is not None and _has(entry, model)


def _is_a_model(model: str, config: LLMConfig) -> bool:
    """Tell whether somebody has a model, or whoever lists it is only switched off for a while."""
    listed = any(each.name == model for entry in config.providers.values() for each in entry.models)
    return listed or _is_served(model, config)


def _is_served(model: str, config: LLMConfig) -> bool:
    return any(_has(entry, model) for entry in config.providers.values() if entry.enabled)


def _has(entry: ProviderConfig, model: str) -> bool:
    takes_any = not entry.models if entry.any_model is None else entry.any_model
    return takes_any or any(each.name == model for each in entry.models)


def _places(config: LLMConfig) -> int:
    """Count the deployments that a request which names nobody may find, as far as that is known beforehand."""
    enabled = {name: entry for name, entry in config.providers.items() if entry.enabled}
    if config.fallback_providers is not None:
        first = config.default_provider or min(enabled, key=lambda name: enabled[name].priority, default=None)
        named = {target.partition("/")[0] for target in config.fallback_providers}
        enabled = {name: entry for name, entry in enabled.items() if name in named | {first}}
    one_model = config.routing_strategy is RoutingStrategy.PRIORITY
    return sum(
        max(1, len(entry.api_keys)) * (1 if one_model else max(1, len(entry.models))) for entry in enabled.values()
    ) + len(config.routing.fallbacks)


def _all_of(names: Iterable[str]) -> str:
    return listing(names).replace(" or ", " and ")


def _no_model(model: str, config: LLMConfig) -> str:
    known = list(dict.fromkeys(each.name for entry in config.providers.values() for each in entry.models))
    return f"no provider has this model; {_there_is(known)}{suggestion(model, known)}"


def _there_is(names: Sequence[str]) -> str:
    """List the names that there are; of many only so many as can be read."""
    if len(names) <= NAMES_TOLD:
        return f"there is {listing(names)}"
    return f"there are {', '.join(names[:NAMES_TOLD])} and {len(names) - NAMES_TOLD} more"


def _unknown_entry(name: str, path: str, config: LLMConfig) -> Problem:
    known = listing(config.providers)
    return Problem(path=path, message=f"names no provider; there is {known}{suggestion(name, config.providers)}")


def _disabled_entry(name: str, path: str, severity: Severity) -> Problem:
    message = f"names {name}, which has enabled = false; enable it or name another"
    return Problem(path=path, message=message, severity=severity)


def _warning(path: str, message: str) -> Problem:
    return Problem(path=path, message=message, severity="warning")
