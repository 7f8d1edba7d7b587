"""Own what all calls of one provider incarnation share: where to send, through what, in which dialect.

`ProviderSpec` is what the wiring hands over, a value; `Upstream` is made from it inside an incarnation and dies with
it, so that a restart heals connections. `ProviderCounters` lives in the durable cell and survives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

import httpx
import msgspec

from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.credentials import Authorisation, Credentials, Headers
from manus.actors.dialect import Dialect, dialect_of
from manus.messages.calls import Call
from manus.messages.failures import Failed
from manus.messages.policy import Bounds, ProviderPolicy, Timeouts
from manus.supervisor.shield import bounded_shield

TransportFactory = Callable[[str], httpx.AsyncBaseTransport]
"""Makes the transport of one incarnation for a base URL; synchronous, and cheap, for a restart makes a new one."""

CLOSE_S = 1.0
"""How long closing may take; our own transport closes at once, a foreign one may have to wait."""

KNOWN_MAX = 64
"""Addresses, and headers, remembered per incarnation: one per path, and one per path and key, so there are few."""


class LocalServer(Protocol):
    """A model server on this machine that has to be up before it can be called."""

    async def ensure(self) -> str | Failed:
        """Start it if need be, wait until it is healthy, and give its base URL; or say why it is not to be had.

        It bounds its own waits. Cancelled (a caller left), it leaves the server starting for the next caller.
        """
        ...


class ProviderSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One provider entry as its actor needs it.

    Args:
        wire: which wire it speaks; where the vendor has two, the one that `wire_choice` starts from.
        base_url: where it is; None where `server` tells.
        options: the codec's, without the model's card.
        concurrency: calls in flight at once.
        queue: calls that may wait for a place; beyond that the router goes elsewhere.
        credentials: an object that shows the key and never tells it; of several keys, the first one's.
        keys: of an entry with several keys, what shows each, by its name in the books; a call names the one to show.
        transport_factory: makes an incarnation's connections.
        server: for `type = "local"`.
        now_unix_s: the wall clock, for hints that name a date.
        redact: strikes the entry's own secrets out of what a server says in a failure.
    """

    name: str
    wire: str
    policy: ProviderPolicy
    credentials: Credentials
    keys: Mapping[str, Credentials] = {}
    transport_factory: TransportFactory
    base_url: str | None = None
    server: LocalServer | None = None
    options: CodecOptions = CodecOptions()
    timeouts: Timeouts = Timeouts()
    bounds: Bounds = Bounds()
    concurrency: int = 64
    queue: int = 64
    now_unix_s: Callable[[], float] = time.time
    redact: Callable[[str], str] = str


class ProviderCounters:
    """What happened at one provider entry since the tree was built; each method is one synchronous mutation."""

    __slots__ = ("calls", "failures", "last_failure")

    def __init__(self) -> None:
        self.calls = 0
        self.failures = 0
        self.last_failure: str | None = None

    def itself(self) -> ProviderCounters:
        """Give these counters to another actor of the same entry, what failed last forgotten: it may be mended."""
        self.last_failure = None
        return self

    def count(self, failure: Failed | None) -> None:
        """Note the end of one call. The failure's kind is kept, never a text that could quote a request."""
        self.calls += 1
        if failure is not None and failure.kind != "cancelled":
            self.failures += 1
            self.last_failure = failure.kind if failure.status is None else f"{failure.kind} (HTTP {failure.status})"


