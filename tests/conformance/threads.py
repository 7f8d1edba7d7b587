"""Own the driving of a synchronous agent: the caller's thread is the host."""

from __future__ import annotations

from typing import Any, final

from manus.errors import LLMError
from tests.conformance.driver import HostStream, Plain, StreamMethod, error_told, plain
from tests.conformance.face import at_once, begun, shown, told


@final
class SyncDriver:
    """A `Driver` over `open_sync`. Any: the agent's public methods are all that is called."""

    def __init__(self, agent: Any) -> None:
        self._agent = agent

    def ask(self, method: str, **params: object) -> Plain:
        """See `Driver`."""
        try:
            answer = at_once(self._agent, method)
            return answer if answer is not None else told(method, params, begun(self._agent, method, params))
        except LLMError as error:
            raise error_told(error) from error

    def stream(self, method: StreamMethod, **params: object) -> HostStream:
        """See `Driver`."""
        try:
            return _SyncStream(begun(self._agent, method, params))
        except LLMError as error:
            raise error_told(error) from error

    def shut_down(self) -> None:
        """See `Driver`."""
        self._agent.shutdown()


@final
class _SyncStream:
    """A `HostStream` over a synchronous stream. Any: its public methods are all that is called."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def next(self) -> Plain | None:
        try:
            chunk = next(self._stream, None)
        except LLMError as error:
            raise error_told(error) from error
        return None if chunk is None else shown(chunk)

    def response(self) -> Plain:
        try:
            return plain(self._stream.response())
        except LLMError as error:
            raise error_told(error) from error

    def cancel(self) -> Plain:
        try:
            return plain(self._stream.cancel())
        except LLMError as error:
            raise error_told(error) from error

    def abandon(self) -> None:
        self._stream.close()
