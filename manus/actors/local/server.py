"""Own a model server on this machine: started on demand, healthy before it is called, restarted when it dies.

`ensure` is what a provider actor asks before each call. A server that died is started again after a back-off; one
that cannot be started is not tried for every call, the reason is given again instead until its time has
come. The object outlives the actor's incarnations, and the server with it; `close` ends both.
"""

from __future__ import annotations

import signal
from urllib.parse import urlsplit

import trio
from msgspec.structs import replace

from manus.actors.codecs.error_facts import vendor_words
from manus.actors.local.command import local_command
from manus.actors.local.port import LOOPBACK, is_strangers, is_taken
from manus.actors.local.process import GuardedProcess
from manus.messages.failures import Failed
from manus.messages.policy import LocalPolicy

_LAST_WORDS_CHARS = 400
_STATUS_LINE_BYTES = 4096


class LocalServer:
    """One local model server. All methods belong to the loop's thread."""

    __slots__ = (
        "_attempts",
        "_checked_at",
        "_deaths",
        "_failure",
        "_healthy_since",
        "_lock",
        "_not_before",
        "_policy",
        "_port",
        "_process",
        "_started_at",
        "_url",
        "starts",
    )

    def __init__(self, policy: LocalPolicy) -> None:
        self._policy = policy
        self._lock = trio.Lock()
        self._process: GuardedProcess | None = None
        self._port: int | None = None
        self._url: str | None = None
        self._started_at = 0.0
        self._healthy_since: float | None = None
        self._checked_at = 0.0
        self._attempts = 0
        self._deaths = 0
        self._not_before = 0.0
        self._failure: Failed | None = None
        self.starts = 0
        """Processes started so far."""

    @property
    def policy(self) -> LocalPolicy:
        """How it is run."""
        return self._policy

    @property
    def pid(self) -> int | None:
        """The server's process id; None while there is none."""
        return self._process.pid if self._process is not None and self._process.look() else None

    @property
    def alive(self) -> bool:
        """Whether the server's process runs, healthy or not yet."""
        return self._process is not None and self._process.look()

    async def ensure(self) -> str | Failed:
        """Give the base URL of a healthy server, starting it if need be; or say why there is none.

        Without a checkpoint where the server is known to be healthy. Bounded by the policy's timeouts.
        A cancelled caller leaves the server starting for the next one; callers wait for one start together.
        """
        url = self._known_url()
        if url is not None:
            return url
        async with self._lock:
            url = self._known_url()
            if url is not None:
                return url
            return await self._brought_up()

    def close(self) -> None:
        """End the server now. Blocks until it is gone, which takes milliseconds; bounded by its grace."""
        process, self._process = self._process, None
        self._url = None
        self._healthy_since = None
        if process is not None:
            process.close()

    async def aclose(self) -> None:
        """Do the same without blocking the loop. Cancelled, it kills the server at once."""
        try:
            if self._process is not None:
                await self._process.aclose()
        finally:
            self.close()

    def _known_url(self) -> str | None:
        self._notice_death()
        if self._healthy_since is None or trio.current_time() - self._checked_at > self._policy.health_age_s:
            return None
        return self._url

    def _notice_death(self) -> None:
        process = self._process
        if process is None:
            return
        if not process.look() and self._healthy_since is not None:
            self._count_death(None)

    def _count_death(self, failure: Failed | None) -> None:
        """Forget the process. `failure` is what later callers are told until the back-off is over."""
        process, self._process = self._process, None
        if process is not None:
            process.close()
        now = trio.current_time()
        if self._healthy_since is not None and now - self._healthy_since >= self._policy.backoff_reset_s:
            self._deaths = 0
        wait_s = min(self._policy.backoff_max_s, self._policy.backoff_min_s * 2.0 ** min(self._deaths, 32))
        self._deaths += 1
        self._not_before = now + wait_s
        self._failure = failure
        self._healthy_since = None
        self._url = None
        self._attempts = 0

    async def _backed_off(self) -> Failed | None:
        wait_s = self._not_before - trio.current_time()
        if wait_s > 0 and self._failure is not None:
            return replace(self._failure, retry_after_s=wait_s)
        # It ran well and died: whoever comes waits for it, the usual cause is gone with the process.
        await trio.sleep(max(0.0, wait_s))
        return None

    async def _brought_up(self) -> str | Failed:
        while True:
            if self._process is None:
                failure = await self._backed_off() or await self._start()
                if failure is not None:
                    return failure
            if await self._until_healthy():
                self._failure = None
                assert self._url is not None
                return self._url
            # While this task waited for a health check, another may have found the server dead.
            if self._process is None or self._may_try_another_port() or self._died_in_service():
                continue
            process = self._process
            came_late = process.look()
            await process.aclose()
            failure = self._too_late() if came_late else _why_it_ended(process)
            self._count_death(failure)
            return failure

    async def _start(self) -> Failed | None:
        command = local_command(self._policy)
        if isinstance(command, Failed):
            return command
        try:
            process = await GuardedProcess.start(
                command.program, output_bytes=self._policy.output_bytes, grace_s=self._policy.grace_s
            )
        except OSError as error:
            return _unavailable(f"The guard of the local server cannot be run: {error.strerror}.")
        self._process = process
        self._port = command.port
        self._url = None
        self._started_at = trio.current_time()
        self._healthy_since = None
        self.starts += 1
        self._attempts += 1
        return None

    async def _until_healthy(self) -> bool:
        """Wait for the server's first 200, or the next one where the last is old; False when it will not come."""
        process = self._process
        assert process is not None
        policy = self._policy
        began = self._started_at if self._healthy_since is None else trio.current_time()
        while trio.current_time() - began <= policy.start_timeout_s:
            if not process.look():
                return False
            address = process.url if self._port is None else f"http://{LOOPBACK}:{self._port}"
            if address is not None and await _answers_200(address, policy.health_path, policy.health_timeout_s):
                if not process.look():
                    return False
                if not await self._is_strangers(process):
                    self._url = address + policy.api_path
                    self._checked_at = trio.current_time()
                    self._healthy_since = self._healthy_since or self._checked_at
                    return True
            await trio.sleep(policy.health_interval_s)
        return False

    async def _is_strangers(self, process: GuardedProcess) -> bool:
        # Our own server ends for want of the port, and is then started on another.
        if self._port is None or self._healthy_since is not None or not self._policy.own_port:
            return False
        return process.pid is None or await trio.to_thread.run_sync(
            is_strangers, self._port, process.pid, abandon_on_cancel=True
        )

    def _may_try_another_port(self) -> bool:
        process = self._process
        assert process is not None
        taken = process.ended and self._port is not None and is_taken(self._port)
        if not taken or self._attempts >= self._policy.port_attempts:
            return False
        process.close()
        self._process = None
        return True

    def _died_in_service(self) -> bool:
        if self._healthy_since is None or self.alive:
            return False
        self._count_death(None)
        return True

    def _too_late(self) -> Failed:
        return _unavailable(
            f"The local model server did not answer {self._policy.health_path} with 200 within "
            f"{self._policy.start_timeout_s:g} s and was ended. Raise start_timeout_s, or check health_path."
        )


