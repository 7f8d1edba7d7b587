"""Own the plan of a request: which deployments may answer it, in which order, and why the others may not.

Pure: no clock, no randomness, no health. A plan is finite and fixed at admission, so that no failure can make a
request go round in circles; what happens to it afterwards is `retry.PlanCursor`'s.

The order is: the caller's first choice (a provider, a model, or both), then the fallback list, else every enabled
entry by priority (1 before 2). A provider that lacks the model the caller named is asked for its own first able
model, because a named provider and model are a *first choice*; `fallback_providers=()` asks for nobody else.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence

import msgspec

from manus.actors.needs import NEEDS, Needs, Routable, field_of, needs_of
from manus.actors.plan import Choice, Plan, Use, omitted, plan_of
from manus.actors.standing import Standing
from manus.messages.failures import Failed
from manus.messages.ids import deployment_id
from manus.messages.outcomes import Candidate
from manus.messages.policy import ModelCard, ProviderPolicy
from manus.messages.requests import ChatRequest, EmbedRequest
from manus.messages.routing_policy import RouterPolicy

PLANS_KEPT = 256
"""Plans remembered per kind of request; a kind is what was named and what is needed, so there are few."""

OTHERWISE = {"anthropic": ("json_schema",), "bedrock": ("json_schema",)}
"""What is done by other means where the model itself lacks it, by type: there a tool, or words, carry the schema."""

OTHER_VECTORS = "its vectors cannot be compared with the first choice's; name it in fallback_providers to allow it"
"""Why another model is not asked for an embedding that the first choice cannot make."""


class RoutingTable:
    """The configured entries, ready to be planned over.

    Args:
        providers: the enabled entries.
        policy: first choice and fallback list where a request names none.
        disabled: names of entries that exist but are switched off; naming one is answered so.

    Raises:
        ValueError: the policy names an entry that does not exist, or a name occurs twice.
    """

    __slots__ = ("_by_priority", "_disabled", "_having", "_plans", "_policy", "_providers")

    def __init__(
        self, providers: Sequence[ProviderPolicy], policy: RouterPolicy, *, disabled: Collection[str] = ()
    ) -> None:
        self._providers = {provider.name: provider for provider in providers}
        if len(self._providers) != len(providers):
            raise ValueError("two provider entries have the same name")
        self._disabled = frozenset(disabled)
        self._policy = policy
        named = (*(policy.fallback_providers or ()), *filter(None, (policy.default_provider,)))
        for name in named:
            if name not in self._providers and name not in self._disabled:
                raise ValueError(f"the routing policy names a provider {name!r} that is not configured")
        # Sorting is stable: entries of one priority keep the order in which they were configured.
        self._by_priority = tuple(p.name for p in sorted(providers, key=_priority_of))
        self._having: dict[str, dict[str, ModelCard]] = {p.name: {c.name: c for c in p.models} for p in providers}
        self._plans: dict[tuple[object, ...], tuple[Plan, int]] = {}

    def plan(self, request: Routable, *, estimated_input_tokens: int, standing: Standing) -> Plan | Failed:
        """Order the candidates for `request`, or say why nobody can answer it."""
        needs = needs_of(request)
        criteria = request.criteria if isinstance(request, ChatRequest) else None
        least_window = criteria.min_context_length if criteria is not None else None
        kind = (request.provider, request.model, request.fallback_providers, needs, least_window)
        kept = self._plans.get(kind)
        if kept is None:
            made = self._make(request, needs, least_window or 0)
            if isinstance(made, Failed):
                return made
            smallest = min((window for c in made.choices if (window := _window_of(c.card))), default=0)
            if len(self._plans) >= PLANS_KEPT:
                self._plans.clear()
            kept = self._plans[kind] = (made, smallest)
        plan, smallest_window = kept
        if smallest_window == 0 or estimated_input_tokens <= smallest_window:
            return plan
        return _fit_context(plan, estimated_input_tokens)

    def _make(self, request: Routable, needs: Needs, least_window: int) -> Plan | Failed:
        """Plan without regard to the prompt's size."""
        unknown = self._unknown_name(request)
        if unknown is not None:
            return unknown
        owners = self._owners(request)
        if request.model is not None and not owners:
            return self._unknown_model(request.model)
        choices: list[Choice] = []
        left_out: list[Candidate] = []
        for name, why in self._order(request, owners):
            chosen = self._choose(name, request, needs, least_window, why, owners)
            if isinstance(chosen, Choice):
                choices.append(chosen)
            else:
                left_out.append(chosen)
        if not choices:
            return _nobody(left_out, request, needs)
        if request.fallback_providers == ():
            del choices[1:]
        if isinstance(request, EmbedRequest) and request.fallback_providers is None:
            choices = _same_vectors(choices, left_out)
        reserves = tuple(r for choice in choices for r in self._larger_siblings(choice, needs))
        return plan_of((*choices, *reserves), tuple(left_out))

    def _order(self, request: Routable, owners: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        """Name every entry to consider once, in order, with the reason for its place."""
        seen: set[str] = set()
        firsts: list[tuple[str, str]] = []
        if request.provider is not None:
            firsts.append((request.provider, "asked for"))
        elif request.model is not None:
            firsts.extend((name, "has the model asked for") for name in owners)
        elif self._policy.default_provider is not None:
            firsts.append((self._policy.default_provider, "default provider"))
        fallback = request.fallback_providers
        if fallback is None:
            fallback = self._policy.fallback_providers
        if fallback is None:
            rest = [(name, "by priority") for name in self._by_priority]
        else:
            firsts = firsts or [(name, "by priority") for name in self._by_priority[:1]]
            rest = [(name, "fallback") for name in fallback]
        for name, why in (*firsts, *rest):
            if name not in seen:
                seen.add(name)
                yield name, why

    def _owners(self, request: Routable) -> tuple[str, ...]:
        """Find who has the model asked for; who takes any name has it only where nobody lists it or it was named."""
        model = request.model
        if model is None:
            return ()
        order = self._by_priority
        default = self._policy.default_provider
        if default in self._providers:
            order = (default, *(name for name in order if name != default))
        listed = tuple(name for name in order if model in self._having[name])
        if request.provider in self._providers and self._providers[request.provider].any_model:
            return (request.provider, *(name for name in listed if name != request.provider))
        return listed or tuple(name for name in order if self._providers[name].any_model)

    def _choose(
        self, name: str, request: Routable, needs: Needs, least_window: int, why: str, owners: tuple[str, ...]
    ) -> Choice | Candidate:
        """Pick the model of entry `name` that is to answer, or say why none can."""
        provider = self._providers.get(name)
        if provider is None:
            return omitted(name, request.model or "*", "the entry is disabled; set `enabled = true` to use it")
        if request.model is not None and name in owners:
            card = self._having[name].get(request.model) or provider.unlisted(request.model)
            lacking = _lacking(provider, card, needs, least_window)
            return omitted(name, card.name, lacking) if lacking else _choice(name, card, why)
        if request.model is not None and name == request.provider:
            return omitted(name, request.model, "lacks the model asked for")
        if not provider.models:
            return omitted(name, "*", "no model was named and the entry lists none")
        reasons: list[str] = []
        cards = provider.models if "embeddings" not in needs else sorted(provider.models, key=_unlike_an_embedder)
        for card in cards:
            lacking = _lacking(provider, card, needs, least_window)
            if not lacking:
                return _choice(name, card, why if request.model is None else f"{why}, with its own model")
            reasons.append(lacking)
        return omitted(name, provider.models[0].name, "; ".join(dict.fromkeys(reasons)))

    def _larger_siblings(self, choice: Choice, needs: Needs) -> Iterator[Choice]:
        """Name the able models of the same entry with a larger known window, the smallest of them first."""
        window = choice.card.longest_prompt_tokens
        if window is None or "embeddings" in needs:
            return
        provider = self._providers[choice.provider]
        larger = (card for card in provider.models if _window_of(card) > window)
        for card in sorted(larger, key=_window_of):
            if not _lacking(provider, card, needs, 0):
                yield _choice(choice.provider, card, "larger window, if the prompt is too long", use="larger_window")

    def _unknown_name(self, request: Routable) -> Failed | None:
        known = self._providers.keys() | self._disabled
        for param, names in (("provider", (request.provider,)), ("fallback_providers", request.fallback_providers)):
            for name in names or ():
                if name is not None and name not in known:
                    return Failed(
                        kind="no_candidate",
                        param=param,
                        provider=name,
                        safe_to_retry=True,
                        message=f"No provider is called {name!r}.{_meant(name, sorted(known))}",
                    )
        return None

    def _unknown_model(self, model: str) -> Failed:
        known = sorted({card for having in self._having.values() for card in having})
        return Failed(
            kind="no_candidate",
            param="model",
            model=model,
            safe_to_retry=True,
            message=f"No enabled provider lists the model {model!r}.{_meant(model, known)} "
            "Add it to the `models` of a provider entry.",
        )


def _fit_context(plan: Plan, tokens: int) -> Plan | Failed:
    """Put windows that are surely too small aside, and those that may be too small last.

    The estimate is crude, so only a window that even half of it overflows is left out; between that and the
    estimate the vendor decides, after the windows that surely fit.
    """
    sure: list[Choice] = []
    doubtful: list[Choice] = []
    left_out = list(plan.left_out)
    fits_primary = False
    for choice in plan.choices:
        window = choice.card.longest_prompt_tokens
        if window is None or tokens <= window:
            sure.append(choice)
            fits_primary = fits_primary or choice.use == "any"
        elif tokens <= 2 * window:
            doubtful.append(choice)
        else:
            told = f"its window of {window} tokens is too small for a prompt of about {tokens}"
            left_out.append(omitted(choice.provider, choice.model, told))
    if not fits_primary:
        # Nothing that would be asked at once surely fits: models kept for long prompts come forward.
        sure = [msgspec.structs.replace(choice, use="any") for choice in sure]
    if not sure and not any(choice.use == "any" for choice in doubtful):
        doubtful = [msgspec.structs.replace(choice, use="any") for choice in doubtful]
    if not sure and not doubtful:
        windows = [_window_of(choice.card) for choice in plan.choices]
        return Failed(
            kind="context_length",
            safe_to_retry=True,
            message=f"The prompt has about {tokens} tokens and the largest window among the candidates is "
            f"{max(windows)}. Shorten it, or configure a model with a larger window.",
        )
    return plan_of((*sure, *doubtful), tuple(left_out))


def _lacking(provider: ProviderPolicy, card: ModelCard, needs: Needs, least_window: int) -> str:
    """Say what `card` is known to lack; unknown is permitted, and so is what the provider's codec does otherwise."""
    for need in needs:
        if getattr(card, need) is False and need not in OTHERWISE.get(provider.type, ()):
            return NEEDS[need]
    if card.embeddings and "embeddings" not in needs:
        return "makes vectors and does not chat"
    if least_window and card.context_tokens is not None and card.context_tokens < least_window:
        return f"its window of {card.context_tokens} tokens is below the {least_window} asked for"
    return ""


def _same_vectors(choices: list[Choice], left_out: list[Candidate]) -> list[Choice]:
    """Keep the deployments of the first choice's model; tell of the others why not."""
    model = choices[0].card.vendor_name
    others = (choice for choice in choices if choice.card.vendor_name != model)
    left_out.extend(omitted(choice.provider, choice.model, OTHER_VECTORS) for choice in others)
    return [choice for choice in choices if choice.card.vendor_name == model]


def _unlike_an_embedder(card: ModelCard) -> int:
    """Sort models that are known to embed first, then those that are called so, then the unknown."""
    if card.embeddings:
        return 0
    return 1 if "embed" in card.vendor_name.lower() else 2


def _choice(name: str, card: ModelCard, reason: str, *, use: Use = "any") -> Choice:
    deployment = deployment_id(name, card.name)
    return Choice(deployment=deployment, provider=name, model=card.name, card=card, reason=reason, use=use)


def _nobody(left_out: list[Candidate], request: Routable, needs: Needs) -> Failed:
    told = "; ".join(f"{c.deployment}: {c.reason}" for c in left_out) or "no provider is configured and enabled"
    message = f"No model can answer this request: {told}."
    if isinstance(request, ChatRequest) and request.model is not None:
        reasons = [candidate.reason for candidate in left_out if candidate.model == request.model]
        lacking = next((need for need in needs if NEEDS[need] in reasons), None)
        if lacking is not None:
            param = field_of(lacking, request)
            message = f"{param}: {message} Leave it out, or name a model that can."
            return Failed(kind="unsupported", param=param, model=request.model, safe_to_retry=True, message=message)
    return Failed(kind="no_candidate", safe_to_retry=True, message=message)


def _meant(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" There are: {', '.join(known[:20])}." if known else ""


def _priority_of(provider: ProviderPolicy) -> int:
    return provider.priority


def _window_of(card: ModelCard) -> int:
    return card.longest_prompt_tokens or 0
