"""What a call shows to be let in, and that it is shown to nobody else."""

from __future__ import annotations

import copy
import pickle

import httpx
import msgspec
import pytest

from manus.actors.codecs.base import HttpRequest
from manus.actors.credentials import (
    ASK_AGAIN,
    FINGERPRINT_CHARS,
    Authorisation,
    Credentials,
    NoCredentials,
    StaticKey,
    WithHeaders,
)
from manus.actors.credentials.aws import AwsKeys, SigV4
from manus.actors.upstream import KNOWN_MAX, ProviderCounters, ProviderSpec, Upstream
from manus.messages.failures import Failed
from manus.messages.policy import ProviderPolicy

KEY = "sk-canary-0123456789"
REQUEST = HttpRequest(method="POST", path="/chat/completions")
URL = httpx.URL("https://api.test/v1/chat/completions")


async def test_key_goes_into_the_header_that_the_entry_names() -> None:
    assert (await StaticKey(KEY).authorise(REQUEST, URL)).headers == (("Authorization", f"Bearer {KEY}"),)
    assert (await StaticKey(KEY, header="api-key", prefix="").authorise(REQUEST, URL)).headers == (("api-key", KEY),)
    assert (await NoCredentials().authorise(REQUEST, URL)).headers == ()


def test_fingerprint_names_a_key_and_tells_nothing_of_it() -> None:
    one, same, other = StaticKey(KEY), StaticKey(KEY, header="api-key"), StaticKey(KEY + "x")

    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert len(one.fingerprint) == FINGERPRINT_CHARS
    assert NoCredentials().fingerprint is None


def test_key_cannot_be_printed_copied_or_pickled() -> None:
    key = StaticKey(KEY)

    assert KEY not in repr(key)
    assert KEY not in str(key)
    assert not hasattr(key, "__dict__")
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never copied"):
            attempt(key)


@pytest.mark.parametrize("key", ["", " x", "x\n", "x\r\nHost: evil", "schlüssel", "a\x00b"])
def test_key_that_no_header_can_carry_is_refused_without_being_quoted(key: str) -> None:
    with pytest.raises(ValueError, match="no HTTP header may carry") as refusal:
        StaticKey(key)

    assert not key.strip() or key not in str(refusal.value)


@pytest.mark.parametrize("header", ["", "a b", "a:b", "a\r\nb"])
def test_header_name_must_be_one(header: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        StaticKey(KEY, header=header)


# --- headers of the entry's own -------------------------------------------------------------------------------


class Changing:
    """Credentials whose key changes when told to, and that hear what became of their keys."""

    fingerprint = "f"
    expires_at_unix_s = 7.0

    def __init__(self) -> None:
        self.shown: Authorisation | Failed = Authorisation((("Authorization", KEY),), fingerprint="f")
        self.heard: list[tuple[str, Authorisation]] = []

    async def authorise(self, request: HttpRequest, url: httpx.URL) -> Authorisation | Failed:
        return self.shown

    def refused(self, authorisation: Authorisation, failure: Failed) -> Failed:
        self.heard.append(("refused", authorisation))
        return msgspec.structs.replace(failure, advice=ASK_AGAIN)

    def let_go(self) -> None:
        self.heard.append(("let go", Authorisation(())))


async def test_further_headers_stand_behind_the_key_and_the_same_key_gives_the_same_object() -> None:
    inner = Changing()
    both = WithHeaders(inner, (("X-Team", "canary-team"),))

    first = await both.authorise(REQUEST, URL)
    assert isinstance(first, Authorisation)
    assert first.headers == (("Authorization", KEY), ("X-Team", "canary-team"))
    assert await both.authorise(REQUEST, URL) is first
    inner.shown = Authorisation((("Authorization", "another"),), fingerprint="g")
    second = await both.authorise(REQUEST, URL)
    assert isinstance(second, Authorisation)
    assert (second.fingerprint, both.fingerprint, both.expires_at_unix_s) == ("g", "f", 7.0)


async def test_inner_credentials_hear_of_their_own_key_and_fail_for_both() -> None:
    inner = Changing()
    both = WithHeaders(inner, (("X-Team", "t"),))
    shown = await both.authorise(REQUEST, URL)
    assert isinstance(shown, Authorisation)
    refusal = Failed(kind="auth", message="no")

    assert both.refused(shown, refusal).what_to_do == ASK_AGAIN
    assert inner.heard == [("refused", inner.shown)]
    both.let_go()
    assert inner.heard[-1][0] == "let go"
    inner.shown = refusal
    assert await both.authorise(REQUEST, URL) is refusal


async def test_neither_credentials_nor_what_they_show_can_be_printed_copied_or_pickled() -> None:
    key = StaticKey(KEY)
    both = WithHeaders(key, (("X-Team", "canary-team"),))
    for holder in (both, await key.authorise(REQUEST, URL), await both.authorise(REQUEST, URL)):
        assert "canary" not in repr(holder)
        assert not hasattr(holder, "__dict__")
        for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="never copied"):
                attempt(holder)


# --- requests dressed with them -------------------------------------------------------------------------------


def upstream_with(credentials: Credentials) -> Upstream:
    spec = ProviderSpec(
        name="p",
        wire="openai-chat",
        policy=ProviderPolicy(name="p", type="openai"),
        credentials=credentials,
        transport_factory=lambda base_url: httpx.MockTransport(lambda request: httpx.Response(200)),
        base_url="https://api.test/v1",
    )
    return Upstream(spec, ProviderCounters())


async def test_what_is_remembered_of_requests_does_not_grow_with_signatures() -> None:
    upstream = upstream_with(SigV4(AwsKeys("AKIATEST", KEY), region="us-east-1"))
    signatures = set()
    for number in range(200):
        encoded = HttpRequest(method="POST", path="/converse", headers=(("accept", "x"),), body=b"%d" % number)
        authorisation = await upstream.authorise(encoded)
        assert isinstance(authorisation, Authorisation)
        request = upstream.request_of(encoded, authorisation, {})
        signatures.add(request.headers["authorization"])
        assert request.headers.get_list("content-length") == [str(len(encoded.body))]
        assert request.headers["accept"] == "x"
    assert len(signatures) == 200
    assert len(upstream._known) == len(upstream._urls) == 1


async def test_what_is_remembered_of_requests_is_bounded_where_keys_change() -> None:
    inner = Changing()
    upstream = upstream_with(inner)
    for number in range(3 * KNOWN_MAX):
        inner.shown = Authorisation((("Authorization", f"key-{number}"),))
        encoded = HttpRequest(method="POST", path=f"/{number}", body=b"{}")
        request = upstream.request_of(encoded, inner.shown, {})
        assert request.headers["authorization"] == f"key-{number}"
        assert request.url.path == f"/v1/{number}"
    assert len(upstream._known) <= KNOWN_MAX
    assert len(upstream._urls) <= KNOWN_MAX


async def test_request_without_a_body_has_no_length() -> None:
    upstream = upstream_with(StaticKey(KEY))
    listing = HttpRequest(method="GET", path="/models")
    authorisation = await upstream.authorise(listing)
    assert isinstance(authorisation, Authorisation)
    request = upstream.request_of(listing, authorisation, {})
    assert "content-length" not in request.headers
    assert request.method == "GET"
