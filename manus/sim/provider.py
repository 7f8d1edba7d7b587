"""Own the simulated provider: reads a request, chooses its script, plans the answer, keeps the bill.

It does no IO, and knows a clock only where it has limits to keep. A serving hands it a request, gets an `Exchange`,
and plays the exchange's steps; whatever a serving does, the bill is kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Final, cast

import msgspec
import trio

from manus.sim.behaviour import Behaviour, Responder, Script
from manus.sim.bill import PROMPT_CHARACTERS, ROWS_MAX, Bill, BillRow, RowState
from manus.sim.faults import (
    FAULTS,
    CorruptFrame,
    ErrorInside,
    Fault,
    HtmlBody,
    HugeLine,
    Malformed,
    NoMarker,
    Refused,
    WrongCharset,
    exists_on,
    fault_named,
    name_of,
)
from manus.sim.limited import Limited
from manus.sim.plan import answer_steps, reply_steps
from manus.sim.prefill import prefill_of
from manus.sim.quota import Quota, VendorLimits
from manus.sim.speech import speak
from manus.sim.steps import Accept, End, Generate, Hangup, Head, Planned, Played, Refuse, Send, Silence, Wait
from manus.sim.wire import (
    REQUEST_BYTES_MAX,
    ChatAsked,
    Reply,
    SimRequest,
    Wire,
    WireName,
    encode_json,
    identifier,
)

FAULT_HEADER = "x-sim-fault"
"""A request with this header meets the fault it names, whatever the behaviour says."""

FAULT_MODEL_PREFIX = "sim-"
"""A request for the model `sim-<fault>` meets that fault; `sim-large` and other names meet none."""

DEFAULT_MODELS = ("sim-large", "sim-small")

UNREADABLE = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading trips over where a request has the wrong shape deep inside; a vendor refuses such a one with 400."""

HTTP_ERROR = 400
"""From this status on, a response is an error."""

WIRES: Final[dict[WireName, tuple[str, str]]] = {
    "openai": ("wire_openai", "OpenAIWire"),
    "anthropic": ("wire_anthropic", "AnthropicWire"),
    "bedrock": ("wire_bedrock", "BedrockWire"),
    "ollama": ("wire_ollama", "OllamaWire"),
    "openai-responses": ("wire_responses", "ResponsesWire"),
    "azure": ("wire_azure", "AzureWire"),
}
"""Where each wire is written: module and class."""

CODECS: Final[dict[WireName, str]] = {
    "openai": "openai-chat",
    "openai-responses": "openai-responses",
    "azure": "azure-chat",
    "anthropic": "anthropic",
    "bedrock": "bedrock",
    "ollama": "ollama",
}
"""Which of our wire families a simulated wire is the other end of."""


def wire_named(name: WireName) -> Wire:
    """Give the wire of that name."""
    module, wire = WIRES[name]
    return cast(Wire, getattr(import_module(f"manus.sim.{module}"), wire)())


@dataclass(frozen=True, slots=True)
class _Plan:
    """The steps of one answer, and what it amounts to when they have all been played."""

    steps: Iterator[Planned]
    ends_as: RowState = "complete"
    refuses: bool = False
    limited: Limited | None = None


