"""Own the identifiers that cross actor boundaries: distinct types over plain strings."""

from typing import NewType

RequestId = NewType("RequestId", str)
"""One request of a caller, whatever number of attempts it takes. Unique within a ledger."""

RequestKey = NewType("RequestKey", str)
"""A host's own name for a request, by which it can ask for the outcome after a crash."""

DeploymentId = NewType("DeploymentId", str)
"""A model at a provider under a key: `provider/model`, or `provider/model#key` where several keys exist."""


def deployment_id(provider: str, model: str, key: str | None = None) -> DeploymentId:
    """Spell the deployment's name the one way it is spelt everywhere."""
    return DeploymentId(f"{provider}/{model}" if key is None else f"{provider}/{model}#{key}")
