"""Tokens that expire: fetched once for all who wait, renewed in time, and a source that fails or hangs harms nobody."""

from __future__ import annotations

import copy
import datetime
import pickle
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import trio
import trio.testing

from manus.actors.codecs.base import HttpRequest
from manus.actors.credentials import ASK_AGAIN, Authorisation
from manus.actors.credentials.tokens import (
    AGAIN_S,
    FETCH_S,
    MARGIN_S,
    PAUSE_MAX_S,
    PAUSE_S,
    REFRESH_SHARE,
    BearerTokens,
    Renewing,
)
from manus.messages.failures import Failed

REQUEST = HttpRequest(method="POST", path="/")
URL = httpx.URL("https://api.test/")
LIFE_S = 1000.0
SLOW_S = 5.0
REFUSED = Failed(kind="auth", message="refused", status=401)


class Source:
    """Gives `token-1`, `token-2`, ... after a while, each for `LIFE_S`; or does what it is told instead."""

    def __init__(self, *, takes_s: float = SLOW_S, life_s: float | None = LIFE_S) -> None:
        self.takes_s = takes_s
        self.life_s = life_s
        self.begun = 0
        self.at_once = 0
        self.peak = 0
        self.does: Callable[[], tuple[str, float | None] | Failed] | None = None

    async def __call__(self) -> tuple[str, float | None] | Failed:
        self.begun += 1
        number = self.begun
        self.at_once += 1
        self.peak = max(self.peak, self.at_once)
        try:
            await trio.sleep(self.takes_s)
        finally:
            self.at_once -= 1
        if self.does is not None:
            return self.does()
        return f"token-{number}", None if self.life_s is None else trio.current_time() + self.life_s

    def renewing(self) -> Renewing[str]:
        return Renewing(self, what="the token", now_unix_s=trio.current_time, mend="Look at the source.")


def fail() -> Failed:
    return Failed(kind="auth", message="no token today")


def crash() -> Failed:
    raise RuntimeError("canary-secret-in-an-exception")


async def failure_of(value: Renewing[str]) -> Failed:
    failure = await value.get()
    assert isinstance(failure, Failed)
    return failure


# --- one fetch for all ----------------------------------------------------------------------------------------


async def test_thirty_calls_at_once_fetch_one_token(autojump_clock: object) -> None:
    source = Source()
    tokens = source.renewing()
    got: list[object] = []

    async def call() -> None:
        got.append(await tokens.get())

    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(call)

    assert got == ["token-1"] * 30
    assert source.begun == 1


async def test_a_young_token_is_given_without_a_checkpoint(autojump_clock: object) -> None:
    tokens = Source().renewing()
    await tokens.get()
    with trio.CancelScope() as scope, trio.testing.assert_no_checkpoints():
        scope.cancel()
        assert await tokens.get() == "token-1"


async def test_cancelled_caller_takes_nothing_from_the_others(autojump_clock: object) -> None:
    source = Source()
    tokens = source.renewing()
    got: list[object] = []

    async def call() -> None:
        got.append(await tokens.get())

    async with trio.open_nursery() as nursery:
        with trio.move_on_after(SLOW_S / 2):
            nursery.start_soon(call)
            await tokens.get()
        assert trio.current_time() == SLOW_S / 2

    assert (got, source.begun, trio.current_time()) == (["token-1"], 1, SLOW_S)


# --- renewal --------------------------------------------------------------------------------------------------


async def test_old_token_is_used_while_the_next_one_is_fetched(autojump_clock: object) -> None:
    source = Source()
    tokens = source.renewing()
    await tokens.get()
    await trio.sleep(REFRESH_SHARE * LIFE_S + 1)

    before = trio.current_time()
    assert await tokens.get() == "token-1"
    assert (trio.current_time(), source.begun) == (before, 1)
    await trio.sleep(SLOW_S + 1)
    assert await tokens.get() == "token-2"
    assert source.begun == 2