class SimProvider:
    """A provider that answers by script and bills what it did.

    Args:
        wire: whose format it speaks.
        behaviour: what it answers; a `Responder` decides request by request. May be replaced at any time
            through `behave`.
        models: what it lists; with `any_model` it also answers to every other name.
        api_key: refuses all who do not show it, where set; for Bedrock `id:secret` is a pair to sign with.
        bill_rows_max: how many requests the bill remembers one by one.
        limits: what it serves per minute and at once; a call beyond gets the vendor's 429.
        now_s: the clock by which it counts that.
    """

    __slots__ = (
        "_answered",
        "_behaviour",
        "_received",
        "any_model",
        "api_key",
        "bill",
        "in_flight",
        "in_flight_peak",
        "models",
        "now_s",
        "quota",
        "wire",
    )

    def __init__(
        self,
        wire: WireName = "openai",
        behaviour: Behaviour | Responder | Script | None = None,
        *,
        models: tuple[str, ...] = DEFAULT_MODELS,
        any_model: bool = True,
        api_key: str | None = None,
        bill_rows_max: int = ROWS_MAX,
        limits: VendorLimits | None = None,
        now_s: Callable[[], float] = trio.current_time,
    ) -> None:
        self.wire: Wire = wire_named(wire)
        self.models = models
        self.any_model = any_model
        self.bill = Bill(bill_rows_max)
        self.in_flight = 0
        self.in_flight_peak = 0
        self.api_key = api_key
        self.quota: Quota | None = None
        self.now_s = now_s
        self._received = 0
        self.limit(limits)
        self.behave(behaviour if behaviour is not None else Behaviour())

    def __repr__(self) -> str:
        return f"<SimProvider {self.wire.name}: {self.in_flight} in flight, {self.bill!r}>"

    @property
    def behaviour(self) -> Behaviour | Responder:
        """What it answers now."""
        return self._behaviour

    def behave(self, behaviour: Behaviour | Responder | Script) -> None:
        """Answer so from the next request on; requests under way are not touched.

        Raises:
            ValueError: a fault does not exist on this provider's wire.
        """
        chosen = Behaviour(script=behaviour) if isinstance(behaviour, Script) else behaviour
        if isinstance(chosen, Behaviour):
            for script in (chosen.script, *chosen.first):
                self._check(script.fault)
            for fault in chosen.faults:
                self._check(fault)
        self._behaviour: Behaviour | Responder = chosen
        self._answered = 0

    def limit(self, limits: VendorLimits | None) -> None:
        """Keep to these limits from now on, with nothing used up; None serves whatever comes."""
        self.quota = None if limits is None else Quota(limits, self.wire.name)

    def answer(self, request: SimRequest) -> Exchange:
        """Plan the answer to a request that has been read whole.

        Every request is counted; only chat requests that are not rejected can cost something. Nothing
        is billed before the exchange's first step is taken.
        """
        self._received += 1
        number = self._received
        row = BillRow(
            number=number,
            request_id="req_" + identifier(self.wire.name, "request", number, length=32),
            received_bytes=len(request.body),
        )
        plan = self._plan(request, row)
        if request.method == "HEAD":
            plan = replace(plan, steps=(step for step in plan.steps if not isinstance(step, Send)))
        return Exchange(self, self.bill.open_row(row), plan)

    def _plan(self, request: SimRequest, row: BillRow) -> _Plan:
        if len(request.body) > REQUEST_BYTES_MAX:
            return _Plan(reply_steps(self.wire.rejection(413, number=row.number, model="")))
        key = self.wire.key_of(request)
        if self.api_key is not None and not self.wire.admits(request, self.api_key):
            return _Plan(reply_steps(self.wire.rejection(401, number=row.number, model="", key=key)))
        try:
            asked = _typed(self.wire.read(request, self.models))
        except UNREADABLE:
            asked = self.wire.rejection(400, number=row.number, model="")
        if isinstance(asked, Reply):
            return _Plan(reply_steps(asked))
        row.model, row.stream, row.prompt = asked.model, asked.stream, asked.prompt[:PROMPT_CHARACTERS]
        try:
            demanded = self._demanded_fault(request, asked)
        except ValueError as error:
            return _Plan(reply_steps(_misspelt(error)))
        if demanded is None and not self.any_model and asked.model not in self.models:
            return _Plan(reply_steps(self.wire.rejection(404, number=row.number, model=asked.model)))
        script = self._script_for(asked, demanded)
        self._check(script.fault)
        row.fault = None if script.fault is None else name_of(script.fault)
        seed = self._behaviour.seed if isinstance(self._behaviour, Behaviour) else 0
        prefill = prefill_of(self.wire.name, asked, script)
        if prefill == "refuse":
            return _Plan(reply_steps(self.wire.rejection(400, number=row.number, model=asked.model, code="prefill")))
        try:
            spoken = speak(asked, script, row, seed=seed, begun=prefill == "continue")
        except UNREADABLE:  # a schema that nothing can fit
            return _Plan(reply_steps(self.wire.rejection(400, number=row.number, model=asked.model)))
        steps = answer_steps(self.wire, spoken, script, stream=asked.stream, key=key)
        ends_as, refuses = _ends_as(script.fault, stream=asked.stream), isinstance(script.fault, Refused)
        if self.quota is None or refuses:
            return _Plan(steps, ends_as, refuses)
        limited = Limited(self.quota, self.wire, self.now_s)
        told = script.limits_reset_s is None
        steps = limited.steps(steps, asked, row, cached_tokens=spoken.cached_tokens, told=told)
        return _Plan(steps, ends_as, limited=limited)

    def _demanded_fault(self, request: SimRequest, asked: ChatAsked) -> Fault | None:
        """Find the fault that the request itself asks for, by header or by model.

        Raises:
            ValueError: the request names a fault that does not exist, here or anywhere.
        """
        spelling = request.headers.get(FAULT_HEADER)
        if spelling is None:
            if not asked.model.startswith(FAULT_MODEL_PREFIX) or asked.model in self.models:
                return None
            spelling = asked.model.removeprefix(FAULT_MODEL_PREFIX)
            if spelling.partition(":")[0] not in FAULTS:
                return None
        fault = fault_named(spelling)
        self._check(fault)
        return fault

    def _check(self, fault: Fault | None) -> None:
        if fault is not None and not exists_on(fault, self.wire.name):
            raise ValueError(f"the fault {name_of(fault)!r} does not exist on the wire {self.wire.name!r}")

    def _script_for(self, asked: ChatAsked, demanded: Fault | None) -> Script:
        behaviour = self._behaviour
        if demanded is not None:
            usual = behaviour.script if isinstance(behaviour, Behaviour) else behaviour(asked)
            return msgspec.structs.replace(usual, fault=demanded)
        position = self._answered
        self._answered += 1
        return behaviour.script_for(position) if isinstance(behaviour, Behaviour) else behaviour(asked)


