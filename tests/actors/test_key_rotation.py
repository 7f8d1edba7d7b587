"""Several keys: whose turn it is, that a dead one rests and comes back on probation, and what is said when all are."""

from __future__ import annotations

import copy
import pickle

import httpx
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.codecs.base import HttpRequest
from manus.actors.credentials import ASK_AGAIN, Authorisation, Rotation, StaticKey
from manus.actors.credentials.rotation import QUARANTINE_MAX_S, QUARANTINE_S, UNWELCOME_S
from manus.messages.failures import Failed, FailureKind

REQUEST = HttpRequest(method="POST", path="/")
URL = httpx.URL("https://api.test/")
KEYS = [StaticKey(f"sk-canary-{number}") for number in range(3)]
NAMES = [key.fingerprint for key in KEYS]


def refusal(kind: FailureKind = "auth") -> Failed:
    return Failed(kind=kind, message="refused", status=401)


async def shown(rotation: Rotation) -> Authorisation:
    authorisation = await rotation.authorise(REQUEST, URL)
    assert isinstance(authorisation, Authorisation), authorisation
    return authorisation


async def turns(rotation: Rotation, count: int) -> list[int]:
    return [NAMES.index(str((await shown(rotation)).fingerprint)) for _ in range(count)]


async def test_keys_are_used_in_turn(autojump_clock: object) -> None:
    assert await turns(Rotation(KEYS), 7) == [0, 1, 2, 0, 1, 2, 0]


async def test_sticky_keys_are_used_as_long_as_they_live(autojump_clock: object) -> None:
    rotation = Rotation(KEYS, order="sticky")
    assert await turns(rotation, 3) == [0, 0, 0]
    rotation.refused(await shown(rotation), refusal())
    assert await turns(rotation, 3) == [1, 1, 1]


@pytest.mark.parametrize("kind", ["auth", "quota_exhausted"])
async def test_refused_key_rests_while_the_others_go_on_and_the_call_is_asked_again(
    autojump_clock: object, kind: FailureKind
) -> None:
    rotation = Rotation(KEYS)
    dead = await shown(rotation)

    failure = rotation.refused(dead, refusal(kind))

    assert (failure.kind, failure.what_to_do) == (kind, ASK_AGAIN)
    assert await turns(rotation, 4) == [1, 2, 1, 2]


async def test_after_its_quarantine_one_request_tries_the_key_and_revives_it(autojump_clock: object) -> None:
    rotation = Rotation(KEYS)
    rotation.refused(await shown(rotation), refusal())
    await trio.sleep(QUARANTINE_S)

    probe = await shown(rotation)
    assert probe.fingerprint == NAMES[0]
    assert await turns(rotation, 4) == [1, 2, 1, 2]
    rotation.accepted(probe)
    assert sorted(await turns(rotation, 3)) == [0, 1, 2]


async def test_each_refusal_on_probation_doubles_the_rest_up_to_a_bound(autojump_clock: object) -> None:
    rotation = Rotation(KEYS)
    rests = []
    rotation.refused(await shown(rotation), refusal())
    for _ in range(10):
        began = trio.current_time()
        probe = await shown(rotation)
        while probe.fingerprint != NAMES[0]:  # the keys do not say when they are ready
            await trio.sleep(QUARANTINE_S / 4)
            probe = await shown(rotation)
        rests.append(trio.current_time() - began)
        rotation.refused(probe, refusal())
    assert rests[:4] == [QUARANTINE_S * factor for factor in (1, 2, 4, 8)]
    assert rests[-1] == QUARANTINE_MAX_S


async def test_probation_of_which_nothing_is_heard_is_given_to_another_request_later(autojump_clock: object) -> None:
    rotation = Rotation(KEYS[:1])
    rotation.refused(await shown(rotation), refusal())
    await trio.sleep(QUARANTINE_S)
    assert isinstance(await rotation.authorise(REQUEST, URL), Authorisation)
    assert isinstance(await rotation.authorise(REQUEST, URL), Failed)
    await trio.sleep(QUARANTINE_MAX_S)
    assert isinstance(await rotation.authorise(REQUEST, URL), Authorisation)


