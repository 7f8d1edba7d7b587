"""Own what happens while an answer is streamed: the canonical events of every wire.

`index` numbers the parts of the answer from 0, in the order in which they began. A decoder emits
`Started` at most once and first, `UsageReported` any number of times (the last one holds), and closes
with exactly one `Ended` or `StreamFailed`. Only `TextDelta`, `ReasoningDelta`, `RefusalDelta`,
`ToolCallStarted`, `ToolArgumentsDelta`, `CitationAdded`, `OpaqueAdded` and `VectorsReported` are *content*: the
others commit nothing, and pings never feed an idle timer.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from manus.messages.failures import Failed
from manus.messages.usage import Usage, VendorCounts

FinishReason = Literal[
    "stop",
    "length",
    "tool_calls",
    "content_filter",
    "refusal",
    "pause",
    "cancelled",
    "incomplete",
    "error",
    "unknown",
]

Evidence = Literal["marker", "finish_reason", "none"]
"""Why an end of stream is believed: the vendor's terminal marker; a finish reason and a clean end of
body, where the codec declares that enough; or nothing, and then it is not believed."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", omit_defaults=True, gc=False):
    """One thing that happened in an answer."""


class Started(Event, frozen=True, kw_only=True, tag="started", omit_defaults=True, gc=False):
    """The vendor has begun to answer: its own id for the answer and the model it says it is."""

    id: str | None = None
    model: str | None = None


class TextDelta(Event, frozen=True, kw_only=True, tag="text", omit_defaults=True, gc=False):
    """More text of part `index`."""

    text: str
    index: int = 0


class ReasoningDelta(Event, frozen=True, kw_only=True, tag="reasoning", omit_defaults=True, gc=False):
    """More thinking of part `index`."""

    text: str
    index: int = 0


class ReasoningSealed(Event, frozen=True, kw_only=True, tag="reasoning_sealed", omit_defaults=True, gc=False):
    """What the vendor wants back with the thinking of part `index`: fields that are set replace."""

    index: int
    signature: str | None = None
    encrypted: str | None = None
    redacted: str | None = None
    id: str | None = None


class RefusalDelta(Event, frozen=True, kw_only=True, tag="refusal", omit_defaults=True, gc=False):
    """More of the model's refusal."""

    text: str
    index: int = 0


class ToolCallStarted(Event, frozen=True, kw_only=True, tag="tool_call", omit_defaults=True, gc=False):
    """Part `index` is a tool call. `id` is the vendor's, or generated where it sends none."""

    index: int
    id: str
    name: str


class ToolArgumentsDelta(Event, frozen=True, kw_only=True, tag="tool_arguments", omit_defaults=True, gc=False):
    """More JSON text of the arguments of part `index`."""

    index: int
    json: str


class PartEnded(Event, frozen=True, kw_only=True, tag="part_ended", omit_defaults=True, gc=False):
    """Nothing more will come for part `index`."""

    index: int


class CitationAdded(Event, frozen=True, kw_only=True, tag="citation", omit_defaults=True):
    """A source was named for part `index`; `raw` is the vendor's object."""

    index: int = 0
    title: str | None = None
    url: str | None = None
    quote: str | None = None
    raw: msgspec.Raw = msgspec.Raw(b"null")


class OpaqueAdded(Event, frozen=True, kw_only=True, tag="opaque", omit_defaults=True):
    """A vendor's own part (server-side tool, audio) arrived whole as part `index`."""

    index: int
    kind: str
    raw: msgspec.Raw


class SafetyReported(Event, frozen=True, kw_only=True, tag="safety", omit_defaults=True):
    """The vendor's filter annotations, as its own JSON."""

    raw: msgspec.Raw


class LogprobsReported(Event, frozen=True, kw_only=True, tag="logprobs", omit_defaults=True):
    """Log probabilities of tokens just sent, as the vendor's own JSON."""

    raw: msgspec.Raw


class VectorsReported(Event, frozen=True, kw_only=True, tag="vectors", omit_defaults=True):
    """The vectors of an embedding, in the order of the inputs; each is float32, little-endian, packed."""

    vectors: tuple[bytes, ...]


class TurnReported(Event, frozen=True, kw_only=True, tag="turn", omit_defaults=True):
    """The vendor's own whole payload of this turn, to be replayed to the same wire and model.

    Only wires whose canonical parts cannot say all that the vendor wants back report it. It is no content.
    """

    raw: msgspec.Raw


class UsageReported(Event, frozen=True, kw_only=True, tag="usage", omit_defaults=True, gc=False):
    """Token counts so far; a later report replaces an earlier one.

    `usage.source` is `missing` where the vendor has not yet named both input and output. `counts` are
    its own words, where its answer has a usage object of the usual shape.
    """

    usage: Usage
    counts: VendorCounts | None = None


class FinishReported(Event, frozen=True, kw_only=True, tag="finish", omit_defaults=True, gc=False):
    """Why the model stopped, and the service tier that served it where the vendor says so."""

    reason: FinishReason
    raw: str | None = None
    detail: str | None = None
    stop_sequence: str | None = None
    service_tier: str | None = None


class Pinged(Event, frozen=True, kw_only=True, tag="ping", omit_defaults=True, gc=False):
    """A keep-alive. It proves that the wire is up, not that the model is."""


class WarningRaised(Event, frozen=True, kw_only=True, tag="warning", omit_defaults=True, gc=False):
    """Something was dropped or adapted; the answer is still good. Never holds a secret."""

    code: str
    message: str


class Reset(Event, frozen=True, kw_only=True, tag="reset", omit_defaults=True, gc=False):
    """Forget what was streamed: the answer starts anew at another deployment."""

    reason: str
    provider: str | None = None
    model: str | None = None


class Ended(Event, frozen=True, kw_only=True, tag="ended", omit_defaults=True, gc=False):
    """The body is over. `evidence` says whether that may be called a success."""

    evidence: Evidence


class StreamFailed(Event, frozen=True, kw_only=True, tag="stream_failed", omit_defaults=True, gc=False):
    """The vendor reported an error inside the answer, or the bytes made no sense."""

    failure: Failed


StreamEvent = (
    Started
    | TextDelta
    | ReasoningDelta
    | ReasoningSealed
    | RefusalDelta
    | ToolCallStarted
    | ToolArgumentsDelta
    | PartEnded
    | CitationAdded
    | OpaqueAdded
    | SafetyReported
    | LogprobsReported
    | VectorsReported
    | TurnReported
    | UsageReported
    | FinishReported
    | Pinged
    | WarningRaised
    | Reset
    | Ended
    | StreamFailed
)

CONTENT: tuple[type[Event], ...] = (
    TextDelta,
    ReasoningDelta,
    RefusalDelta,
    ToolCallStarted,
    ToolArgumentsDelta,
    CitationAdded,
    OpaqueAdded,
    VectorsReported,
)
"""The events that are part of the answer, and so commit a stream and feed its idle timer."""
