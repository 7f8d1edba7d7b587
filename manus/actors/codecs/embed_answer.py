"""Own the decoding that all embedding answers share: gather the body, check the vectors, give the events.

A vector travels as packed float32, little-endian: what OpenAI's base64 is made of, and half the size of doubles whose
other half no model fills. Each wire's own file reads its body into an `EmbedAnswer`.
"""

from __future__ import annotations

import binascii
import math
import sys
from array import array
from collections.abc import Callable, Sequence

import msgspec

from manus.actors.codecs.classify import protocol_failure
from manus.actors.codecs.json_text import MALFORMED_ERRORS, well_formed
from manus.messages.events import (
    Ended,
    FinishReported,
    Started,
    StreamEvent,
    StreamFailed,
    UsageReported,
    VectorsReported,
)
from manus.messages.failures import Failed
from manus.messages.policy import Bounds
from manus.messages.usage import Usage, VendorCounts

FLOAT_BYTES = 4

EMBED_HEADERS = (("content-type", "application/json"), ("accept", "application/json"))


class EmbedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a wire's reader found in the body of a success. `input_tokens` is None where the vendor counts nothing."""

    vectors: tuple[bytes, ...]
    input_tokens: int | None = None
    id: str | None = None
    model: str | None = None


class EmbedDecoder:
    """Decodes one answer, which always comes in one piece.

    Args:
        read: reads the whole body; may raise what parsing raises (`MALFORMED_ERRORS`), or give a failure.
        inputs: how many vectors there have to be.
        dimensions: how long they have to be, None where nobody asked.
    """

    __slots__ = ("_body", "_bounds", "_dimensions", "_inputs", "_read", "_size_bytes", "done")

    def __init__(
        self, read: Callable[[bytes], EmbedAnswer | Failed], *, inputs: int, dimensions: int | None, bounds: Bounds
    ) -> None:
        self._read = read
        self._inputs = inputs
        self._dimensions = dimensions
        self._bounds = bounds
        self._body: list[bytes] = []
        self._size_bytes = 0
        self.done = False

    @property
    def finishing(self) -> bool:
        """An answer in one piece never has only its end to come."""
        return False

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take the next bytes; gives nothing but the failure of a body that is too long."""
        if self.done:
            return []
        self._size_bytes += len(data)
        if self._size_bytes > self._bounds.response_bytes:
            self._body.clear()
            bound = self._bounds.response_bytes
            return self._failed(protocol_failure(f"The answer is longer than {bound} bytes (response_bytes)."))
        self._body.append(data)
        return []

    def finish(self) -> list[StreamEvent]:
        """Take the end of the body, and give all that is in it."""
        if self.done:
            return []
        body = b"".join(self._body)
        self._body.clear()
        try:
            answer = self._read(body)
        except MALFORMED_ERRORS:
            page = body.lstrip().startswith(b"<")
            what = "a web page. Check base_url" if page else "something that is no list of vectors"
            return self._failed(protocol_failure(f"The server answered with {what}."))
        if isinstance(answer, Failed):
            return self._failed(answer)
        return self._take(answer)

    def _take(self, answer: EmbedAnswer) -> list[StreamEvent]:
        vectors = answer.vectors
        if len(vectors) != self._inputs:
            message = f"The server gave {len(vectors)} vectors for {self._inputs} inputs."
            return self._failed(protocol_failure(message))
        sizes = {len(vector) for vector in vectors}
        if len(sizes) != 1 or not min(sizes) or min(sizes) % FLOAT_BYTES or not all(map(_is_finite, vectors)):
            return self._failed(protocol_failure("The server gave vectors that are empty, uneven or no numbers."))
        events: list[StreamEvent] = []
        if answer.id or answer.model:
            events.append(Started(id=_told(answer.id), model=_told(answer.model)))
        events.append(VectorsReported(vectors=vectors))
        if answer.input_tokens is not None:
            tokens = max(0, answer.input_tokens)
            usage = Usage(input_uncached=tokens, source="reported")
            events.append(UsageReported(usage=usage, counts=VendorCounts(input=answer.input_tokens)))
        dimensions = min(sizes) // FLOAT_BYTES
        if self._dimensions not in (None, dimensions):
            return [*events, *self._failed(_other_dimensions(dimensions, self._dimensions))]
        self.done = True
        return [*events, FinishReported(reason="stop"), Ended(evidence="marker")]

    def _failed(self, failure: Failed) -> list[StreamEvent]:
        self.done = True
        return [StreamFailed(failure=failure)]


def packed(numbers: Sequence[float]) -> bytes:
    """Pack numbers as float32, little-endian. What float32 cannot hold becomes infinite, and is found later."""
    vector = array("f", numbers)
    if sys.byteorder == "big":
        vector.byteswap()
    return vector.tobytes()


def packed_base64(text: str) -> bytes:
    """Read base64 of packed float32.

    Raises:
        ValueError: it is no base64.
    """
    return binascii.a2b_base64(text, strict_mode=True)


def unpacked(vector: bytes) -> array[float]:
    """Give a packed vector as numbers: a sequence of floats that is also a buffer."""
    numbers = array("f")
    numbers.frombytes(vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _is_finite(vector: bytes) -> bool:
    # The highest byte of infinities and NaN is 7F or FF, and so is that of numbers nobody uses: a vector without one
    # needs no second look, which would cost more than all the rest.
    highest = vector[3::FLOAT_BYTES]
    if len(vector) % FLOAT_BYTES == 0 and b"\x7f" not in highest and b"\xff" not in highest:
        return True
    # Infinities and NaN carry over into a sum, which doubles hold for any number of float32.
    return len(vector) % FLOAT_BYTES == 0 and math.isfinite(sum(unpacked(vector)))


def _told(text: str | None) -> str | None:
    return well_formed(text) if text else None


def _other_dimensions(given: int, asked: int | None) -> Failed:
    return Failed(
        kind="unsupported",
        param="dimensions",
        phase="streaming",
        message=f"The model gave vectors of {given} dimensions and not of {asked}: it cannot shorten them. "
        "Leave `dimensions` out, or choose another model.",
    )