@pytest.mark.parametrize("when_s", [SLOW_S / 2, SLOW_S + 1], ids=["during the fetch", "after it"])
@pytest.mark.parametrize("by_s", [-86_400.0, 86_400.0], ids=["back", "ahead"])
async def test_no_expired_token_is_shown_when_the_wall_clock_is_set(
    by_s: float, when_s: float, autojump_clock: object
) -> None:
    """A vendor's day has as many seconds as before: whoever dates tokens by the clock that is set gives them so."""
    ends_at: dict[str, float] = {}

    def unix_s() -> float:
        return 1e9 + trio.current_time() + (by_s if trio.current_time() >= when_s else 0.0)

    async def fetch() -> tuple[str, float]:
        await trio.sleep(SLOW_S)
        token = f"token-{len(ends_at) + 1}"
        ends_at[token] = trio.current_time() + LIFE_S
        return token, unix_s() + LIFE_S

    tokens = Renewing(fetch, what="the token", now_unix_s=unix_s)
    shown: list[str] = []
    for _ in range(60):
        token = await tokens.get()
        if isinstance(token, str):
            assert trio.current_time() < ends_at[token]
            shown.append(token)
        await trio.sleep(0.35 * LIFE_S)  # so that nobody asks between the time to renew and the end

    assert len(shown) > 55
    assert len(ends_at) <= 23, "set once, it costs one fetch more at most"


async def test_token_that_expired_is_waited_for_and_never_shown(autojump_clock: object) -> None:
    source = Source()
    tokens = source.renewing()
    await tokens.get()
    await trio.sleep(LIFE_S - MARGIN_S + 0.1)

    before = trio.current_time()
    assert await tokens.get() == "token-2"
    assert trio.current_time() == before + SLOW_S


async def test_token_without_an_end_is_kept(autojump_clock: object) -> None:
    source = Source(life_s=None)
    tokens = source.renewing()
    await tokens.get()
    await trio.sleep(10 * 365 * 86_400.0)
    assert await tokens.get() == "token-1"


async def test_token_that_comes_expired_is_a_failure_that_blames_the_clock(autojump_clock: object) -> None:
    failure = await failure_of(Source(life_s=-1.0).renewing())
    assert failure.kind == "auth"
    assert "clock" in failure.message


# --- failing sources ------------------------------------------------------------------------------------------


async def test_failing_renewal_leaves_the_old_token_in_use_and_is_tried_with_growing_pauses(
    autojump_clock: object,
) -> None:
    source = Source(takes_s=0.0)
    tokens = source.renewing()
    await tokens.get()
    source.does = fail
    await trio.sleep(REFRESH_SHARE * LIFE_S)

    while trio.current_time() < LIFE_S - MARGIN_S:
        assert await tokens.get() == "token-1"
        await trio.sleep(0.5)

    # 190 s of asking twice a second: pauses of 1, 2, 4, ... 60 s between the fetches.
    assert source.begun - 1 <= 10
    failure = await failure_of(tokens)
    assert failure.message == "no token today"
    assert 0.0 < (failure.retry_after_s or 0.0) <= PAUSE_MAX_S


async def test_during_the_pause_after_a_failure_nobody_is_asked_and_after_it_one_is(autojump_clock: object) -> None:
    source = Source(takes_s=0.0)
    source.does = fail
    tokens = source.renewing()
    for _ in range(20):
        await failure_of(tokens)
    assert source.begun == 1

    source.does = None
    await trio.sleep(PAUSE_S)
    assert await tokens.get() == "token-2"


async def test_hanging_source_is_given_up_by_name_and_asked_again_later(autojump_clock: object) -> None:
    source = Source(takes_s=1e9)
    tokens = source.renewing()

    failure = await failure_of(tokens)

    assert trio.current_time() == FETCH_S
    assert failure.kind == "auth"
    assert failure.message == f"The token did not come within {FETCH_S:g} s. Look at the source."
    assert failure.safe_to_retry
    assert source.at_once == 0
    source.takes_s = 0.0
    await trio.sleep(PAUSE_S)
    assert await tokens.get() == "token-2"


async def test_crashing_source_is_a_failure_told_by_its_type_alone(autojump_clock: object) -> None:
    source = Source(takes_s=0.0)
    source.does = crash
    failure = await failure_of(source.renewing())
    assert "RuntimeError" in failure.message
    assert "canary" not in repr(failure)


async def test_fetch_that_is_let_go_ends_at_once_and_whoever_waits_begins_another(autojump_clock: object) -> None:
    source = Source()
    tokens = source.renewing()
    got: list[object] = []

    async def call() -> None:
        got.append(await tokens.get())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        await trio.sleep(SLOW_S / 2)
        tokens.let_go()
        await trio.sleep(0.1)
        assert (source.begun, source.peak) == (2, 1)
    assert got == ["token-2"]


async def test_fetch_that_nobody_waits_for_can_be_let_go_before_it_ran(autojump_clock: object) -> None:
    source = Source()
    tokens = source.renewing()
    with trio.move_on_after(0.0):
        await tokens.get()
    tokens.let_go()
    await trio.sleep(10 * SLOW_S)
    assert source.at_once == 0
    assert await tokens.get() == f"token-{source.begun}"


# --- refused tokens -------------------------------------------------------------------------------------------


