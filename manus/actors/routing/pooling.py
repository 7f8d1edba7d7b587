"""Own the making of a pool: who of the configured entries may answer a kind of request, and why the others may not.

Pure, and done once per kind of request. A provider that lacks the model the caller named is asked for its own first
able model, because a named provider and model are a *first choice*; `fallback_providers=()` asks for nobody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from manus.actors.routing.entries import Entries, Target, target_of
from manus.actors.routing.needs import NEEDS, Needs, Routable
from manus.actors.routing.no_candidate import nobody, unknown_model, unknown_name
from manus.actors.routing.ordering import Ordering, order_words, tier_distance, tier_words
from manus.actors.routing.plan import Choice, Use, omitted
from manus.actors.routing.pool import LARGER, Group, Pool, group_of, window_of
from manus.actors.routing.targets import Step, steps_of
from manus.messages.failures import Failed
from manus.messages.ids import deployment_id
from manus.messages.outcomes import Candidate
from manus.messages.policy import ModelCard, ProviderPolicy
from manus.messages.requests import ChatRequest, EmbedRequest
from manus.messages.routing_policy import RouterPolicy

OTHERWISE = {"anthropic": ("json_schema",), "bedrock": ("json_schema",)}
"""What is done by other means where the model itself lacks it, by type: there a tool, or words, carry the schema."""

OTHER_VECTORS = "its vectors cannot be compared with the first choice's; name it in fallback_providers to allow it"
"""Why another model is not asked for an embedding that the first choice cannot make."""

DISABLED = "the entry is disabled; set `enabled = true` to use it"


class PoolMaker:
    """Makes the pool of one kind of request. Used once."""

    __slots__ = (
        "_by_entry",
        "_entries",
        "_least_window",
        "_left_out",
        "_needs",
        "_ordering",
        "_owners",
        "_policy",
        "_request",
        "_stand_ins",
        "_tags",
    )

    def __init__(
        self, entries: Entries, policy: RouterPolicy, request: Routable, needs: Needs, ordering: Ordering
    ) -> None:
        criteria = request.criteria if isinstance(request, ChatRequest) else None
        self._entries = entries
        self._policy = policy
        self._request = request
        self._needs = needs
        self._ordering = ordering
        # Vectors of two models cannot be compared, so models are not chosen anew for each embedding.
        self._by_entry = ordering.by_entry or isinstance(request, EmbedRequest)
        self._least_window = (criteria.min_context_length or 0) if criteria is not None else 0
        self._tags = criteria.tags if criteria is not None else ()
        self._owners: tuple[str, ...] = ()
        if request.model is not None:
            self._owners = entries.owners(request.model, named=request.provider, first=policy.default_provider)
        self._left_out: dict[str, Candidate] = {}
        self._stand_ins: dict[str, Choice] = {}

    def make(self) -> Pool | Failed:
        """Give the pool, or say why nobody can answer."""
        request = self._request
        problem = unknown_name(self._entries, request)
        if problem is not None:
            return problem
        if request.model is not None and not self._owners:
            return unknown_model(self._entries, request.model)
        self._stand_ins = {choice.deployment: choice for choice in self._policy_fallbacks()}
        ranked: dict[int, list[Choice]] = {}
        seen: set[str] = set()
        for step in steps_of(self._entries, self._policy, request, owners=self._owners, by_entry=self._by_entry):
            for choice in self._choices_of(step):
                if choice.deployment not in seen:
                    seen.add(choice.deployment)
                    ranked.setdefault(step.rank, []).append(choice)
        if isinstance(request, EmbedRequest) and ranked:
            ranked = self._of_same_vectors(ranked)
        if not ranked:
            return nobody(tuple(self._left_out.values()), request, self._needs)
        return self._pool_of(ranked)

    # --- who is able ----------------------------------------------------------------------------------

    def _policy_fallbacks(self) -> Iterator[Choice]:
        """Name who may be asked after a content policy refused."""
        if "embeddings" in self._needs or self._request.fallback_providers == ():
            return
        for item in self._policy.policy_fallbacks:
            target = target_of(item)
            if target.model is None and target.entry in self._owners:
                target = Target(target.entry, self._request.model)
            for provider, card, why in self._able(target, "policy fallback", every_model=False):
                yield from self._deployments(provider, card, why, use="policy")

    def _choices_of(self, step: Step) -> Iterator[Choice]:
        """Give the able deployments of a step; the others are noted with their reasons."""
        every_model = not self._by_entry and (self._request.model is None or step.rank == 0)
        for provider, card, why in self._able(step.target, step.why, every_model=every_model):
            yield from self._deployments(provider, card, why)

    def _able(self, target: Target, why: str, *, every_model: bool) -> Iterator[tuple[ProviderPolicy, ModelCard, str]]:
        """Give the models of an entry that are to answer, or note why they cannot."""
        name, model = target.entry, target.model
        provider = self._entries.by_name.get(name)
        if provider is None:
            self._omit(name, model or self._request.model or "*", DISABLED)
            return
        if model is not None:
            card = self._entries.card(name, model)
            lacking = "lacks the model asked for" if card is None else self._lacking(provider, card)
            if lacking or card is None:
                self._omit(name, model, lacking)
            else:
                yield provider, card, why
            return
        if not provider.models:
            self._omit(name, "*", "no model was named and the entry lists none")
            return
        if self._request.model is not None:
            why = f"{why}, with its own model" if why else "with its own model"
        reasons: dict[str, str] = {}
        cards = provider.models if "embeddings" not in self._needs else sorted(provider.models, key=_unlike_an_embedder)
        for card in cards:
            lacking = self._lacking(provider, card)
            if not lacking:
                yield provider, card, why
                if not every_model:
                    return
            elif every_model:
                self._omit(name, card.name, lacking)
            reasons[card.name] = lacking
        if not every_model:
            for model, lacking in reasons.items():
                self._omit(name, model, lacking)

    def _lacking(self, provider: ProviderPolicy, card: ModelCard) -> str:
        """Say what `card` is known to lack; unknown is permitted, and so is what the codec does otherwise."""
        for need in self._needs:
            if getattr(card, need) is False and need not in OTHERWISE.get(provider.type, ()):
                return NEEDS[need]
        if card.embeddings and "embeddings" not in self._needs:
            return "makes vectors and does not chat"
        if self._least_window and card.context_tokens is not None and card.context_tokens < self._least_window:
            return f"its window of {card.context_tokens} tokens is below the {self._least_window} asked for"
        # A tag that no key bears and this model does not bear may be borne by another model of the entry.
        return self._missing_tags(provider, card, tuple(tag for key in provider.keys for tag in key.tags))

    def _deployments(
        self, provider: ProviderPolicy, card: ModelCard, reason: str, *, use: Use = "any"
    ) -> Iterator[Choice]:
        """Give a model of an entry as deployments: one, or one for each of its keys."""
        keys: list[tuple[str | None, tuple[str, ...]]] = [(key.name, key.tags) for key in provider.keys]
        if len(keys) < 2:
            keys = [(None, keys[0][1] if keys else ())]
        for key, key_tags in keys:
            missing = self._missing_tags(provider, card, key_tags)
            if missing:
                self._omit(provider.name, card.name, missing, key)
                continue
            deployment = deployment_id(provider.name, card.name, key)
            yield Choice(
                deployment=deployment,
                provider=provider.name,
                model=card.name,
                card=card,
                reason=reason,
                key=key,
                use=use,
                after_policy=use == "policy" or deployment in self._stand_ins,
            )

    def _missing_tags(self, provider: ProviderPolicy, card: ModelCard, of_key: tuple[str, ...]) -> str:
        """Say which of the tags asked for a deployment does not bear; empty where it bears them all."""
        missing = [tag for tag in self._tags if tag not in (*provider.tags, *card.tags, *of_key)]
        return f"does not bear the tag {', '.join(map(repr, missing))}" if missing else ""

    def _omit(self, provider: str, model: str, reason: str, key: str | None = None) -> None:
        candidate = omitted(provider, model, reason, key)
        self._left_out.setdefault(candidate.deployment, candidate)

    # --- what is made of them -------------------------------------------------------------------------

    def _of_same_vectors(self, ranked: dict[int, list[Choice]]) -> dict[int, list[Choice]]:
        """Let what makes the same vectors as the first choice be ordered together; nobody else takes over unnamed."""
        choices = [choice for of_rank in ranked.values() for choice in of_rank]
        model = choices[0].card.vendor_name
        alike = [choice for choice in choices if choice.card.vendor_name == model]
        others = [choice for choice in choices if choice.card.vendor_name != model]
        if self._request.fallback_providers is not None:
            return {0: alike, **{rank: [choice] for rank, choice in enumerate(others, 1)}}
        for choice in others:
            self._omit(choice.provider, choice.model, OTHER_VECTORS, choice.key)
        return {0: alike}

    def _pool_of(self, ranked: dict[int, list[Choice]]) -> Pool:
        named = self._request.model is not None
        seen: set[str] = {choice.deployment for choices in ranked.values() for choice in choices}
        groups: list[Group] = []
        for rank, choices in ranked.items():
            if rank == 0 and named:
                groups.append(self._group(choices, equals=True))
            else:
                groups.extend(self._group(classed) for classed in self._classes(choices))
        reserves = list(self._larger_siblings([choice for group in groups for choice in group.choices], seen))
        reserves += [choice for choice in self._stand_ins.values() if choice.deployment not in seen]
        every = [*(choice for group in groups for choice in group.choices), *reserves]
        several = any(len(group.choices) > 1 for group in groups)
        in_turn = several and self._ordering.strategy == "round_robin" and not self._ordering.preferences
        return Pool(
            groups=tuple(groups),
            reserves=tuple(reserves),
            left_out=tuple(c for c in self._left_out.values() if c.deployment not in seen),
            alone=self._request.fallback_providers == (),
            takes_turns=in_turn or any(group.rings for group in groups),
            has_equals=len(groups[0].choices) > 1,
            smallest_window=min((window for choice in every if (window := window_of(choice.card))), default=0),
            size=len(every),
        )

    def _classes(self, choices: list[Choice]) -> Iterable[list[Choice]]:
        """Split what is ordered together by how well the models' tiers suit the task, where it says how hard it is."""
        complexity = self._ordering.complexity
        if complexity is None:
            return (choices,)
        classes: dict[tuple[int, int], list[Choice]] = {}
        for choice in choices:
            words = tier_words(choice.card.tier, complexity)
            told = msgspec.structs.replace(choice, reason=f"{choice.reason}; {words}" if choice.reason else words)
            classes.setdefault(tier_distance(choice.card.tier, complexity), []).append(told)
        return (classes[distance] for distance in sorted(classes))

    def _group(self, choices: list[Choice], *, equals: bool = False) -> Group:
        """Make a group, and let its members say what orders them."""
        group = group_of(choices, self._entries.by_name, equals=equals)
        words = order_words(self._ordering)
        if not words or len(choices) == 1:
            return group
        told: list[Choice] = []
        total = sum(group.weights) or 1.0
        for choice, weight in zip(choices, group.weights, strict=True):
            how = f"{words}, {weight / total:.1%} of the draws" if self._ordering.strategy == "weighted" else words
            if self._ordering.by_cost and not choice.card.price.known:
                how = f"{words}; its price is unknown, so it comes after those that are known"
            told.append(msgspec.structs.replace(choice, reason=f"{choice.reason}; {how}" if choice.reason else how))
        return msgspec.structs.replace(group, choices=tuple(told))

    def _larger_siblings(self, choices: list[Choice], seen: set[str]) -> Iterator[Choice]:
        """Name the able models of the same entries with a larger known window, the smallest of them first."""
        if "embeddings" in self._needs:
            return
        for choice in choices:
            window = choice.card.longest_prompt_tokens
            if window is None:
                continue
            provider = self._entries.by_name[choice.provider]
            for card in sorted((c for c in provider.models if window_of(c) > window), key=window_of):
                if self._lacking(provider, card):
                    continue
                for sibling in self._deployments(provider, card, LARGER, use="larger_window"):
                    if sibling.deployment not in seen:
                        seen.add(sibling.deployment)
                        yield sibling


def _unlike_an_embedder(card: ModelCard) -> int:
    """Sort models that are known to embed first, then those that are called so, then the unknown."""
    if card.embeddings:
        return 0
    return 1 if "embed" in card.vendor_name.lower() else 2
