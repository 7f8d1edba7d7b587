"""What a call shows to be let in, and that it is shown to nobody else."""

from __future__ import annotations

import copy
import pickle

import httpx
import pytest

from manus.actors.codecs.base import HttpRequest
from manus.actors.credentials import FINGERPRINT_CHARS, NoCredentials, StaticKey

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
