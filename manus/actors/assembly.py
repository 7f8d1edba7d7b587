"""Own the folding of stream events into an `Answer`: the same for streamed and whole answers.

Pure: it waits for nothing and knows no vendor. What it folds may stop at any event; what has come by then
is always a valid partial answer.
"""

from __future__ import annotations

from typing import assert_never

import msgspec

from manus.actors.codecs.json_text import is_object
from manus.messages.content import (
    AnyPart,
    Citation,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    Turn,
    VendorTurn,
)
from manus.messages.events import (
    CitationAdded,
    Ended,
    FinishReported,
    LogprobsReported,
    OpaqueAdded,
    PartEnded,
    Pinged,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    Reset,
    SafetyReported,
    Started,
    StreamEvent,
    StreamFailed,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallStarted,
    TurnReported,
    UsageReported,
    VectorsReported,
    WarningRaised,
)
from manus.messages.failures import Failed
from manus.messages.outcomes import Answer, Finish
from manus.messages.policy import Bounds
from manus.messages.usage import NO_USAGE, Usage, VendorCounts

_INCOMPLETE = Failed(
    kind="incomplete",
    message="The answer ended without its end marker: what came is only a part. Ask again.",
    phase="streaming",
)

_NO_SEAL = ReasoningSealed(index=0)


class Outlined(msgspec.Struct, frozen=True, kw_only=True):
    """One part of what has come, told to who wants to go on from there.

    Args:
        index: its number.
        kind: the type of event that began it.
        text: its text; of a tool call, its arguments.
        citations: the sources named for it.
        ended: whether nothing more will come for it.
        sealed: whether it is thinking that its vendor wants back as it was.
    """

    index: int
    kind: type[StreamEvent]
    text: str
    citations: tuple[Citation, ...]
    ended: bool
    sealed: bool


Origin = tuple[str, str]
"""Whose a part is: the wire family and the model as asked."""


class _Part:
    """One part under construction; `kind` is the type of event that began it."""

    __slots__ = ("call_id", "citations", "ended", "kind", "name", "opaque", "origin", "pieces", "seal")

    def __init__(self, kind: type[StreamEvent], origin: Origin) -> None:
        self.kind = kind
        self.origin = origin
        self.ended = False
        self.pieces: list[str] = []
        self.citations: list[Citation] = []
        self.call_id = ""
        self.name = ""
        self.opaque: OpaqueAdded | None = None
        self.seal: ReasoningSealed | None = None


