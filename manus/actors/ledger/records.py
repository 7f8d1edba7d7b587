"""Own what is written down about an attempt: one record per step, and its bytes.

    AttemptReserved -> AttemptDispatched -> AttemptSettled | AttemptReleased | AttemptDoubted

A record stands alone: whoever reads them back needs no memory of the run that wrote them, and may read any
of them twice. The bytes are MessagePack arrays; a later version may add fields at the end, with a default.
"""

from __future__ import annotations

import msgspec

from manus.messages.ids import DeploymentId, RequestId, RequestKey
from manus.messages.usage import Usage

TEXT_BYTES_MAX = 256
"""What is kept of a finish or a reason: enough to say why, and a bound for the room an ending needs."""

VERSION_BYTES_MAX = 128
"""The same of a price's version."""

REQUEST_ID_BYTES_MAX = 128
"""A request id longer than this is refused at the reserve: every record repeats it."""

RESERVED_BYTES_MAX = 16 * 1024
"""An intent longer than this is refused: tags, keys and names are labels, not documents."""

ENDING_BYTES_MAX = 1024
"""Room that the dispatch and the ending of one attempt take at most, frames included."""

AttemptKey = tuple[RequestId, int]
"""What a row is known by within its run: the request's id and the attempt's number."""


class Record(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="record"):
    """What all records share. `at_unix_s` is wall time: the books are read by people and other processes."""

    request_id: RequestId
    attempt: int
    at_unix_s: float

    @property
    def key(self) -> AttemptKey:
        """Name the attempt that this record is about."""
        return (self.request_id, self.attempt)


class AttemptReserved(Record, frozen=True, kw_only=True, array_like=True, tag=1):
    """An attempt was admitted. `bound_cost_nano_usd` is the most it can cost, None where the price is unknown."""

    provider: str
    model: str
    deployment: DeploymentId
    bound: Usage
    estimate: Usage
    bound_cost_nano_usd: int | None
    estimate_cost_nano_usd: int | None
    price_version: str
    request_key: RequestKey | None = None
    conversation_id: str | None = None
    key_fingerprint: str | None = None
    tags: tuple[str, ...] = ()


class AttemptDispatched(Record, frozen=True, kw_only=True, array_like=True, tag=2):
    """The first byte was about to leave: from here on it may be billed. None leaves the key that the intent names."""

    key_fingerprint: str | None = None


class AttemptSettled(Record, frozen=True, kw_only=True, array_like=True, tag=3):
    """It used this much, at this cost (None where the price is unknown).

    `price_version` names the price where it was another than the intent's.
    """

    usage: Usage
    cost_nano_usd: int | None
    finish: str | None = None
    price_version: str | None = None


class AttemptReleased(Record, frozen=True, kw_only=True, array_like=True, tag=4):
    """Nothing was billed."""

    reason: str = ""


class AttemptDoubted(Record, frozen=True, kw_only=True, array_like=True, tag=5):
    """Nobody can say what was billed: `usage` and `cost_nano_usd` are the upper bound of it."""

    usage: Usage
    cost_nano_usd: int | None
    reason: str = ""


AttemptEnded = AttemptSettled | AttemptReleased | AttemptDoubted
AnyRecord = AttemptReserved | AttemptDispatched | AttemptSettled | AttemptReleased | AttemptDoubted

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyRecord] = msgspec.msgpack.Decoder(AnyRecord)


def encode(record: AnyRecord) -> bytes:
    """Give the bytes of `record`.

    Raises:
        UnicodeEncodeError: a text holds a lone surrogate.
    """
    return _encoder.encode(record)


def decode(payload: bytes) -> AnyRecord:
    """Give the record of `payload`.

    Raises:
        msgspec.MsgspecError: these bytes are no record of ours.
    """
    return _decoder.decode(payload)


def short_text(text: str, bytes_max: int = TEXT_BYTES_MAX) -> str:
    """Cut `text` to what a record keeps; what cannot be encoded is replaced, so that an ending never fails."""
    return text.encode("utf-8", "replace")[:bytes_max].decode("utf-8", "ignore")
