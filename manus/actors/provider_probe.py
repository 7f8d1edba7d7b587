"""Own the free probe of one provider: its list of models, asked for through the actor's own connections and key.

Never billed, and no call: it is neither in the books nor in the counts. It proves the way there and the key; whether
models answer is for a request to find out.
"""

from __future__ import annotations

from typing import Final

import msgspec
import trio

from manus.actors.call_failures import redacted, web_page
from manus.actors.codecs import codec_for
from manus.actors.credentials import REFUSALS
from manus.actors.small_exchange import ask_small
from manus.actors.upstream import Upstream
from manus.messages.calls import ProbeAsked, Probed
from manus.messages.failures import Failed
from manus.supervisor.envelope import Envelope

PROBE_S: Final = 5.0
"""How long a list of models may take, connection included: it needs no model, so a healthy vendor is far quicker."""

BODY_BYTES_MAX: Final = 64 * 1024
"""How much of it is read: enough for the words of a refusal; a list that is longer has proved its point by then."""

NO_LIST: Final = frozenset({404, 405, 501})
"""What servers answer that have no list of models."""

NOTHING_LEARNT: Final = Probed(supported=False)


async def answer_probe(upstream: Upstream, env: Envelope, asked: ProbeAsked) -> Probed:
    """Try the vendor for at most `PROBE_S`; within the envelope's scope, so that it ends when nobody listens."""
    probed = Probed(failure=Failed(kind="cancelled", message="Nobody waits for this probe any more."))
    with env.scope, trio.move_on_after(PROBE_S) as bound:
        probed = await _probe(upstream, asked.key)
    if bound.cancelled_caught:
        message = f"The server did not list its models within {PROBE_S:g} s."
        return Probed(failure=Failed(kind="timeout", timeout="headers", message=message))
    return probed


async def _probe(upstream: Upstream, key: str | None) -> Probed:
    spec = upstream.spec
    codec = codec_for(spec.wire)
    listing = codec.list_models_request(msgspec.structs.replace(spec.options, provider=spec.name))
    if spec.server is not None or listing.other_host is not None:
        # A server of our own would have to be started for it; another host's health is not this one's.
        return NOTHING_LEARNT
    transport = await upstream.ready()
    if isinstance(transport, Failed):
        return Probed(failure=transport)
    authorisation = await upstream.authorise(listing, key)
    if isinstance(authorisation, Failed):
        return Probed(failure=authorisation)
    request = upstream.request_of(listing, authorisation, {"timeout": upstream.transport_timeouts})
    answer = await ask_small(transport, request, bytes_max=BODY_BYTES_MAX)
    if isinstance(answer, Failed):
        return Probed(failure=answer)
    if 200 <= answer.status < 300:
        html = answer.headers.get("content-type", "").startswith("text/html")
        return Probed(failure=web_page()) if html else Probed()
    if answer.status in NO_LIST:
        return NOTHING_LEARNT
    failure = codec.failure(answer.status, answer.headers, answer.body, now_unix_s=spec.now_unix_s())
    if failure.kind in REFUSALS:
        failure = upstream.refused(authorisation, failure, key)
    for redact in (spec.redact, authorisation.strike_out):
        failure = redacted(failure, redact)
    return Probed(failure=failure)
