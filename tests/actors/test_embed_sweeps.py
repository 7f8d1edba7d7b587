"""One blow at every step of an embedding of two calls: one end, whole vectors or none, true books, nothing left."""

from __future__ import annotations

import itertools

import pytest
import trio
import trio.testing

from manus.actors.codecs.embed_answer import unpacked
from manus.messages.ids import RequestId
from manus.messages.outcomes import Embedded, Unfinished
from manus.messages.requests import EmbedRequest
from manus.sim.behaviour import Script
from manus.sim.embeddings import DIMENSIONS, vector_of
from manus.sim.faults import Cut, Fault
from manus.supervisor.terminals import ActorFailed
from tests.actors.rig import Rig, Upstreams, open_rig
from tests.actors.test_embed_run import EMBEDDER
from tests.actors.test_router_sweeps import AT_ONCE, STEPS_MAX, Blow

TEXTS = tuple(f"text {number}" for number in range(600))
VECTORS = [vector_of(text, DIMENSIONS) for text in TEXTS]
BLOWS = ("the caller leaves", "provider/a", "provider/b", "router", "accounting")
FAULTS: dict[str, Fault | None] = {"fair": None, "cut": Cut(where="body", after_chunks=0)}

_numbers = itertools.count(1)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("blow", BLOWS)
def test_a_blow_at_every_step_leaves_one_end_and_true_books(blow: str, fault: str) -> None:
    ends: set[str] = set()
    for passes in range(STEPS_MAX):
        clock = trio.testing.MockClock(autojump_threshold=0.0)
        struck, end = trio.run(_once, passes, blow, fault, clock=clock)
        ends.add(end)
        if not struck:
            break
    else:
        pytest.fail("the request never ended before the blow")
    assert passes > 10
    assert "Embedded" in ends


async def _once(passes: int, blow: str, fault: str) -> tuple[bool, str]:
    first = Upstreams(Script(fault=FAULTS[fault]), wire="ollama")
    cards = {"a": (EMBEDDER,), "b": (EMBEDDER,)}
    async with open_rig(("a", first), ("b", Upstreams(wire="ollama")), policy=AT_ONCE, cards=cards) as rig:
        struck, answer, left = await _struck(rig, passes, blow)
        await rig.check()
        assert not [event for event in rig.events if type(event).__name__ == "RequestCrashed"]
    if left:
        assert blow == "the caller leaves"
        return struck, "left"
    match answer:
        case Embedded(vectors=vectors, durable=durable):
            assert durable
            assert [unpacked(vector).tolist() for vector in vectors] == VECTORS
        case Unfinished(partial=partial):
            given = () if partial is None else partial.vectors
            assert [unpacked(vector).tolist() for vector in given] == VECTORS[: len(given)]
        case ActorFailed(kind=kind):
            assert (blow, kind) == ("router", "actor_crashed")
        case other:
            pytest.fail(f"an end that nobody should see: {other}")
    return struck, type(answer).__name__


async def _struck(rig: Rig, passes: int, blow: str) -> tuple[bool, object, bool]:
    """Ask, and strike after so many scheduler passes; gives whether anything was struck, the answer, and who left."""
    answers: list[object] = []
    scope = trio.CancelScope()
    struck = False

    async def ask() -> None:
        request = EmbedRequest(request_id=RequestId(f"s{next(_numbers)}"), inputs=TEXTS)
        with scope:
            answers.append(await rig.router.ask(request, deadline=trio.current_time() + 60))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        for _ in range(passes):
            await trio.lowlevel.checkpoint()
        if not answers:
            struck = True
            if blow == "the caller leaves":
                scope.cancel()
            else:
                rig.tree.crash(blow, Blow())
    return struck, answers[0] if answers else None, scope.cancelled_caught
