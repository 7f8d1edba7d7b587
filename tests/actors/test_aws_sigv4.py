"""Requests are signed exactly as AWS's own library signs them, and as its published vector says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.credentials.aws_sigv4 import canonical_request, sign

AMZ_DATE = "20260102T030405Z"
ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
HOST = "https://bedrock-runtime.us-east-1.amazonaws.com"


@pytest.fixture(autouse=True, scope="module")
def fixed_clock() -> Iterator[None]:
    """Stop the oracle's clock: it has no argument for the date."""
    with pytest.MonkeyPatch.context() as patched:
        moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        patched.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: moment)
        yield


def test_the_published_vector_is_met() -> None:
    url = f"{HOST}/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    body = b'{"messages":[{"role":"user","content":[{"text":"hi"}]}]}'
    headers = (("content-type", "application/json"),)

    canonical, signed = canonical_request("POST", url, (*headers, ("x-amz-date", AMZ_DATE)), body)
    added = dict(
        sign(
            "POST", url, headers, body,
            access_key=ACCESS_KEY, secret_key=SECRET_KEY, region="us-east-1", service="bedrock", amz_date=AMZ_DATE,
        )
    )  # fmt: skip

    assert canonical.split("\n") == [
        "POST",
        "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%253A0/converse",
        "",
        "content-type:application/json",
        "host:bedrock-runtime.us-east-1.amazonaws.com",
        f"x-amz-date:{AMZ_DATE}",
        "",
        "content-type;host;x-amz-date",
        "c3335e07d6e89650bf94cb98664be69f8774dbc3198df221f113db0a59ea14f0",
    ]
    assert signed == "content-type;host;x-amz-date"
    assert added == {
        "X-Amz-Date": AMZ_DATE,
        "Authorization": (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/bedrock/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=6b18186d5132c71249f705372d764ddfd8a9890b662230fb355af564c05e1c35"
        ),
    }


@pytest.mark.parametrize("wrong", ["", "2026-01-02", "20260102T030405", "20260102T030405Z\n", "²0260102T030405Z"])
def test_a_date_of_another_form_is_refused_without_telling_a_secret(wrong: str) -> None:
    with pytest.raises(ValueError, match="is no date") as refused:
        sign(
            "GET", HOST, (), b"",
            access_key=ACCESS_KEY, secret_key=SECRET_KEY, session_token="the-token", region="r", service="s",
            amz_date=wrong,
        )  # fmt: skip
    assert SECRET_KEY not in str(refused.value)
    assert "the-token" not in str(refused.value)


def test_an_earlier_signature_does_not_become_part_of_the_next() -> None:
    def signed(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        return sign(
            "POST", f"{HOST}/model/m/converse", headers, b"{}",
            access_key=ACCESS_KEY, secret_key=SECRET_KEY, session_token="t", region="r", service="s",
            amz_date=AMZ_DATE,
        )  # fmt: skip

    headers = (("content-type", "application/json"),)
    assert signed((*headers, *signed(headers))) == signed(headers)


MODEL_IDS = st.one_of(
    st.sampled_from(
        [
            "anthropic.claude-opus-5-5",
            "us.anthropic.claude-sonnet-4-5-20250929-v1%3A0",
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2F1arbu5hu2sjr",
            "caf%C3%A9%20%25",
            "a~b_c-d.e",
        ]
    ),
    st.text(st.sampled_from("abcXYZ019-._~%:@!$&'()*+,;= é世"), min_size=1, max_size=20),
)
PATHS = st.one_of(
    MODEL_IDS.map("/model/{}/converse".format),
    st.sampled_from(["", "/", "//model//x/", "/a/./b/../c", "/a/../../..", "/proxy/model/x/converse-stream"]),
)
QUERIES = st.one_of(
    st.just(""),
    st.sampled_from(["?a=1", "?b=2&a=1&a=0", "?flag", "?x=&y", "?byProvider=&byOutputModality=TEXT", "?a=b=c", "?&"]),
    st.lists(
        st.tuples(st.text(st.sampled_from("abAB-%2F~"), max_size=4), st.text(st.sampled_from("xyZ0=%3A+"), max_size=4)),
        max_size=4,
    ).map(lambda pairs: "?" + "&".join(f"{name}={value}" for name, value in pairs)),
)
ORIGINS = st.sampled_from(
    [HOST, f"{HOST}:443", "http://localhost:8080", "http://127.0.0.1:80", "https://[::1]:8443", "https://EXAMPLE.com"]
)
VALUES = st.text(st.sampled_from("aZ09 \t,;:=\"'/\\~%é"), max_size=24)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["Content-Type", "accept", "X-Amzn-Bedrock-GuardrailIdentifier", "x-b", "X-A", "User-Agent", "Connection"]
    ),
    VALUES,
    max_size=6,
)
BODIES = st.one_of(
    st.just(b""),
    st.binary(max_size=64),
    st.sampled_from([b"x" * 300_000, '{"text":"é世🌍"}'.encode()]),
)
KEYS = st.text(st.sampled_from("ABCxyz0189/+="), min_size=1, max_size=40)


@settings(max_examples=200, deadline=None)
@given(
    method=st.sampled_from(["POST", "GET", "HEAD", "post"]),
    origin=ORIGINS,
    path=PATHS,
    query=QUERIES,
    headers=HEADERS,
    body=BODIES,
    access_key=KEYS,
    secret_key=KEYS,
    token=st.one_of(st.none(), KEYS, st.just("t" * 2000)),
    region=st.sampled_from(["us-east-1", "eu-central-1", "us-gov-west-1"]),
    service=st.sampled_from(["bedrock", "bedrock-mantle"]),
)
def test_signatures_are_those_of_botocore(
    method: str,
    origin: str,
    path: str,
    query: str,
    headers: dict[str, str],
    body: bytes,
    access_key: str,
    secret_key: str,
    token: str | None,
    region: str,
    service: str,
) -> None:
    url = f"{origin}{path}{query}"
    theirs = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
    botocore.auth.SigV4Auth(Credentials(access_key, secret_key, token), service, region).add_auth(theirs)

    ours = sign(
        method, url, tuple(headers.items()), body,
        access_key=access_key, secret_key=secret_key, session_token=token, region=region, service=service,
        amz_date=AMZ_DATE,
    )  # fmt: skip

    names = {"Authorization", "X-Amz-Date", "X-Amz-Security-Token"}
    assert dict(ours) == {name: value for name, value in theirs.headers.items() if name in names}
