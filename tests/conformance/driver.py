"""Own what the suite asks of a host: a blocking driver in the words of the protocol, whatever stands behind it.

A method has the protocol's name and takes its parameters; a result is plain data as JSON has it. So one suite runs
through a loop, a thread, a pipe, a socket and a client in another language.
"""

from __future__ import annotations

from typing import Any, Final, Literal, Protocol

import msgspec

from manus.errors import ConversationNotFoundError, InvalidRequestError, LLMError

Plain = dict[str, Any]  # Any: JSON as it comes, held against the reference's field by field

WAIT_S: Final = 60.0
"""How long any one answer may take; nothing here takes a tenth of it. What does is hung."""

StreamMethod = Literal["stream", "chat_stream"]


class HostError(Exception):
    """A call that failed, with what every host has to say about it.

    Attributes:
        told: `kind`, `provider`, `model`, `attempts`, `retry_after_s`, `partial`, `input_tokens`, `output_tokens`.
    """

    def __init__(self, message: str, told: Plain) -> None:
        super().__init__(f"{told['kind']}: {message}")
        self.told = told


class HostStream(Protocol):
    """A stream under way. For one thread at a time."""

    def next(self) -> Plain | None:
        """Give the next chunk, None after the last; the final one says nothing that the response does not, and is none.

        Raises:
            HostError: the request failed.
        """

    def response(self) -> Plain:
        """Read to the end, and give the whole response.

        Raises:
            HostError: the request failed.
        """

    def cancel(self) -> Plain:
        """End it now, and give the response with what had come and what it cost.

        Raises:
            HostError: it had failed before.
        """

    def abandon(self) -> None:
        """Leave it without a word to be had from it."""


class Driver(Protocol):
    """A host with one agent behind it. Its methods may be called from any number of threads."""

    def ask(self, method: str, **params: object) -> Plain:
        """Make a request and wait for its result.

        Raises:
            HostError: it failed.
        """

    def stream(self, method: StreamMethod, **params: object) -> HostStream:
        """Begin a stream. What is wrong with it is raised here or by its first `next`."""

    def shut_down(self) -> None:
        """End the agent in good order: requests in flight have the `drain_s` that it was opened with.

        Returns when it is over, and at once when it was over already.
        """


def error_told(error: LLMError) -> HostError:
    """Tell what a Python host's exception says."""
    kind: str | None = error.kind
    if isinstance(error, ConversationNotFoundError):
        kind = "no_such_conversation"
    elif kind is None and isinstance(error, InvalidRequestError):
        kind = "invalid_request"
    return HostError(
        str(error),
        {
            "kind": kind,
            "provider": error.provider,
            "model": error.model,
            "attempts": len(error.attempts),
            "retry_after_s": rounded(error.retry_after_s),
            "partial": error.partial_text,
            "input_tokens": error.usage.input_total,
            "output_tokens": error.usage.output,
        },
    )


def rounded(seconds: float | None) -> int | None:
    """Round a hint to whole seconds: hosts differ by how long the error was on its way."""
    return None if seconds is None else round(seconds)


def plain(value: object) -> Plain:
    """Give what a host's object says of itself as JSON has it, tuples and all."""
    told = value.to_dict() if hasattr(value, "to_dict") else value
    made: Plain = msgspec.json.decode(msgspec.json.encode(told))
    return made
