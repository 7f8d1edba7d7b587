"""Own the refusals of a plan: a name that nobody has, or needs that nobody meets, each with what there is instead."""

from __future__ import annotations

from collections.abc import Sequence

from manus.actors.routing.entries import Entries, meant
from manus.actors.routing.needs import NEEDS, Needs, Routable, field_of
from manus.messages.failures import Failed
from manus.messages.outcomes import Candidate
from manus.messages.requests import ChatRequest


def unknown_name(entries: Entries, request: Routable) -> Failed | None:
    """Refuse a provider or a fallback that does not exist; None where all do."""
    provider = request.provider
    if provider is not None and provider not in entries.by_name and provider not in entries.disabled:
        message = f"No provider is called {provider!r}.{meant(provider, entries.known)}"
        return Failed(kind="no_candidate", param="provider", provider=provider, safe_to_retry=True, message=message)
    for item in request.fallback_providers or ():
        problem = entries.problem_of(item)
        if problem is not None:
            return Failed(
                kind="no_candidate",
                param="fallback_providers",
                provider=item.partition("/")[0],
                safe_to_retry=True,
                message=problem,
            )
    return None


def unknown_model(entries: Entries, model: str) -> Failed:
    """Refuse a model that no enabled entry has."""
    return Failed(
        kind="no_candidate",
        param="model",
        model=model,
        safe_to_retry=True,
        message=f"No enabled provider lists the model {model!r}.{meant(model, entries.models)} "
        "Add it to the `models` of a provider entry.",
    )


def nobody(left_out: Sequence[Candidate], request: Routable, needs: Needs) -> Failed:
    """Refuse a request that nobody can answer: every candidate says why not."""
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