class Upstream:
    """One incarnation's way to its provider.

    Closing it closes every connection, idle or not. A local server that came back at another address gets a new
    transport, and the connections to the old address are closed: nobody is there any more.
    """

    __slots__ = (
        "_base_url",
        "_known",
        "_options",
        "_transport",
        "_unlisted",
        "_urls",
        "counters",
        "spec",
        "transport_timeouts",
    )

    def __init__(self, spec: ProviderSpec, counters: ProviderCounters) -> None:
        if (spec.base_url is None) == (spec.server is None):
            raise ValueError(f"provider {spec.name!r} needs a base URL or a server of its own, and not both")
        self.spec = spec
        self.counters = counters
        timeouts = spec.timeouts
        # Reading has no limit of the transport's own: the call's scope covers headers, first content and idleness.
        self.transport_timeouts: dict[str, float | None] = {
            "connect": timeouts.connect_s,
            "tls": timeouts.tls_s,
            "write": timeouts.write_s,
            "pool": timeouts.connect_s,
            "headers": None,
            "read": None,
        }
        base = msgspec.structs.replace(spec.options, provider=spec.name, bounds=spec.bounds, card=None)
        self._options: dict[str | None, CodecOptions] = {None: base}
        for card in spec.policy.models:
            self._options[card.name] = msgspec.structs.replace(base, card=card)
        self._unlisted: dict[str, CodecOptions] = {}
        self._urls: dict[str, httpx.URL] = {}
        self._known: dict[tuple[str, str, Headers, Authorisation | None], httpx.Headers] = {}
        self._base_url: str | None = None
        self._transport: httpx.AsyncBaseTransport | None = None
        if spec.base_url is not None:
            self._go_to(spec.base_url)

    async def ready(self) -> httpx.AsyncBaseTransport | Failed:
        """Give the transport to send through; for a local server, once it is up. Else no checkpoint."""
        server = self.spec.server
        if server is not None:
            base_url = await server.ensure()
            if isinstance(base_url, Failed):
                return base_url
            if base_url != self._base_url:
                former = self._go_to(base_url)
                if former is not None:
                    with bounded_shield(CLOSE_S):
                        await former.aclose()
        assert self._transport is not None
        return self._transport

    def dialect_of(self, call: Call) -> Dialect:
        """Say how `call` is written and read."""
        spec = self.spec
        return dialect_of(spec.wire, call, self.options_for(call.model), spec.policy.on_unsupported)

    def options_for(self, model: str) -> CodecOptions:
        """Give the codec's options for `model`; one that is not listed is looked up, and remembered for a while."""
        known = self._options.get(model) or self._unlisted.get(model)
        if known is None:
            known = msgspec.structs.replace(self._options[None], card=self.spec.policy.unlisted(model))
            if len(self._unlisted) >= KNOWN_MAX:
                self._unlisted.clear()
            self._unlisted[model] = known
        return known

    def credentials_of(self, key: str | None) -> Credentials | None:
        """Give what shows `key`, or without a name the entry's credentials; None where it has no such key."""
        return self.spec.credentials if key is None else self.spec.keys.get(key)

    async def authorise(self, encoded: HttpRequest, key: str | None = None) -> Authorisation | Failed:
        """Ask the credentials to let in what the codec wrote; no checkpoint unless they have to fetch something.

        `key` names the key to show, of an entry that has several.
        """
        credentials = self.credentials_of(key)
        if credentials is None:
            message = f"The provider entry {self.spec.name!r} has no key with the fingerprint {key}."
            return Failed(kind="unavailable", message=message, safe_to_retry=True)
        return await credentials.authorise(encoded, self._url_of(encoded.path))

    def refused(self, authorisation: Authorisation, failure: Failed, key: str | None = None) -> Failed:
        """Tell who showed it that the vendor refused a key; gives the failure to report.

        Where the entry has several keys it names the one that `key` named. One that never changes is not shown again.
        """
        credentials = self.credentials_of(key)
        assert credentials is not None, "they authorised the request"
        failure = credentials.refused(authorisation, failure)
        if key is None:
            return failure
        return msgspec.structs.replace(failure, message=f"{failure.message} (key {key})")

    def request_of(
        self, encoded: HttpRequest, authorisation: Authorisation, extensions: dict[str, object]
    ) -> httpx.Request:
        """Address and dress what the codec wrote.

        httpx would parse the address and build the same headers for every call, at four times the cost. A signature
        is of one request, so of a signed one all but that is remembered.
        """
        url = self._url_of(encoded.path)
        key = (encoded.method, encoded.path, encoded.headers, None if authorisation.once else authorisation)
        known = self._known.get(key)
        if known is None:
            shown = () if authorisation.once else authorisation.headers
            bare = httpx.Request(encoded.method, url, headers=(*encoded.headers, *shown), content=b"")
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            known = self._known[key] = bare.headers
        headers = httpx.Headers(known)
        if authorisation.once:
            headers.update(authorisation.headers)
        if encoded.body:
            headers["content-length"] = str(len(encoded.body))
        body = httpx.ByteStream(encoded.body)
        request = httpx.Request(encoded.method, url, headers=headers, stream=body, extensions=extensions)
        request.read()  # so that a transport handed in by the user finds `request.content`, as with httpx's own client
        return request

    async def aclose(self) -> None:
        """Close every connection, within a bound, also when this task is being cancelled; fetch no more tokens."""
        self.spec.credentials.let_go()
        for credentials in self.spec.keys.values():
            credentials.let_go()
        if self._transport is not None:
            with bounded_shield(CLOSE_S):
                await self._transport.aclose()

    def _url_of(self, path: str) -> httpx.URL:
        """Give the address of `path`, parsed once."""
        url = self._urls.get(path)
        if url is None:
            if len(self._urls) >= KNOWN_MAX:
                self._urls.clear()
            url = self._urls[path] = httpx.URL(f"{self._base_url}{path}")
        return url

    def _go_to(self, base_url: str) -> httpx.AsyncBaseTransport | None:
        former, self._transport = self._transport, self.spec.transport_factory(base_url)
        self._base_url = base_url.rstrip("/")
        self._urls.clear()
        self._known.clear()
        return former


def reports_phases(transport: httpx.AsyncBaseTransport) -> bool:
    """Whether a transport calls `manus_phase`, and so tells when bytes leave; a foreign one does not."""
    return bool(getattr(transport, "reports_phases", False))
