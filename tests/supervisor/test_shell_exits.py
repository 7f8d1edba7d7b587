"""Exception groups: what came out of an incarnation, and what it makes of the reason and of the rest."""

from __future__ import annotations

import gc
import weakref

import pytest
import trio

from manus.supervisor.context import Context
from manus.supervisor.envelope import Envelope
from manus.supervisor.events import ActorExited, RestartScheduled
from manus.supervisor.exits import describe_error, first_leaf, judge, open_bare_nursery
from manus.supervisor.reasons import Crashed, Normal, Shutdown
from manus.supervisor.terminals import ActorFailed, Undelivered
from tests.supervisor.rig import (
    Answers,
    Boom,
    Diary,
    for_ever,
    in_s,
    running,
    serving,
    settle,
    taking_turns,
    worker,
)


def plain(text: str) -> str:
    return text


async def raised_by(scope: trio.CancelScope, *errors: BaseException, outer: trio.CancelScope | None = None) -> object:
    """Give what comes out of `scope` when tasks in nested nurseries within it raise `errors` while it is cancelled."""

    async def fall(error: BaseException) -> None:
        raise error

    async def wait_and_fall(error: BaseException) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise error

    try:
        with scope:
            async with trio.open_nursery() as one, trio.open_nursery() as two, trio.open_nursery() as three:
                one.start_soon(trio.sleep_forever)
                for error in errors[1:]:
                    two.start_soon(wait_and_fall, error)
                for error in errors[:1]:
                    three.start_soon(fall, error)
    except BaseException as caught:
        return caught
    return None


async def test_three_nested_nurseries_are_flattened_to_their_cause() -> None:
    caught = await raised_by(trio.CancelScope(), KeyError("cause"), OSError("follows"))
    assert isinstance(caught, BaseException)
    verdict = judge(caught, cancelled_by=None, redact=plain)

    assert verdict.passes_on is None
    assert isinstance(verdict.reason, Crashed)
    assert verdict.reason.error == "KeyError: 'cause'"
    assert verdict.reason.related == ("OSError: follows",)
    assert "raise error" in verdict.reason.traceback


async def test_a_clean_end_is_normal_or_a_shutdown() -> None:
    assert judge(None, cancelled_by=None, redact=plain).reason == Normal()
    assert judge(None, cancelled_by="stop", redact=plain).reason == Shutdown(by="stop")


async def test_errors_beside_our_own_cancellation_are_failed_clean_up() -> None:
    scope = trio.CancelScope()
    scope.cancel()

    async def clean_up_badly() -> None:
        with scope:
            async with trio.open_nursery() as nursery:
                try:
                    await nursery.start(trio.sleep_forever)
                finally:
                    raise OSError("clean-up")

    with pytest.raises(BaseExceptionGroup) as raised:
        await clean_up_badly()
    verdict = judge(raised.value, cancelled_by="stop", redact=plain)
    assert verdict.passes_on is None
    assert isinstance(verdict.reason, Shutdown)
    assert (verdict.reason.by, verdict.reason.error) == ("stop", "OSError: clean-up")


async def test_the_cancellation_of_an_outer_scope_passes_on_unchanged() -> None:
    passed: list[BaseException] = []

    async def incarnation() -> None:
        try:
            with trio.CancelScope():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(trio.sleep_forever)
                    try:
                        await trio.sleep_forever()
                    finally:
                        raise OSError("beside it")
        except BaseException as error:
            verdict = judge(error, cancelled_by=None, redact=plain)
            assert isinstance(verdict.reason, Shutdown)
            assert verdict.reason.error == "OSError: beside it"
            assert verdict.passes_on is not None
            passed.append(verdict.passes_on)
            raise verdict.passes_on from None

    with trio.move_on_after(0) as outer:
        await incarnation()
    assert outer.cancelled_caught
    assert isinstance(passed[0], BaseExceptionGroup)
    assert passed[0].subgroup(OSError) is None


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), SystemExit(3)])
def test_an_interrupt_passes_on_alone_whatever_else_there_is(interrupt: BaseException) -> None:
    group = BaseExceptionGroup("", [ValueError("beside"), BaseExceptionGroup("", [interrupt])])
    verdict = judge(group, cancelled_by="stop", redact=plain)
    assert verdict.passes_on is interrupt
    assert isinstance(verdict.reason, Crashed)