class Assembly:
    """Gathers one attempt's events.

    Args:
        wire: the wire family; thinking and unread parts are marked with it.
        model: the model as asked.
        bounds: caps what is kept beside the content (log probabilities, filter results); the content
            itself was capped by the decoder.
    """

    __slots__ = (
        "_bounds",
        "_counted",
        "_extra_bytes",
        "_logprobs",
        "_origin",
        "_parts",
        "_safety",
        "_turn",
        "_vectors",
        "_warnings",
        "ended",
        "failure",
        "finish",
        "finishing",
        "has_content",
        "service_tier",
        "started",
        "usage",
        "vendor_counts",
    )

    def __init__(self, wire: str, model: str, bounds: Bounds) -> None:
        self._origin: Origin = (wire, model)
        self._bounds = bounds
        self._extra_bytes = 0
        self._parts: dict[int, _Part] = {}
        self._safety: list[msgspec.Raw] = []
        self._logprobs: list[msgspec.Raw] = []
        self._warnings: list[str] = []
        self._vectors: tuple[bytes, ...] = ()
        self._turn: msgspec.Raw | None = None
        # By part: how many of its pieces had come when the vendor counted last.
        self._counted: dict[int, int] = {}
        self.started: Started | None = None
        self.has_content = False
        self.finishing = False
        """Whether the vendor has named a finish reason, which is reported as `finish` once the answer is over."""
        self.usage: Usage = NO_USAGE
        self.vendor_counts: VendorCounts | None = None
        self.finish: Finish | None = None
        self.service_tier: str | None = None
        self.ended: Ended | None = None
        self.failure: Failed | None = None
        """Set by `StreamFailed`, and by an end without evidence, which is no success either."""

    def add(self, events: list[StreamEvent]) -> None:
        """Fold events in, in order. A `Reset` forgets all content, not the usage."""
        for event in events:
            if type(event) is TextDelta:  # by far the commonest
                part = self._parts.get(event.index)
                if part is None:
                    part = self._begin(event.index, TextDelta)
                part.pieces.append(event.text)
            else:
                self._add_other(event)

    @property
    def text_so_far(self) -> str:
        """All text of the answer, without thinking and refusals."""
        return "".join("".join(part.pieces) for part in self._parts.values() if part.kind is TextDelta)

    @property
    def reasoning_so_far(self) -> str:
        """All thinking of the answer."""
        return "".join("".join(part.pieces) for part in self._parts.values() if part.kind is ReasoningDelta)

    @property
    def has_tool_calls(self) -> bool:
        """Whether any tool call has begun: such an answer cannot be continued elsewhere."""
        return any(part.kind is ToolCallStarted for part in self._parts.values())

    def outline(self) -> list[Outlined]:
        """Tell what has come so far part by part, in the order of the numbers."""
        return [
            Outlined(
                index=index,
                kind=part.kind,
                text="".join(part.pieces),
                citations=tuple(part.citations),
                ended=part.ended,
                sealed=part.seal is not None and bool(part.seal.signature or part.seal.encrypted or part.seal.redacted),
            )
            for index, part in sorted(self._parts.items())
        ]

    def uncounted(self) -> list[list[str]]:
        """Give what came since the vendor's last complete count, part by part, in the pieces in which it came.

        The name of a tool call is its first piece. Parts that a codec carries unread have none.
        """
        found: list[list[str]] = []
        for index, part in self._parts.items():
            counted = self._counted.get(index)
            pieces = part.pieces if counted is None else part.pieces[counted:]
            if counted is None and part.name:
                pieces = [part.name, *pieces]
            if pieces:
                found.append(pieces)
        return found

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was warned of so far."""
        return tuple(self._warnings)

    def hand_over(self) -> None:
        """Stop being the record of one attempt, which broke off; other attempts bring the rest.

        How the attempt ended, and its vendor's own payload, are forgotten; its parts stay.
        """
        self._turn = None
        self.ended = None
        self.failure = None
        self.finish = None

    @property
    def origin(self) -> Origin:
        """Whose the parts are that begin now."""
        return self._origin

    def credit(self, origin: Origin) -> None:
        """Note whose the parts are that begin from here on."""
        self._origin = origin

    def answer(self) -> Answer:
        """Give what has come so far, in the order of its parts."""
        parts: list[AnyPart] = []
        for index in sorted(self._parts):
            parts.extend(self._built(self._parts[index]))
        whole = tuple(parts)
        return Answer(
            parts=whole,
            finish=self.finish or Finish(reason="incomplete"),
            usage=self.usage,
            id=None if self.started is None else self.started.id,
            model=None if self.started is None else self.started.model,
            service_tier=self.service_tier,
            safety=tuple(self._safety),
            logprobs=tuple(self._logprobs),
            warnings=tuple(self._warnings),
            vectors=self._vectors,
            turn=Turn(role="assistant", parts=whole, vendor=self._vendor_turn()),
        )

    def _vendor_turn(self) -> VendorTurn | None:
        """Give the vendor's own payload, of a whole answer only: what was cut short is no turn of the vendor's."""
        if self._turn is None or self.ended is None or self.failure is not None:
            return None
        wire, model = self._origin
        return VendorTurn(provider=wire, model=model, raw=self._turn)

    def _add_other(self, event: StreamEvent) -> None:
        match event:
            case TextDelta() | ReasoningDelta() | RefusalDelta():
                self._part(event.index, type(event)).pieces.append(event.text)
            case ToolCallStarted():
                call = self._begin(event.index, ToolCallStarted)
                call.call_id, call.name = event.id, event.name
            case ToolArgumentsDelta():
                self._part(event.index, ToolCallStarted).pieces.append(event.json)
            case ReasoningSealed():
                self._seal(event)
            case CitationAdded():
                source = Citation(title=event.title, url=event.url, quote=event.quote, raw=event.raw)
                self._part(event.index, TextDelta).citations.append(source)
            case OpaqueAdded():
                self._begin(event.index, OpaqueAdded).opaque = event
            case Started():
                self.started = event
            case UsageReported():
                self.usage = event.usage
                self.vendor_counts = event.counts or self.vendor_counts
                if event.usage.source == "reported":
                    self._counted = {index: len(part.pieces) for index, part in self._parts.items()}
            case FinishReported():
                self.finish = Finish(
                    reason=event.reason, raw=event.raw, detail=event.detail, stop_sequence=event.stop_sequence
                )
                self.service_tier = event.service_tier or self.service_tier
            case SafetyReported():
                self._keep(self._safety, event.raw)
            case LogprobsReported():
                self._keep(self._logprobs, event.raw)
            case VectorsReported():
                self._vectors = event.vectors
                self.has_content = True
            case TurnReported():
                self._turn = event.raw
            case WarningRaised():
                self._warnings.append(event.message)
            case Ended():
                self.ended = event
                self.failure = _INCOMPLETE if event.evidence == "none" else None
            case StreamFailed():
                self.failure = event.failure
                self.finish = Finish(reason="error", raw=None if self.finish is None else self.finish.raw)
            case Reset():
                self._forget()
            case PartEnded():
                part = self._parts.get(event.index)
                if part is not None:
                    part.ended = True
            case Pinged():
                pass
            case _:
                assert_never(event)

    def _begin(self, index: int, kind: type[StreamEvent]) -> _Part:
        part = _Part(kind, self._origin)
        self._parts[index] = part
        self.has_content = True
        return part

    def _part(self, index: int, kind: type[StreamEvent]) -> _Part:
        part = self._parts.get(index)
        return self._begin(index, kind) if part is None else part

    def _keep(self, kept: list[msgspec.Raw], raw: msgspec.Raw) -> None:
        size = len(bytes(raw))
        if self._extra_bytes <= self._bounds.answer_bytes < self._extra_bytes + size:
            self._warnings.append("Log probabilities or filter results were dropped: they grew over answer_bytes.")
        self._extra_bytes += size
        if self._extra_bytes <= self._bounds.answer_bytes:
            kept.append(raw)

    def _seal(self, event: ReasoningSealed) -> None:
        # Opaque to us; not content, so that a seal alone does not commit a stream.
        part = self._parts.get(event.index)
        if part is None:
            part = self._parts[event.index] = _Part(ReasoningDelta, self._origin)
        last = part.seal or event
        part.seal = ReasoningSealed(
            index=event.index,
            signature=event.signature or last.signature,
            encrypted=event.encrypted or last.encrypted,
            redacted=event.redacted or last.redacted,
            id=event.id or last.id,
        )

    def _built(self, part: _Part) -> list[AnyPart]:
        text = "".join(part.pieces)
        wire, model = part.origin
        built: list[AnyPart] = []
        if part.kind is TextDelta and text:
            built.append(Text(text=text))
        elif part.kind is ReasoningDelta:
            seal = part.seal or _NO_SEAL
            built.append(
                Reasoning(
                    text=text,
                    signature=seal.signature,
                    encrypted=seal.encrypted,
                    redacted=seal.redacted,
                    id=seal.id,
                    provider=wire,
                    model=model,
                )
            )
        elif part.kind is RefusalDelta:
            built.append(Refusal(text=text))
        elif part.kind is ToolCallStarted:
            # A tool without parameters is called with nothing at all by some vendors (openai.md, section 3).
            arguments = text if text.strip() else "{}"
            valid = bool(part.name) and is_object(arguments)
            built.append(ToolCall(id=part.call_id, name=part.name, arguments=arguments, valid=valid))
        elif part.opaque is not None:
            opaque = part.opaque
            built.append(Opaque(provider=wire, kind=opaque.kind, raw=opaque.raw, model=model))
        built.extend(part.citations)
        return built

    def _forget(self) -> None:
        self._parts.clear()
        self._logprobs.clear()
        self._safety.clear()
        self._vectors = ()
        self._turn = None
        self._counted = {}
        self.has_content = False
        self.finishing = False
        self.started = None
        self.finish = None
        self.ended = None
        self.failure = None
