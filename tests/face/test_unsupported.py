"""What a model rejects, or cannot be sent, as its caller meets it: warnings, refusals that name the field, failover."""

from __future__ import annotations

from typing import Any

import pytest
import trio.testing

import manus
from tests.actors.test_pictures import png
from tests.face.rig import KEY, MODEL, TEXT, Rig, open_rig


def tables(general: dict[str, object] | None = None, **facts: object) -> dict[str, Any]:
    """Describe both providers, with more facts about the first one's model."""
    first = {"type": "openai", "priority": 1, "api_key": KEY, "base_url": "http://first/v1", "models": [MODEL | facts]}
    second = {"type": "ollama", "priority": 2, "models": [{"name": "small"}]}
    return {"general": general or {}, "providers": {"first": first, "second": second}}


async def test_a_parameter_that_is_left_out_is_told_with_the_answer(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig()
    async with open_rig(rig, tables(seed=False)) as agent:
        response = await agent.generate("Hello", seed=7)
        stream = agent.stream("Hello", seed=7)
        chunks = [chunk async for chunk in stream]
    assert response.content == TEXT
    assert response.provider == "first"
    (warning,) = response.warnings
    assert "seed" in warning
    assert response.to_dict()["warnings"] == (warning,)
    assert [chunk.text for chunk in chunks if chunk.kind == "warning"] == [warning]
    assert "".join(chunk.delta for chunk in chunks) == TEXT


async def test_an_answer_to_a_request_that_was_taken_whole_has_no_warnings(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_rig(Rig(), tables(seed=True)) as agent:
        assert (await agent.generate("Hello", seed=7)).warnings == ()


@pytest.mark.parametrize("where", ["general", "request"])
async def test_who_wants_no_compromise_gets_another_model_or_an_error_that_names_the_field(
    autojump_clock: trio.testing.MockClock, where: str
) -> None:
    rig = Rig()
    general: dict[str, object] = {"on_unsupported": "refuse"} if where == "general" else {}
    options: dict[str, Any] = {"on_unsupported": "refuse"} if where == "request" else {}
    async with open_rig(rig, tables(general, seed=False)) as agent:
        elsewhere = await agent.generate("Hello", seed=7, **options)
        with pytest.raises(manus.InvalidRequestError, match=r"^sampling\.seed: .*on_unsupported"):
            await agent.generate("Hello", seed=7, fallback_providers=[], **options)
    assert elsewhere.provider == "second"
    assert [attempt.result for attempt in elsewhere.route.attempts] == ["unsupported", "ok"]
    assert elsewhere.route.attempts[0].booking == "released"
    assert rig.first.bill.rows() == ()


async def test_a_request_may_be_laxer_than_the_configuration(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig(), tables({"on_unsupported": "refuse"}, seed=False)) as agent:
        assert (await agent.generate("Hello", seed=7, on_unsupported="drop")).provider == "first"


async def test_pictures_to_a_model_that_does_not_see_are_refused_by_field_where_it_was_named(
    autojump_clock: trio.testing.MockClock,
) -> None:
    asked = manus.Turn(role="user", parts=(manus.Text(text="What is this?"), manus.image(png(2, 2))))
    rig = Rig()
    async with open_rig(rig, tables(vision=False)) as agent:
        with pytest.raises(manus.InvalidRequestError, match=r"^turns\[0\]\.parts\[1\]: .*cannot read images"):
            await agent.generate(asked, model="big", fallback_providers=[])
        assert (await agent.generate(asked)).provider == "second"
    assert rig.first.bill.rows() == ()


async def test_an_option_that_does_not_exist_is_refused(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig(), tables()) as agent:
        with pytest.raises(manus.InvalidRequestError, match="on_unsupported: expected"):
            await agent.generate("Hello", on_unsupported="ignore")  # type: ignore[arg-type]