async def test_a_keyboard_interrupt_in_an_actor_is_answered_for_and_goes_through_to_the_host(
    autojump_clock: object,
) -> None:
    got: dict[object, object] = {}
    strike = trio.Event()
    diary = Diary()

    async def handler(envelope: Envelope) -> object:
        if envelope.message == "interrupt":
            await strike.wait()
            raise KeyboardInterrupt
        await trio.sleep_forever()

    async def host(nursery: trio.Nursery) -> None:
        async with running(worker("a", serving(handler, places=2)), diary=diary) as tree:
            answers = Answers(nursery)
            answers.got = got
            for message in ("in hand", "interrupt", "queued"):
                answers.ask(tree.ref("a"), message)
                await settle()
            strike.set()
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        with pytest.raises(KeyboardInterrupt):
            await host(nursery)

    assert isinstance(got["in hand"], ActorFailed)
    assert isinstance(got["interrupt"], ActorFailed)
    assert got["queued"] == Undelivered(reason="stopping")
    assert diary.of(RestartScheduled) == []
    assert trio.current_time() == 0.0


async def test_a_keyboard_interrupt_within_a_turn_reaches_the_asker_and_takes_the_actor_down(
    autojump_clock: object,
) -> None:
    """It struck in the asker's task, while the actor's state was half changed."""

    def handler(envelope: Envelope) -> object:
        raise KeyboardInterrupt

    diary = Diary()
    async with running(worker("a", taking_turns(handler)), diary=diary) as tree:
        with pytest.raises(KeyboardInterrupt):
            await tree.ref("a").ask("x", deadline=in_s(5))
        assert tree.status()[0].in_hand == 0
        await settle()
        reason = diary.one(ActorExited).reason
        assert isinstance(reason, Crashed)
        assert "interrupted" in reason.error


async def test_a_dead_incarnation_is_not_kept_alive_by_its_own_exception(autojump_clock: object) -> None:
    class Luggage:
        pass

    alive: list[weakref.ref[Luggage]] = []

    async def start(ctx: Context) -> None:
        if ctx.generation > 1:
            ctx.started()
            await trio.sleep_forever()
        luggage = Luggage()
        alive.append(weakref.ref(luggage))
        ctx.started()
        await settle()
        raise Boom

    async with running(worker("a", start)):
        await trio.sleep(5)
        gc.collect()
        assert alive[0]() is None


def test_an_error_is_put_into_bounded_redacted_text() -> None:
    try:
        raise Boom("key=canary " + "x" * 10_000)
    except Boom as error:
        line, trace = describe_error(error, lambda text: text.replace("canary", "*"))
    assert line.startswith("Boom: key=* x")
    assert len(line) < 600
    assert len(trace) < 21_000
    assert "canary" not in line + trace


def test_an_error_that_cannot_be_put_into_words_is_still_told_of() -> None:
    class Speechless(Exception):
        def __str__(self) -> str:
            raise ValueError

    line, _ = describe_error(Speechless(), plain)
    assert line.endswith("Speechless: its text cannot be had: ValueError")


async def test_a_lone_cancellation_and_a_lone_error_need_no_group() -> None:
    passed: list[BaseException | None] = []

    async def incarnation() -> None:
        try:
            await trio.sleep_forever()
        except BaseException as error:
            passed.append(judge(error, cancelled_by=None, redact=plain).passes_on)
            raise

    with trio.move_on_after(0):
        await incarnation()
    assert isinstance(passed[0], trio.Cancelled)
    reason = judge(Boom("x"), cancelled_by=None, redact=plain).reason
    assert isinstance(reason, Crashed)
    assert (reason.error, reason.related) == ("Boom: x", ())


def test_the_first_leaf_is_the_cause() -> None:
    cause = OSError()
    assert first_leaf(ExceptionGroup("", [ExceptionGroup("", [cause]), ValueError()])) is cause
    assert first_leaf(cause) is cause


async def test_a_bare_nursery_gives_back_a_single_exception_with_its_own_cause_and_no_group_as_context() -> None:
    async def fall() -> None:
        raise Boom from ValueError("the cause")

    async def open_and_fall() -> None:
        async with open_bare_nursery() as nursery:
            nursery.start_soon(fall)

    with pytest.raises(Boom) as raised:
        await open_and_fall()
    assert isinstance(raised.value.__cause__, ValueError)
    assert not isinstance(raised.value.__context__, BaseExceptionGroup)


async def test_a_bare_nursery_gives_several_exceptions_as_a_group() -> None:
    async def fall() -> None:
        raise Boom

    async def open_and_fall() -> None:
        async with open_bare_nursery() as nursery:
            nursery.start_soon(fall)
            nursery.start_soon(fall)

    with pytest.raises(ExceptionGroup):
        await open_and_fall()


async def test_an_actor_whose_request_is_cancelled_with_it_ends_as_a_shutdown(autojump_clock: object) -> None:
    diary = Diary()
    async with running(worker("a", serving(for_ever)), diary=diary) as tree:
        tree.ref("a").cast("x")
        await settle()
        await tree.stop(drain_s=0, hard_s=1)
        assert diary.one(ActorExited).reason == Shutdown(by="stop")
