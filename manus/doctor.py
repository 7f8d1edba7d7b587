"""Own the examination of providers: from the configuration over name, connection and key to the models, free of cost.

Nothing that a vendor bills is asked: a list of models, and at Azure a question so empty that it is refused. Every
provider is examined at the same time, each within a bound, through the transport and credentials that calls use.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import httpx
import msgspec
import trio

from manus.actors.call_failures import redacted
from manus.actors.codecs import codec_for
from manus.actors.codecs.azure_paths import deployment_path
from manus.actors.codecs.base import HttpRequest
from manus.actors.credentials import Authorisation, Credentials
from manus.actors.credentials.aws import Signed
from manus.actors.http1.resolve import addresses_without_resolver
from manus.actors.http1.sockets import SocketAddress, connect_tcp
from manus.actors.http1.stock import StockTransport
from manus.actors.http1.tls import TlsStream, shared_ssl_context
from manus.actors.local.command import local_command
from manus.actors.small_exchange import SmallAnswer, ask_small
from manus.actors.upstream import CLOSE_S, ProviderSpec
from manus.checkup import Check, Checkup, State, clock_check, deployment_check, model_check, refusal_check
from manus.config.check import check_config
from manus.config.policies import local_policy
from manus.config.problems import child_path, warnings_of
from manus.config.schema import LLMConfig, ProviderConfig
from manus.messages.failures import Failed
from manus.proving import BEARER_VARIABLE, bearer_of_environment, credentials_of
from manus.supervisor.exits import open_bare_nursery
from manus.supervisor.shield import bounded_shield

LIMIT_S: Final = 20.0
"""How long one provider is examined; what is not known by then is said to be unknown."""

LIST_BYTES_MAX: Final = 16 * 1024 * 1024
"""What is read of a list of models: the longest known has seven hundred, in about a megabyte."""


async def examine_all(
    config: LLMConfig,
    specs: Iterable[ProviderSpec],
    *,
    base: Path,
    limit_s: float = LIMIT_S,
    now_unix_s: Callable[[], float] = time.time,
) -> tuple[Checkup, ...]:
    """Examine every provider of `specs`, all at once; gives them in their order.

    Args:
        config: where they came from.
        specs: what the wiring made of its enabled entries.
        base: where the configuration's relative paths start.
        limit_s: how long one of them may take.
        now_unix_s: the wall clock.
    """
    found: dict[str, Checkup] = {}
    ordered = tuple(specs)

    async def examine(spec: ProviderSpec) -> None:
        examination = Examination(config, spec, base=base, now_unix_s=now_unix_s)
        found[spec.name] = await examination.run(limit_s)

    async with open_bare_nursery() as nursery:  # so that Ctrl-C comes out as itself
        for spec in ordered:
            nursery.start_soon(examine, spec)
    return tuple(found[spec.name] for spec in ordered)


class Examination:
    """One provider being examined."""

    def __init__(self, config: LLMConfig, spec: ProviderSpec, *, base: Path, now_unix_s: Callable[[], float]) -> None:
        self._config = config
        self._spec = spec
        self._entry = config.providers[spec.name]
        self._base = base
        self._now = now_unix_s
        self._type = spec.policy.type
        self._codec = codec_for(spec.wire)
        self._options = msgspec.structs.replace(spec.options, provider=spec.name)
        self._checks: list[Check] = []
        self._doing = "configuration"
        self._answered_at = 0.0

    async def run(self, limit_s: float) -> Checkup:
        """Examine it; gives what was found within `limit_s`, and says at what it stopped."""
        with trio.move_on_after(limit_s) as scope:
            self._configuration()
            if self._type == "local":
                self._local_server()
            else:
                await self._remote_server()
        if scope.cancelled_caught:
            found = f"no answer within {limit_s:g} s"
            self._add(self._doing, "failed", found, "check the network and the server; it hangs, or is very slow")
        address = self._spec.base_url or "this machine"
        return Checkup(provider=self._spec.name, type=self._type, address=address, checks=tuple(self._checks))

    def _add(self, name: str, state: State, found: str, mend: str = "") -> None:
        redact = self._spec.redact
        self._checks.append(Check(name=name, state=state, found=redact(found), mend=redact(mend)))

    # --- what needs no network ------------------------------------------------------------------------

    def _configuration(self) -> None:
        place = child_path("providers", self._spec.name)
        warnings = [
            problem
            for problem in warnings_of(check_config(self._config).problems)
            if problem.path == place or problem.path.startswith(f"{place}.")
        ]
        for problem in warnings:
            self._add("configuration", "warning", f"{problem.path}: {problem.message}")
        if not warnings:
            self._add("configuration", "ok", "no problems")

    def _local_server(self) -> None:
        """See whether the server could be started; starting it would take memory and time."""
        command = local_command(local_policy(self._entry, base=self._base))
        if isinstance(command, Failed):
            self._add("server", "failed", command.message, "install what is missing, or write enabled = false")
            return
        self._add("server", "ok", "can be started; it is not started for this")
        for card in self._spec.policy.models:
            self._add(f"model {card.name}", "unknown", "cannot tell before the server runs")

    # --- what does ------------------------------------------------------------------------------------

    async def _remote_server(self) -> None:
        listing = self._codec.list_models_request(self._options)
        assert self._spec.base_url is not None
        url = httpx.URL(listing.url_at(self._spec.base_url))
        shown: list[Authorisation] = []
        self._doing = "credentials"
        for source, credentials in self._credentials():
            authorisation = await self._authorised(source, credentials, listing, url)
            if authorisation is not None:
                shown.append(authorisation)
        transport = self._spec.transport_factory(_origin_and_path(url))
        try:
            if isinstance(transport, StockTransport):
                self._add("reachable", "skipped", "a proxy stands between; the next check goes through it")
            elif not await self._reachable(url):
                return
            listed: tuple[str, ...] | None = None
            for number, authorisation in enumerate(shown):
                which = f"key {authorisation.fingerprint}: " if len(shown) > 1 else ""
                answered = await self._listed(transport, listing, url, authorisation, which, first=number == 0)
                listed = answered if listed is None else listed
            if listed is not None:
                await self._models(transport, listed, shown)
        finally:
            with bounded_shield(CLOSE_S):
                await transport.aclose()

    def _credentials(self) -> list[tuple[str, Credentials]]:
        """Give every key by itself, with where it is from; what several keys have in common is not of interest here."""
        entry = self._entry
        if entry.api_keys:
            return [(each.key.source, self._with(entry, api_keys=(), api_key=each.key)) for each in entry.api_keys]
        return [(source_of(self._type, entry), self._with(entry))]

    def _with(self, entry: ProviderConfig, **changes: object) -> Credentials:
        changed = msgspec.structs.replace(entry, **changes)
        return credentials_of(self._spec.name, self._type, changed, now_unix_s=self._now)

    async def _authorised(
        self, source: str, credentials: Credentials, listing: HttpRequest, url: httpx.URL
    ) -> Authorisation | None:
        try:
            authorisation = await credentials.authorise(listing, url)
        finally:
            credentials.let_go()
        if isinstance(authorisation, Failed):
            self._add("credentials", "failed", f"{source}: there are none", authorisation.message)
            return None
        found = source
        if authorisation.fingerprint is not None:
            found += f", fingerprint {authorisation.fingerprint}"
        expires_at = credentials.expires_at_unix_s
        if expires_at is not None:
            found += f", expires in {max(0.0, expires_at - self._now()) / 60:.0f} min"
        self._add("credentials", "ok", found)
        return authorisation

    async def _reachable(self, url: httpx.URL) -> bool:
        """Resolve the name, connect, shake hands: each told by its own name."""
        host = url.host
        port = url.port or (443 if url.scheme == "https" else 80)
        timeouts = self._spec.timeouts
        began = trio.current_time()
        self._doing = "name"
        try:
            addresses = await _addresses_of(host, port)
        except OSError:
            self._add(
                "name", "failed", f"{host} has no address", "check `base_url` and the network: is this machine offline?"
            )
            return False
        self._doing = "connection"
        try:
            with trio.fail_after(timeouts.connect_s):
                stream = await connect_tcp(addresses)
        except (OSError, trio.TooSlowError) as error:
            why = getattr(error, "strerror", None) or f"no answer within {timeouts.connect_s:g} s"
            mend = "check `base_url`: is the server running, does a firewall stand between?"
            self._add("connection", "failed", f"{host} port {port}: {why}", mend)
            return False
        self._doing = "TLS"
        try:
            if url.scheme == "https" and not await self._shakes_hands(TlsStream(stream, self._trusted(), host)):
                return False
        finally:
            stream.close()
        self._add("reachable", "ok", f"{host} port {port}, {(trio.current_time() - began) * 1000:.0f} ms")
        return True

    def _trusted(self) -> ssl.SSLContext:
        entry = self._entry
        return shared_ssl_context(entry.verify if entry.ca_file is None else str(self._base / entry.ca_file))

    async def _shakes_hands(self, tls: TlsStream) -> bool:
        timeouts = self._spec.timeouts
        try:
            with trio.fail_after(timeouts.tls_s):
                await tls.handshake()
            return True
        except ssl.SSLCertVerificationError as error:
            found = f"the certificate is not trusted: {error.verify_message}"
            mend = "check the host in `base_url` and this machine's clock; own authorities go into `ca_file`"
        except ssl.SSLError as error:
            found, mend = f"no handshake ({error.reason or 'TLS error'})", "does the server speak https on this port?"
        except trio.TooSlowError:
            found, mend = f"no handshake within {timeouts.tls_s:g} s", "does the server speak https on this port?"
        except (OSError, trio.BrokenResourceError):
            found, mend = "the connection broke during the handshake", "does the server speak https on this port?"
        self._add("TLS", "failed", found, mend)
        return False

    async def _listed(
        self,
        transport: httpx.AsyncBaseTransport,
        listing: HttpRequest,
        url: httpx.URL,
        authorisation: Authorisation,
        which: str,
        *,
        first: bool,
    ) -> tuple[str, ...] | None:
        """Ask for the list of models; gives it, and None where there was none."""
        self._doing = "authenticated"
        answer = await self._exchange(transport, listing, url, authorisation)
        if isinstance(answer, Failed):
            self._add("authenticated", "failed", f"{which}{answer.message}", "check `base_url`, proxy and network")
            return None
        if first:
            signs = isinstance(authorisation.inner or authorisation, Signed)
            self._checks.append(clock_check(answer.headers.get("date"), self._answered_at, signs=signs))
        status = answer.status
        if not 200 <= status < 300:
            failure = self._codec.failure(status, answer.headers, answer.body, now_unix_s=self._now())
            for redact in (self._spec.redact, authorisation.strike_out):
                failure = redacted(failure, redact)
            check = refusal_check(failure.kind, status, failure, vendor_type=self._type)
            self._checks.append(msgspec.structs.replace(check, found=f"{which}{check.found}"))
            return None
        listed = self._codec.decode_models(answer.body)
        if not listed:
            mend = "nothing, if this server has no list of models; else check the path in `base_url`"
            self._add("authenticated", "unknown", f"{which}the answer lists no models", mend)
            return None
        self._add("authenticated", "ok", f"{which}let in; {len(listed)} models listed")
        return listed

    async def _models(
        self, transport: httpx.AsyncBaseTransport, listed: tuple[str, ...], shown: list[Authorisation]
    ) -> None:
        for card in self._spec.policy.models:
            self._doing = f"model {card.name}"
            if self._type == "azure":
                self._checks.append(await self._deployment(transport, card.name, shown[0]))
            else:
                self._checks.append(model_check(card.name, listed, vendor_type=self._type))

    async def _deployment(self, transport: httpx.AsyncBaseTransport, model: str, authorisation: Authorisation) -> Check:
        """Ask a deployment nothing at all: it is refused before any work, and costs nothing (azure.md, section 7)."""
        body = msgspec.json.encode({"model": model, "messages": []})
        headers = (("content-type", "application/json"),)
        path = deployment_path("chat/completions", model, self._options)
        question = HttpRequest(method="POST", path=path, headers=headers, body=body)
        assert self._spec.base_url is not None
        url = httpx.URL(question.url_at(self._spec.base_url))
        answer = await self._exchange(transport, question, url, authorisation)
        if isinstance(answer, Failed):
            return model_check(model, (), vendor_type=self._type)
        failure = self._codec.failure(answer.status, answer.headers, answer.body, now_unix_s=self._now())
        return deployment_check(model, answer.status, failure.code)

    async def _exchange(
        self, transport: httpx.AsyncBaseTransport, encoded: HttpRequest, url: httpx.URL, authorisation: Authorisation
    ) -> SmallAnswer | Failed:
        """Send one small request and read its answer, within the bound of the examination."""
        timeouts = self._spec.timeouts
        extensions: dict[str, object] = {
            "timeout": {"connect": timeouts.connect_s, "tls": timeouts.tls_s, "write": timeouts.write_s, "pool": None}
        }
        request = httpx.Request(
            encoded.method,
            url,
            headers=(*encoded.headers, *authorisation.headers),
            content=encoded.body or None,
            extensions=extensions,
        )
        answer = await ask_small(transport, request, bytes_max=LIST_BYTES_MAX)
        self._answered_at = self._now()
        if isinstance(answer, SmallAnswer) and not answer.whole:
            return Failed(kind="protocol", message="The answer is far too long to be a list of models.")
        return answer


def source_of(kind: str, entry: ProviderConfig) -> str:
    """Say in a few words where what an entry shows comes from; never what it is."""
    for field in ("api_key", "auth_token", "aws_access_key_id"):
        secret = getattr(entry, field)
        if secret is not None:
            return f"{field} from {secret.source}"
    if entry.entra:
        return "Microsoft Entra ID"
    if kind == "bedrock" and entry.profile is not None:
        return f"the AWS profile {entry.profile}"
    if kind == "bedrock":
        return "the AWS credential chain" if bearer_of_environment(entry) is None else f"${{{BEARER_VARIABLE}}}"
    return "headers" if entry.headers else "none needed"


async def _addresses_of(host: str, port: int) -> tuple[SocketAddress, ...]:
    known = addresses_without_resolver(host, port)
    if known:
        return known
    found = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_STREAM)
    return tuple(SocketAddress(family, sockaddr) for family, _, _, _, sockaddr in found)  # type: ignore[arg-type]


def _origin_and_path(url: httpx.URL) -> str:
    """Spell a URL without its query, as a transport wants its base."""
    return str(url.copy_with(query=None))