async def test_refused_token_is_renewed_once_and_the_call_is_advised_to_ask_again(autojump_clock: object) -> None:
    source = Source()
    tokens = BearerTokens(source, name="test", now_unix_s=trio.current_time)
    first = await tokens.authorise(REQUEST, URL)
    assert isinstance(first, Authorisation)

    assert tokens.refused(first, REFUSED).what_to_do == ASK_AGAIN
    second = await tokens.authorise(REQUEST, URL)

    assert isinstance(second, Authorisation)
    assert second.headers == (("Authorization", "Bearer token-2"),)
    # The fresh one is refused as well: it is not a matter of age.
    assert tokens.refused(second, REFUSED) is REFUSED
    assert await tokens.authorise(REQUEST, URL) is second
    await trio.sleep(AGAIN_S)
    assert tokens.refused(second, REFUSED).what_to_do == ASK_AGAIN


async def test_token_that_expired_under_way_costs_no_second_fetch(autojump_clock: object) -> None:
    source = Source()
    tokens = BearerTokens(source, name="test", now_unix_s=trio.current_time)
    first = await tokens.authorise(REQUEST, URL)
    assert isinstance(first, Authorisation)
    for _ in range(30):
        assert tokens.refused(first, REFUSED).what_to_do == ASK_AGAIN
    await tokens.authorise(REQUEST, URL)
    assert tokens.refused(first, REFUSED).what_to_do == ASK_AGAIN
    assert source.begun == 2


async def test_what_is_no_matter_of_the_token_renews_nothing(autojump_clock: object) -> None:
    source = Source()
    tokens = BearerTokens(source, name="test", now_unix_s=trio.current_time)
    shown = await tokens.authorise(REQUEST, URL)
    assert isinstance(shown, Authorisation)
    forbidden = Failed(kind="permission", message="no", status=403)
    assert tokens.refused(shown, forbidden) is forbidden
    await tokens.authorise(REQUEST, URL)
    assert source.begun == 1


async def test_tokens_of_one_source_have_one_name_in_the_books(autojump_clock: object) -> None:
    source = Source(life_s=1.0)
    tokens = BearerTokens(source, name="test", now_unix_s=trio.current_time)
    names = set()
    for _ in range(3):
        shown = await tokens.authorise(REQUEST, URL)
        assert isinstance(shown, Authorisation)
        names.add(shown.fingerprint)
        await trio.sleep(2.0)
    assert names == {tokens.fingerprint}
    assert BearerTokens(source, name="other").fingerprint not in names


@pytest.mark.parametrize("token", ["", "a b\n", "canary\r\nX: 1", "tökén"])
async def test_token_that_no_header_can_carry_is_a_failure_that_does_not_quote_it(
    autojump_clock: object, token: str
) -> None:
    source = Source(takes_s=0.0)
    source.does = lambda: (token, None)
    failure = await BearerTokens(source, name="test").authorise(REQUEST, URL)
    assert isinstance(failure, Failed)
    assert "no HTTP header may carry" in failure.message
    assert not token.strip() or token not in repr(failure)


async def test_tokens_cannot_be_printed_copied_or_pickled(autojump_clock: object) -> None:
    source = Source(takes_s=0.0)
    tokens = BearerTokens(source, name="test", now_unix_s=trio.current_time)
    shown = await tokens.authorise(REQUEST, URL)
    for holder in (tokens, tokens._tokens, shown):
        assert "token-1" not in repr(holder)
        assert not hasattr(holder, "__dict__")
        for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="never copied"):
                attempt(holder)


@pytest.mark.parametrize(
    "given",
    [None, 5, "token", ("token",), ("token", "soon"), ("token", datetime.datetime(2026, 1, 2)), (5, 1e10), ("t", 1, 2)],
    ids=repr,
)
async def test_source_that_gives_something_else_is_a_failure_and_no_crash(autojump_clock: object, given: Any) -> None:
    async def give() -> Any:
        await trio.lowlevel.checkpoint()
        return given

    failure = await BearerTokens(give, name="test").authorise(REQUEST, URL)
    assert isinstance(failure, Failed)
    assert failure.kind == "auth"


async def test_time_of_expiry_that_is_none_at_all_is_a_failure(autojump_clock: object) -> None:
    for expires_at in (float("nan"), float("-inf")):
        source = Source(takes_s=0.0)
        source.does = lambda expires_at=expires_at: ("token", expires_at)
        failure = await BearerTokens(source, name="test", now_unix_s=trio.current_time).authorise(REQUEST, URL)
        assert isinstance(failure, Failed)