def _why_it_ended(process: GuardedProcess) -> Failed:
    # Said only of a server that never was healthy: the output of one that was may hold prompts.
    words = vendor_words(process.output[-_LAST_WORDS_CHARS:])
    said = f" Its last words: {words}" if words else ""
    return _unavailable(f"The local model server {_ending(process.exit_code)} before it was healthy.{said}")


async def _answers_200(address: str, path: str, timeout_s: float) -> bool:
    split = urlsplit(address)
    request = f"GET {path} HTTP/1.0\r\nHost: {split.netloc}\r\n\r\n".encode()
    answer = b""
    with trio.move_on_after(timeout_s):
        try:
            async with await trio.open_tcp_stream(split.hostname or LOOPBACK, split.port or 80) as stream:
                await stream.send_all(request)
                while b"\n" not in answer and len(answer) < _STATUS_LINE_BYTES:
                    piece = await stream.receive_some()
                    if not piece:
                        break
                    answer += piece
        except (OSError, trio.BrokenResourceError):
            return False
    words = answer.split(b"\n", 1)[0].split()
    return len(words) >= 2 and words[0].startswith(b"HTTP/") and words[1] == b"200"


def _ending(exit_code: int | None) -> str:
    if exit_code is None:
        return "could not be run"
    if exit_code >= 0:
        return f"ended with code {exit_code}"
    try:
        return f"was killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was killed by signal {-exit_code}"


def _unavailable(message: str) -> Failed:
    return Failed(kind="unavailable", message=message, safe_to_retry=True, phase="connecting")