class Exchange:
    """One request being answered: steps to play, and its row of the bill.

    A serving calls `next_step` until it gives None, and `leave` when the client goes away or the serving
    itself ends; both are synchronous.
    """

    __slots__ = ("_ends_as", "_limited", "_provider", "_refuses", "_steps", "row")

    def __init__(self, provider: SimProvider, row: BillRow, plan: _Plan) -> None:
        self.row = row
        self._provider = provider
        self._steps = plan.steps
        self._ends_as = plan.ends_as
        self._refuses = plan.refuses
        self._limited = plan.limited
        provider.in_flight += 1
        provider.in_flight_peak = max(provider.in_flight_peak, provider.in_flight)

    def refusal(self) -> Refuse | None:
        """Give the `Refuse` that this exchange consists of, or None; to be asked before the first step."""
        step = self.next_step() if self._refuses else None
        assert step is None or isinstance(step, Refuse)
        return step

    def next_step(self) -> Played | None:
        """Give the next thing to do; what the provider does for itself goes on the bill meanwhile.

        None means that the exchange is over.
        """
        row = self.row
        if row.state in ("disconnected", "cut", "refused"):
            return None
        for step in self._steps:
            match step:
                case Accept():
                    row.state, row.billed = "working", True
                    row.input_tokens, row.cached_tokens = step.input_tokens, step.cached_tokens
                    row.cache_write_tokens = step.cache_write_tokens
                case Generate():
                    row.output_tokens += step.tokens
                case Head():
                    row.status = step.status
                    if row.state == "arriving":
                        row.state = "working"
                    return step
                case Send():
                    row.sent_bytes += len(step.data)
                    if step.final:
                        self._close()
                    return step
                case Refuse():
                    self._close("refused")
                    return step
                case Hangup():
                    self._close("cut")
                    return step
                case End():
                    self._close()
                    return step
                case Wait() | Silence():
                    return step
        self._close()
        return None

    def leave(self) -> None:
        """Stop: nobody listens any more. What was generated so far stays billed. Does nothing twice."""
        self._close("disconnected")

    def _close(self, state: RowState | None = None) -> None:
        row = self.row
        if not row.open:
            return
        if state is None:
            rejected = row.status is not None and row.status >= HTTP_ERROR
            state = "rejected" if rejected else self._ends_as
        row.state = state
        self._provider.in_flight -= 1
        if self._limited is not None:
            self._limited.leave()


def _ends_as(fault: Fault | None, *, stream: bool) -> RowState:
    """Say what an answer played to its end amounts to under `fault`."""
    match fault:
        case CorruptFrame() if stream:
            return "failed"
        case ErrorInside() | HtmlBody() | NoMarker() | HugeLine() | Malformed() | WrongCharset(body=True):
            return "failed"
        case _:
            return "complete"


def _typed(asked: ChatAsked | Reply) -> ChatAsked | Reply:
    """Check the types of what was read.

    Raises:
        msgspec.ValidationError: a value of the request is of another type than its field.
    """
    if isinstance(asked, Reply):
        return asked
    return msgspec.convert(msgspec.structs.asdict(asked), ChatAsked, from_attributes=True)


def _misspelt(error: ValueError) -> Reply:
    body = encode_json({"error": {"message": str(error), "type": "simulator", "param": FAULT_HEADER, "code": None}})
    return Reply(status=400, body=body, headers=(("content-type", "application/json"),))
