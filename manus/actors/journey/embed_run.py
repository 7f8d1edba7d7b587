"""Own one embedding's life at the router: its inputs split into calls that the vendor takes, one after another.

All calls are answered by one model, because vectors of two cannot be compared: what answered the first call is asked
first for the others, and after it only deployments of the same model. Every call is an attempt of its own in the
books; the outcome has the sums.
"""

from __future__ import annotations

import msgspec

from manus.actors.estimates.measure import measure
from manus.actors.estimates.text import bound_tokens, estimate_tokens
from manus.actors.journey.attempt import OpenAttempt
from manus.actors.journey.request import RequestRun
from manus.actors.router_desk import Desk
from manus.actors.routing.plan import Choice, Plan
from manus.actors.routing.standing import Standing
from manus.messages.failures import Failed
from manus.messages.outcomes import Answer, Embedded, Outcome, Unfinished
from manus.messages.requests import EmbedRequest
from manus.supervisor.envelope import Envelope


class EmbedRun(RequestRun):
    """One request for embeddings, for the task that handles its envelope."""

    __slots__ = ("_asked", "_begun", "_vectors", "_warnings")

    def __init__(self, desk: Desk, env: Envelope, request: EmbedRequest) -> None:
        super().__init__(desk, env, request)
        self._asked = request
        self._begun: Choice | None = None
        """Who answered the first call."""
        self._vectors: list[bytes] = []
        self._warnings: dict[str, None] = {}

    async def _journey(self) -> Outcome:
        """Plan, and have one call after another answered."""
        plan = self._planned(self._desk.standing(self._asked.request_id, self._story.admitted_at))
        if isinstance(plan, Failed):
            return self._unfinished(plan)
        self._story.planned(plan, self._desk.cell.health)
        while True:
            if self._table is not self._desk.table:
                renewed = self._renewed(plan)
                if isinstance(renewed, Failed):
                    return self._unfinished(renewed)
                plan = renewed
            batch = self._batch(plan, len(self._vectors))
            self._attempts.measured = measure(batch)
            ended = await self._answered(plan, batch)
            if isinstance(ended, Failed):
                return self._unfinished(ended)
            if self._completes(ended):
                return self._finished(ended)
            self._keep(ended)
            self._begun = ended.choice
            plan = _of_one_model(plan, ended.choice)

    def _planned(self, standing: Standing) -> Plan | Failed:
        """Make a plan by what is configured now; once a model has answered, of that model alone."""
        self._table = self._desk.table
        longest = max(estimate_tokens(text) for text in self._asked.inputs)
        begun, request = self._begun, self._asked
        if begun is not None and request.model is None:
            request = msgspec.structs.replace(request, model=begun.model)
        plan = self._table.plan(request, estimated_input_tokens=longest, standing=standing)
        if isinstance(plan, Plan):
            plan = self._able(plan)
        if isinstance(plan, Failed) or begun is None:
            return plan
        base = begun.card.vendor_name
        others = [choice for choice in plan.choices if choice.card.vendor_name != base]
        if len(others) < len(plan.choices):
            return plan.without(others, "makes other vectors than the model that has begun") if others else plan
        message = f"Nobody is left who has {base}, which made the vectors so far: the configuration has changed."
        return Failed(kind="no_candidate", param="model", message=message, safe_to_retry=True)

    def _able(self, plan: Plan) -> Plan | Failed:
        """Leave out the vendors that have no embeddings at all, whatever name an entry of theirs takes."""
        mute = [choice for choice in plan.choices if not self._desk.embeds(choice.provider)]
        if not mute:
            return plan
        if len(mute) == len(plan.choices):
            names = ", ".join(dict.fromkeys(choice.provider for choice in mute))
            message = f"{names}: this vendor has no embeddings. Name another provider, such as OpenAI or Ollama."
            return Failed(kind="no_candidate", param="provider", message=message, safe_to_retry=True)
        return plan.without(mute, "has no embeddings")

    def _batch(self, plan: Plan, start: int) -> EmbedRequest:
        """Cut the next call's inputs: as many as every deployment that may be asked takes."""
        inputs = self._asked.inputs
        limits = [self._desk.embed_limits(choice) for choice in plan.choices]
        most = min(limit.inputs for limit in limits)
        tokens = min((limit.tokens for limit in limits if limit.tokens is not None), default=None)
        end = start + 1
        # Bytes are an upper bound of tokens: a call that is cut by them is never refused for its sum.
        room = None if tokens is None else tokens - bound_tokens(inputs[start])
        for text in inputs[end : start + most]:
            if room is not None:
                room -= bound_tokens(text)
                if room < 0:
                    break
            end += 1
        return (
            self._asked
            if end - start == len(inputs)
            else msgspec.structs.replace(self._asked, inputs=inputs[start:end])
        )

    def _keep(self, attempt: OpenAttempt) -> None:
        assert attempt.ended is not None
        self._vectors.extend(attempt.ended.answer.vectors)
        self._warnings |= dict.fromkeys(attempt.ended.answer.warnings)

    def _unfinished(self, failure: Failed) -> Unfinished:
        """Hand over what earlier calls gave: it was paid for."""
        if self._vectors:
            self._story.partial = Answer(vectors=tuple(self._vectors))
        return super()._unfinished(failure)

    def _completes(self, attempt: OpenAttempt) -> bool:
        """Whether nothing is missing any more once `attempt` has succeeded."""
        assert attempt.ended is not None
        return len(self._vectors) + len(attempt.ended.answer.vectors) == len(self._asked.inputs)

    def _finished(self, attempt: OpenAttempt) -> Outcome:
        """Make the outcome of the last call."""
        self._keep(attempt)
        ended, story = attempt.ended, self._story
        assert ended is not None
        return Embedded(
            request_id=self._asked.request_id,
            vectors=tuple(self._vectors),
            provider=attempt.choice.provider,
            model=attempt.choice.model,
            vendor_request_id=ended.answer.vendor_request_id,
            warnings=tuple(self._warnings),
            usage=story.usage,
            cost_nano_usd=story.cost_nano_usd,
            durable=story.durable,
            latency_s=story.latency_s,
            route=story.route(),
        )


def _of_one_model(plan: Plan, first: Choice) -> Plan:
    """Put `first` first, and leave out what makes other vectors than it."""
    others = (c for c in plan.choices if c is not first and c.card.vendor_name == first.card.vendor_name)
    return msgspec.structs.replace(plan, choices=(first, *others))
