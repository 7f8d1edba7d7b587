"""Own one attempt: a request encoded, sent, its answer decoded and delivered, and how that ended.

One cancel scope covers the attempt, the envelope's own; its deadline moves from one named wait to the next. The
transport owns the waits for a connection, TLS and writing; this file those for headers, the first content, idleness
between content, the end after a finish reason, and the total. Pings and keep-alives move nothing.

Every end but a bug is a value, `CallEnded`. The socket is closed or given back for reuse in every case.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping

import httpx
import msgspec
import trio

from manus.actors.assembly import Assembly
from manus.actors.call_failures import passed_over, redacted, stalled, timed_out, verdict_of, web_page
from manus.actors.codecs.base import Decoder, HttpRequest
from manus.actors.codecs.classify import request_id_of
from manus.actors.credentials import REFUSALS, Authorisation
from manus.actors.delivery import Delivery
from manus.actors.journey.patience import hurried
from manus.actors.metering import billed, usage_of_call
from manus.actors.response_facts import body_complete, lower_case
from manus.actors.transport_errors import failure_of
from manus.actors.upstream import CLOSE_S, Upstream, reports_phases
from manus.messages.calls import Call
from manus.messages.events import CONTENT, StreamEvent
from manus.messages.failures import Failed, TimeoutPhase
from manus.messages.outcomes import Answer, CallEnded, RateLimitReading
from manus.messages.usage import NO_USAGE
from manus.supervisor.envelope import LATER, Envelope
from manus.supervisor.phase import Phase
from manus.supervisor.shield import bounded_shield

IDLE_SLACK = 0.01
"""The deadline for more content is moved at most once per this share of `idle_s`, for moving it costs as much as
decoding a chunk. Idleness is noticed that much late, never early."""

LINGER_S = 0.25
"""How long, after the caller has its terminal, the end of the body is waited for so that the connection can be kept."""

_CONTENT = frozenset(CONTENT)


class ProviderCall:
    """One attempt at one deployment, for the task that handles its envelope."""

    __slots__ = (
        "_at_end",
        "_authorisation",
        "_body",
        "_call",
        "_decoder",
        "_delivery",
        "_dialect",
        "_env",
        "_error",
        "_hard",
        "_hard_name",
        "_headers",
        "_hurried",
        "_limits",
        "_started_at",
        "_status",
        "_timeouts",
        "_upstream",
        "_waiting_for",
    )

    def __init__(self, upstream: Upstream, env: Envelope, call: Call, delivery: Delivery) -> None:
        self._upstream = upstream
        self._env = env
        self._call = call
        self._delivery = delivery
        self._dialect = upstream.dialect_of(call)
        self._started_at = trio.current_time()
        total = self._started_at + upstream.spec.timeouts.total_s
        self._hard = min(total, env.deadline)
        self._timeouts, self._hurried = hurried(upstream.spec.timeouts, call, streamed=self._dialect.streamed)
        self._hard_name: TimeoutPhase | None = "total" if total < env.deadline else None
        self._waiting_for: TimeoutPhase | None = self._hard_name
        self._status: int | None = None
        self._headers: Mapping[str, str] = {}
        self._error = bytearray()
        self._limits: tuple[RateLimitReading, ...] = ()
        self._body: AsyncIterator[bytes] | None = None
        self._at_end = False
        self._decoder: Decoder | None = None  # of an answer that has named its finish reason
        self._authorisation: Authorisation | None = None

    async def run(self) -> object:
        """Make the attempt; gives a `CallEnded`, or `LATER` where that was given before the connection was let go.

        Cancelling the envelope's scope (its asker left) ends it with what was received; cancelling the actor passes
        through, after the socket has been closed.
        """
        encoded = self._dialect.encode()
        if isinstance(encoded, Failed):
            return self._ended(encoded)
        failure: Failed | None = None
        scope = self._env.scope
        if self._hard_name is not None:
            scope.deadline = self._hard
        with scope:
            failure = await self._exchange(encoded)
        if self._env.replied:
            return LATER
        if scope.cancelled_caught:
            failure = self._cut_short(trio.current_time() < scope.deadline)
            if failure is not None and failure.timeout == "finish" and await self._is_whole_without_end():
                failure = None
        return self._ended(failure)

    # --- the exchange -------------------------------------------------------------------------------

    async def _exchange(self, encoded: HttpRequest) -> Failed | None:
        """Send, read and decode. None: the answer is whole and on evidence."""
        upstream, delivery = self._upstream, self._delivery
        transport = await upstream.ready()
        if isinstance(transport, Failed):
            return transport
        authorisation = await upstream.authorise(encoded, self._call.key)
        if isinstance(authorisation, Failed):
            return authorisation
        # Credentials that had to be fetched may come in the tick in which nobody wants the call any more, or in which
        # the actor ends and its connections are closed.
        await trio.lowlevel.checkpoint_if_cancelled()
        self._authorisation = authorisation
        delivery.key_fingerprint = authorisation.fingerprint
        request = upstream.request_of(
            encoded,
            authorisation,
            {
                "timeout": upstream.transport_timeouts,
                "manus_phase": self._on_phase,
                "manus_body_bytes_max": None,  # the decoder bounds an answer, `_refused` an error
            },
        )
        try:
            if not reports_phases(transport):
                # A foreign transport does not say when bytes leave: from here on they may have.
                self._on_phase("sending")
                self._on_phase("sent")
            response = await transport.handle_async_request(request)
        except httpx.HTTPError as error:
            return failure_of(error, phase=delivery.phase)
        done = False
        try:
            failure = await self._read(response, encoded)
            if failure is None and not self._at_end and not body_complete(response):
                await self._linger()
            done = True
        finally:
            if not done:
                with bounded_shield(CLOSE_S):
                    await self._close(response)
        await self._close(response)
        return failure

    async def _read(self, response: httpx.Response, encoded: HttpRequest) -> Failed | None:
        upstream, call = self._upstream, self._call
        self._env.phase = Phase.SENT
        self._delivery.answered()
        self._headers = headers = lower_case(response.headers)
        self._limits = self._dialect.codec.rate_limits(headers)
        self._status = status = response.status_code
        assert isinstance(response.stream, httpx.AsyncByteStream)
        self._body = body = aiter(response.stream)
        if not 200 <= status < 300:
            return await self._refused(body)
        if headers.get("content-type", "").startswith("text/html"):
            return web_page()
        decoder = self._dialect.decoder(encoded, headers)
        self._delivery.begin(Assembly(self._dialect.codec.wire, call.model, upstream.spec.bounds))
        if encoded.warnings:
            self._delivery.deliver(list(encoded.warnings))
        try:
            return await self._decode(response, body, decoder)
        except httpx.HTTPError as error:
            return failure_of(error, phase=self._delivery.phase)

    async def _decode(self, response: httpx.Response, body: AsyncIterator[bytes], decoder: Decoder) -> Failed | None:
        """Read the body to its terminal event; one list of events per socket read."""
        timeouts = self._timeouts
        idle_s, slack_s = timeouts.idle_s, timeouts.idle_s * IDLE_SLACK
        move_at = 0.0
        streamed = self._dialect.streamed
        if streamed:
            self._expect("first_content", timeouts.first_content_s)
        elif not body_complete(response):
            self._expect("idle", idle_s)
        deliver, feed = self._delivery.deliver, decoder.feed
        async for data in body:
            events = feed(data)
            if events and not deliver(events) and not await self._wait_for_reader():
                return stalled()
            if decoder.done:
                break
            if streamed and decoder.finishing:
                if self._decoder is None or _has_content(events):
                    self._decoder = decoder
                    self._delivery.finishes()
                    self._expect("finish", timeouts.finish_s)
                continue
            # An answer that is not streamed has no content before its end: there any byte is a sign of life.
            if _has_content(events) if streamed else not body_complete(response):
                now = trio.current_time()
                if now >= move_at:
                    move_at = now + slack_s
                    self._expect("idle", idle_s + slack_s)
        else:
            self._at_end = True
            events = decoder.finish()
            if events and not deliver(events) and not await self._wait_for_reader():
                return stalled()
        failure = verdict_of(self._delivery.assembly)
        if failure is None and not self._delivery.flush_held() and not await self._wait_for_reader():
            return stalled()
        return failure

    async def _refused(self, body: AsyncIterator[bytes]) -> Failed:
        """Read what the vendor says about an error, as far as the bound goes."""
        self._expect("idle", self._timeouts.idle_s)
        try:
            async for data in body:
                self._error += data
                if len(self._error) >= self._upstream.spec.bounds.error_bytes:
                    break
        except httpx.HTTPError:
            pass  # The status is known, and that is what the failure is about.
        return self._refusal()

    async def _wait_for_reader(self) -> bool:
        """Wait until the caller has room; False where it does not read. No wait on the vendor goes on meanwhile."""
        env, began_at = self._env, trio.current_time()
        if not env.scope.cancel_called:
            env.scope.deadline, self._waiting_for = env.deadline, None
        if not await self._delivery.wait_room():
            return False
        self._hard = min(self._hard + trio.current_time() - began_at, env.deadline)
        self._hard_name = self._hard_name if self._hard < env.deadline else None
        if self._decoder is None:
            self._expect("idle", self._timeouts.idle_s)
        else:
            self._expect("finish", self._timeouts.finish_s)
        return True

    async def _linger(self) -> None:
        """Give the answer, then read to the end of the body, so that the connection can serve another call."""
        self._env.reply(self._ended(None))
        self._env.scope.deadline = trio.current_time() + LINGER_S
        assert self._body is not None
        try:
            async for _ in self._body:
                pass
        except httpx.HTTPError:
            pass  # The answer was whole; a connection that breaks now is only not kept.

    async def _close(self, response: httpx.Response) -> None:
        """Let the connection go: for reuse after the end of the body, else closed.

        The stream itself is closed, not the `httpx.Response` around it, which would only do the same more slowly.
        """
        stream, body = response.stream, self._body
        # A body may hold its request, which holds `_on_phase` and so this call: a ring that only the collector frees.
        self._body = None
        assert isinstance(stream, httpx.AsyncByteStream)
        if isinstance(body, AsyncGenerator):
            await body.aclose()
        await stream.aclose()

    # --- deadlines and phases -----------------------------------------------------------------------

    def _on_phase(self, name: str) -> None:
        """Called by the transport, synchronously, before it connects and sends and when the request has left."""
        if self._delivery.fenced:
            # The router has booked this attempt as it stood. It must not go any further, whoever lets it still run.
            raise httpx.WriteError("the attempt is over")
        if name == "sending":
            self._env.phase = Phase.SENDING
            self._delivery.advance("sending")
        elif name == "sent":
            self._env.phase = Phase.SENT
            self._delivery.advance("sent")
            timeouts = self._timeouts
            self._expect("headers", timeouts.headers_s if self._dialect.streamed else timeouts.answer_s)
        else:
            self._delivery.advance("connecting")

    def _expect(self, what: TimeoutPhase, within_s: float) -> None:
        """Move the deadline: `what` has to come within so many seconds, or before the attempt's own end.

        One that has passed is not moved, even if what it was for has come in the same moment or behind a shield:
        `Cancelled` is on its way, and whoever meets it has to see that nobody left.
        """
        if self._env.scope.cancel_called:
            return
        at = trio.current_time() + within_s
        if at < self._hard:
            self._waiting_for = what
        else:
            at = self._hard
            self._waiting_for = self._hard_name
        self._env.scope.deadline = at

    # --- how it ended -------------------------------------------------------------------------------

    def _cut_short(self, in_time: bool) -> Failed:
        """Say why the scope was cancelled: a named wait ran out, the request's deadline came, or the caller left."""
        if in_time:
            return Failed(kind="cancelled", message="The caller left.")
        if self._status is not None and not 200 <= self._status < 300:
            return self._refusal()  # only the text of a refusal was still to come
        waited_for = self._waiting_for
        if waited_for is None:
            return Failed(kind="deadline", message="The request's deadline passed while this attempt ran.")
        after_s = trio.current_time() - self._started_at
        if waited_for in self._hurried:
            return passed_over(waited_for, after_s=after_s)
        return timed_out(waited_for, after_s=after_s)

    async def _is_whole_without_end(self) -> bool:
        """Whether the finish reason is all that the codec needs to believe an answer; then that ends it."""
        assert self._decoder is not None
        delivery = self._delivery
        has_room = delivery.deliver(self._decoder.finish())
        if verdict_of(delivery.assembly) is not None:
            return False
        if delivery.flush_held() and has_room:
            return True
        with trio.CancelScope(deadline=self._hard):
            return await delivery.wait_room()
        return False

    def _refusal(self) -> Failed:
        assert self._status is not None
        upstream = self._upstream
        return self._dialect.codec.failure(
            self._status, self._headers, bytes(self._error), now_unix_s=upstream.spec.now_unix_s()
        )

    def _ended(self, failure: Failed | None) -> CallEnded:
        """Draw the line: the answer as far as it came, the failure with its circumstances, and the bill."""
        upstream, delivery, call = self._upstream, self._delivery, self._call
        assembly = delivery.assembly
        sent = delivery.phase in ("sent", "streaming")
        bill = billed(failure, sent=sent, status=self._status, assembly=assembly, wire=self._dialect.codec.wire)
        usage = NO_USAGE
        if bill in ("reported", "estimated"):
            usage = usage_of_call(assembly, call)
        failure = self._told_credentials(failure)
        redact = upstream.spec.redact
        request_id = request_id_of(self._headers)
        if request_id is not None:
            request_id = redact(request_id)
        answer = Answer() if assembly is None else assembly.answer()
        if answer.usage != usage or request_id is not None:
            answer = msgspec.structs.replace(answer, usage=usage, vendor_request_id=request_id)
        if failure is not None:
            failure = redacted(failure, redact)
            if self._authorisation is not None:
                failure = redacted(failure, self._authorisation.strike_out)
            failure = msgspec.structs.replace(
                failure,
                phase=delivery.phase,
                safe_to_retry=bill == "no",
                provider=upstream.spec.name,
                model=call.model,
                vendor_request_id=failure.vendor_request_id or request_id,
            )
        first = delivery.first_content_at
        upstream.counters.count(failure)
        return CallEnded(
            answer=answer,
            failure=failure,
            billed=bill,
            first_content_s=None if first is None else first - self._started_at,
            rate_limits=self._limits,
        )

    def _told_credentials(self, failure: Failed | None) -> Failed | None:
        """Tell the credentials what the vendor said of the key; they may have better advice than to give up."""
        authorisation = self._authorisation
        if failure is None or failure.kind not in REFUSALS or authorisation is None:
            return failure
        return self._upstream.refused(authorisation, failure, self._call.key)


def _has_content(events: list[StreamEvent]) -> bool:
    return any(type(event) in _CONTENT for event in events)