async def test_calls_that_were_under_way_when_a_key_died_do_not_lengthen_its_rest(autojump_clock: object) -> None:
    rotation = Rotation(KEYS)
    dead = await shown(rotation)
    for _ in range(30):
        rotation.refused(dead, refusal())
    await trio.sleep(QUARANTINE_S)
    assert (await shown(rotation)).fingerprint == NAMES[0]


async def test_long_answer_that_began_before_a_key_died_does_not_revive_it(autojump_clock: object) -> None:
    rotation = Rotation(KEYS)
    dead = await shown(rotation)
    rotation.refused(dead, refusal())
    rotation.accepted(dead)
    assert 0 not in await turns(rotation, 6)


async def test_key_that_is_not_permitted_something_stands_behind_and_stays_in_use(autojump_clock: object) -> None:
    rotation = Rotation(KEYS)
    for _ in KEYS[:-1]:
        assert rotation.refused(await shown(rotation), refusal("permission")).what_to_do == ASK_AGAIN
    assert await turns(rotation, 3) == [2, 2, 2]
    forbidden = refusal("permission")
    assert rotation.refused(await shown(rotation), forbidden) is forbidden  # nobody is permitted it
    assert len(set(await turns(rotation, 6))) == 3
    await trio.sleep(UNWELCOME_S)
    assert sorted(await turns(rotation, 3)) == [0, 1, 2]


async def test_when_all_are_dead_nobody_is_asked_and_the_failure_names_them(autojump_clock: object) -> None:
    rotation = Rotation(KEYS)
    failures = [rotation.refused(await shown(rotation), refusal()) for _ in KEYS]
    assert failures[-1].advice is None

    failure = await rotation.authorise(REQUEST, URL)

    assert isinstance(failure, Failed)
    assert (failure.kind, failure.safe_to_retry, failure.retry_after_s) == ("auth", True, QUARANTINE_S)
    assert all(str(name) in failure.message for name in NAMES)
    assert "canary" not in repr(failure)
    assert "api_keys" in failure.message


async def test_when_all_are_used_up_that_is_what_is_said(autojump_clock: object) -> None:
    rotation = Rotation(KEYS)
    for _ in KEYS:
        rotation.refused(await shown(rotation), refusal("quota_exhausted"))
    failure = await rotation.authorise(REQUEST, URL)
    assert isinstance(failure, Failed)
    assert failure.kind == "quota_exhausted"


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(st.sampled_from(["accept", "auth", "permission", "quota_exhausted"]), st.floats(0.0, 4000.0)),
        max_size=40,
    ),
    st.sampled_from(["round_robin", "sticky"]),
)
async def test_whatever_happens_a_key_is_shown_or_all_are_dead(
    autojump_clock: object, steps: list[tuple[str, float]], order: str
) -> None:
    rotation = Rotation(KEYS, order="sticky" if order == "sticky" else "round_robin")
    for what, wait_s in steps:
        authorisation = await rotation.authorise(REQUEST, URL)
        if isinstance(authorisation, Failed):
            assert 0.0 < (authorisation.retry_after_s or 0.0) <= QUARANTINE_MAX_S
        elif what == "accept":
            rotation.accepted(authorisation)
        else:
            kind: FailureKind = (
                "auth" if what == "auth" else "permission" if what == "permission" else "quota_exhausted"
            )
            assert rotation.refused(authorisation, refusal(kind)).kind == kind
        await trio.sleep(wait_s)
    await trio.sleep(QUARANTINE_MAX_S)
    assert isinstance(await rotation.authorise(REQUEST, URL), Authorisation)


def test_a_rotation_needs_keys_and_no_key_twice() -> None:
    for keys in ([], [StaticKey("a"), StaticKey("a", header="api-key")]):
        with pytest.raises(ValueError, match="no key twice"):
            Rotation(keys)


def test_keys_cannot_be_printed_copied_or_pickled() -> None:
    rotation = Rotation(KEYS)
    assert "canary" not in repr(rotation)
    assert not hasattr(rotation, "__dict__")
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never copied"):
            attempt(rotation)
