"""Which deployments may answer a request, in which order, and why the others may not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.routing.needs import needs_of
from manus.actors.routing.plan import Plan
from manus.actors.routing.table import POOLS_KEPT, RoutingTable
from manus.messages.content import Audio, Document, Image, Text, ToolResult, Turn
from manus.messages.failures import Failed
from manus.messages.policy import ModelCard, ProviderPolicy
from manus.messages.requests import ChatRequest, OutputFormat, RoutingCriteria, Tool
from manus.messages.routing_policy import RouterPolicy
from tests.actors.planning import ask, entry, order, reasons, standing


def planned(
    request: ChatRequest,
    *providers: ProviderPolicy,
    policy: RouterPolicy | None = None,
    disabled: tuple[str, ...] = (),
    tokens: int = 10,
) -> Plan:
    table = RoutingTable(providers, policy or RouterPolicy(), disabled=disabled)
    plan = table.plan(request, estimated_input_tokens=tokens, standing=standing())
    assert isinstance(plan, Plan), plan
    return plan


def refused(request: ChatRequest, *providers: ProviderPolicy, tokens: int = 10, **options: Any) -> Failed:
    table = RoutingTable(providers, options.pop("policy", RouterPolicy()), **options)
    plan = table.plan(request, estimated_input_tokens=tokens, standing=standing())
    assert isinstance(plan, Failed), plan
    return plan


A = entry("a", "m1", "m2", priority=2)
B = entry("b", "m2", "m3", priority=1)
C = entry("c", "m4", priority=3)


@pytest.mark.parametrize(
    ("request_", "policy", "expected"),
    [
        (ask(), RouterPolicy(), ["b/m2", "a/m1", "c/m4"]),
        (ask(), RouterPolicy(default_provider="c"), ["c/m4", "b/m2", "a/m1"]),
        (ask(), RouterPolicy(default_provider="c", fallback_providers=("a",)), ["c/m4", "a/m1"]),
        (ask(), RouterPolicy(fallback_providers=("c",)), ["b/m2", "c/m4"]),
        (ask(provider="a"), RouterPolicy(), ["a/m1", "b/m2", "c/m4"]),
        (
            ask(provider="a"),
            RouterPolicy(default_provider="c", fallback_providers=("c", "b")),
            ["a/m1", "c/m4", "b/m2"],
        ),
        (ask(provider="a", fallback_providers=()), RouterPolicy(), ["a/m1"]),
        (ask(provider="a", fallback_providers=("c",)), RouterPolicy(fallback_providers=("b",)), ["a/m1", "c/m4"]),
        (ask(fallback_providers=()), RouterPolicy(), ["b/m2"]),
        (ask(model="m2"), RouterPolicy(), ["b/m2", "a/m2", "c/m4"]),
        (ask(model="m2"), RouterPolicy(default_provider="a"), ["a/m2", "b/m2", "c/m4"]),
        (ask(model="m2", fallback_providers=()), RouterPolicy(), ["b/m2"]),
        (ask(model="m1", provider="a"), RouterPolicy(), ["a/m1", "b/m2", "c/m4"]),
        (ask(model="m3", provider="b", fallback_providers=("a",)), RouterPolicy(), ["b/m3", "a/m1"]),
    ],
)
def test_first_choice_leads_then_the_fallback_list_or_priority(
    request_: ChatRequest, policy: RouterPolicy, expected: list[str]
) -> None:
    assert order(planned(request_, A, B, C, policy=policy)) == expected


def test_named_provider_without_the_named_model_is_left_out_and_others_that_have_it_answer() -> None:
    plan = planned(ask(provider="a", model="m4"), A, B, C)

    assert order(plan) == ["b/m2", "c/m4"]
    assert reasons(plan) == {"a/m4": "lacks the model asked for"}


def test_entry_that_takes_any_model_is_asked_for_it_where_it_was_named_or_nobody_lists_it() -> None:
    anything = entry("any", any_model=True)

    assert order(planned(ask(provider="any", model="m1", fallback_providers=()), A, anything)) == ["any/m1"]
    assert order(planned(ask(model="m1"), A, anything)) == ["a/m1"]
    assert order(planned(ask(model="new"), A, anything)) == ["any/new", "a/m1"]


def test_entry_without_a_model_to_ask_is_left_out_and_says_so() -> None:
    plan = planned(ask(), A, entry("any", any_model=True, priority=1))

    assert order(plan) == ["a/m1"]
    assert reasons(plan) == {"any/*": "no model was named and the entry lists none"}


def test_disabled_first_choice_is_left_out_with_its_reason() -> None:
    plan = planned(ask(provider="off"), A, disabled=("off",))

    assert order(plan) == ["a/m1"]
    assert "disabled" in reasons(plan)["off/*"]


def test_unknown_provider_is_refused_with_a_suggestion() -> None:
    failure = refused(ask(provider="opnai"), entry("openai", "m"))

    assert (failure.kind, failure.param) == ("no_candidate", "provider")
    assert "'openai'" in failure.message


def test_unknown_fallback_is_refused() -> None:
    assert refused(ask(fallback_providers=("nobody",)), A).param == "fallback_providers"


def test_model_that_nobody_has_is_refused_with_a_suggestion() -> None:
    failure = refused(ask(model="m-1"), A)

    assert (failure.kind, failure.param) == ("no_candidate", "model")
    assert "Did you mean 'm1'" in failure.message


def test_nothing_configured_is_said() -> None:
    assert "no provider is configured" in refused(ask()).message


def test_policy_that_names_an_unknown_entry_is_a_mistake_of_the_wiring() -> None:
    with pytest.raises(ValueError, match="nobody"):
        RoutingTable((A,), RouterPolicy(default_provider="nobody"))
    with pytest.raises(ValueError, match="same name"):
        RoutingTable((A, A), RouterPolicy())


PICTURE = Turn(role="user", parts=(Text(text="what is this"), Image(url="https://x.test/a.png")))
SHOWN = Turn(role="tool", parts=(ToolResult(id="1", content=(Image(url="https://x.test/a.png"),)),))


@pytest.mark.parametrize(
    ("request_", "needs"),
    [
        (ask(), ()),
        (ask(turns=(PICTURE,)), ("vision",)),
        (ask(turns=(SHOWN,)), ("vision",)),
        (ask(turns=(PICTURE, PICTURE)), ("vision",)),
        (ask(turns=(Turn(role="user", parts=(Document(file_id="x"), Audio(data=b"x"))),)), ("documents", "audio")),
        (ask(turns=(Turn(role="user", parts=(Document(text="x"),)),)), ()),
        (ask(turns=(Turn(role="user", parts=(Document(data=b"x", media_type="text/csv"),)),)), ()),
        (ask(turns=(Turn(role="user", parts=(Document(data=b"x"),)),)), ("documents",)),
        (ask(tools=(Tool(name="t"),)), ("tools",)),
        (ask(output=OutputFormat()), ()),
        (ask(output=OutputFormat(schema=msgspec.Raw(b"{}"))), ("json_schema",)),
        (ask(stream=True), ("streaming",)),
        (ask(wants=RoutingCriteria(requires_vision=True, requires_reasoning=True)), ("vision", "reasoning")),
        (ask(wants=RoutingCriteria(requires_functions=True, requires_json_schema=True)), ("tools", "json_schema")),
        (ask(stream=True, wants=RoutingCriteria(requires_streaming=True)), ("streaming",)),
    ],
)
def test_needs_are_inferred_from_content_and_criteria(request_: ChatRequest, needs: tuple[str, ...]) -> None:
    assert needs_of(request_) == needs


def test_model_known_to_lack_a_capability_gives_way_to_the_next_of_its_entry_and_unknown_is_permitted() -> None:
    blind = ModelCard(name="blind", vision=False)
    seeing = ModelCard(name="seeing", vision=True)
    plan = planned(ask(turns=(PICTURE,)), entry("a", blind, seeing), entry("b", blind), entry("c", "unknown"))

    assert order(plan) == ["a/seeing", "c/unknown"]
    assert reasons(plan) == {"b/blind": "cannot read images"}


def test_named_model_that_lacks_a_capability_is_not_replaced_within_its_entry() -> None:
    blind = ModelCard(name="blind", vision=False)
    seeing = ModelCard(name="seeing", vision=True)
    plan = planned(ask(turns=(PICTURE,), model="blind"), entry("a", blind, seeing), entry("b", seeing))

    assert order(plan) == ["b/seeing"]


def test_nobody_able_is_refused_and_each_candidate_says_why() -> None:
    failure = refused(ask(stream=True), entry("a", ModelCard(name="slow", streaming=False)))

    assert failure.kind == "no_candidate"
    assert "a/slow: cannot stream" in failure.message


@pytest.mark.parametrize(
    ("lacking", "request_", "param"),
    [
        ("vision", ask(turns=(PICTURE,), model="m"), "turns[0].parts[1]"),
        ("vision", ask(turns=(SHOWN,), model="m"), "turns[0].parts[0]"),
        ("documents", ask(turns=(Turn(role="user", parts=(Document(url="u"),)),), model="m"), "turns[0].parts[0]"),
        ("audio", ask(turns=(Turn(role="user", parts=(Audio(data=b"x"),)),), model="m"), "turns[0].parts[0]"),
        ("tools", ask(tools=(Tool(name="t"),), model="m"), "tools"),
        ("json_schema", ask(output=OutputFormat(schema=msgspec.Raw(b"{}")), model="m"), "output.schema"),
        ("streaming", ask(stream=True, model="m"), "stream"),
        ("reasoning", ask(wants=RoutingCriteria(requires_reasoning=True), model="m"), "criteria"),
        ("tools", ask(wants=RoutingCriteria(requires_functions=True), model="m"), "criteria"),
    ],
)
def test_a_model_that_was_named_and_lacks_what_is_needed_is_refused_by_field(
    lacking: str, request_: ChatRequest, param: str
) -> None:
    unable = msgspec.structs.replace(ModelCard(name="m"), **{lacking: False})
    failure = refused(request_, entry("a", unable))

    assert (failure.kind, failure.param, failure.model) == ("unsupported", param, "m")
    assert failure.message.startswith(f"{param}: ")
    assert "name a model that can" in failure.message


def test_a_schema_is_no_reason_where_the_wire_can_carry_it_otherwise() -> None:
    request = ask(output=OutputFormat(schema=msgspec.Raw(b"{}")))
    unable = ModelCard(name="m", json_schema=False)
    for kind in ("anthropic", "bedrock"):
        provider = msgspec.structs.replace(entry("a", unable), type=kind)
        assert order(planned(request, provider)) == ["a/m"]


def test_a_model_that_is_not_listed_is_judged_by_what_is_known_of_it() -> None:
    provider = msgspec.structs.replace(
        entry("a", any_model=True), describe=lambda name: ModelCard(name=name, vision=name == "seeing")
    )
    assert order(planned(ask(turns=(PICTURE,), model="seeing"), provider)) == ["a/seeing"]
    assert refused(ask(turns=(PICTURE,), model="blind"), provider).kind == "unsupported"


def test_a_prompt_is_held_against_the_longest_prompt_and_not_the_window() -> None:
    card = ModelCard(name="m", context_tokens=1000, prompt_tokens=100)
    failure = refused(ask(), entry("a", card), tokens=500)
    assert failure.kind == "context_length"
    assert "100" in failure.message


def test_window_below_the_one_asked_for_is_left_out() -> None:
    small, large = ModelCard(name="small", context_tokens=1000), ModelCard(name="large", context_tokens=9000)
    request = ask(wants=RoutingCriteria(min_context_length=5000))

    plan = planned(request, entry("a", small), entry("b", large), entry("c", "unknown"))

    assert order(plan) == ["b/large", "c/unknown"]


SMALL = ModelCard(name="small", context_tokens=1000)
MIDDLE = ModelCard(name="middle", context_tokens=4000)
LARGE = ModelCard(name="large", context_tokens=16000)


def test_larger_models_of_an_entry_stand_in_reserve() -> None:
    plan = planned(ask(), entry("a", SMALL, LARGE, MIDDLE), entry("b", "other"))

    assert [(c.deployment, c.use) for c in plan.choices] == [
        ("a/small", "any"),
        ("b/other", "any"),
        ("a/middle", "larger_window"),
        ("a/large", "larger_window"),
    ]


@pytest.mark.parametrize(
    ("tokens", "expected", "left_out"),
    [
        (900, ["a/small", "b/middle"], []),
        (1500, ["b/middle", "a/small"], []),
        (2500, ["b/middle"], ["a/small"]),
        (5000, ["b/middle"], ["a/small"]),
    ],
)
def test_window_too_small_goes_last_then_out(tokens: int, expected: list[str], left_out: list[str]) -> None:
    plan = planned(ask(), entry("a", SMALL), entry("b", MIDDLE), tokens=tokens)

    assert order(plan) == expected
    assert list(reasons(plan)) == left_out


def test_reserved_model_comes_forward_when_nothing_else_surely_fits() -> None:
    plan = planned(ask(), entry("a", SMALL, LARGE), tokens=9000)

    assert [(c.deployment, c.use) for c in plan.choices] == [("a/large", "any")]


def test_prompt_beyond_every_window_is_a_context_length_failure() -> None:
    failure = refused(ask(), entry("a", SMALL), entry("b", MIDDLE), tokens=100_000)

    assert failure.kind == "context_length"
    assert "4000" in failure.message


def test_plans_are_remembered_by_kind_and_bounded() -> None:
    table = RoutingTable((entry("any", any_model=True),), RouterPolicy())
    first = table.plan(ask(model="x0"), estimated_input_tokens=1, standing=standing())

    assert table.plan(ask(model="x0"), estimated_input_tokens=2, standing=standing()) is first
    for number in range(POOLS_KEPT + 5):
        table.plan(ask(model=f"x{number}"), estimated_input_tokens=1, standing=standing())
    assert len(table._prepared) <= POOLS_KEPT


@settings(max_examples=150)
@given(data=st.data())
def test_every_plan_is_finite_ranked_and_names_each_deployment_once(data: st.DataObject) -> None:
    names = ["a", "b", "c", "d"]
    card = st.builds(
        ModelCard,
        name=st.sampled_from(["m1", "m2", "m3"]),
        vision=st.sampled_from([None, True, False]),
        context_tokens=st.sampled_from([None, 500, 5000]),
    )
    providers = [
        ProviderPolicy(
            name=name,
            type="openai",
            priority=data.draw(st.integers(1, 3)),
            models=tuple(data.draw(st.lists(card, max_size=3, unique_by=lambda c: c.name))),
            any_model=data.draw(st.booleans()),
        )
        for name in names
    ]
    request = ask(
        provider=data.draw(st.sampled_from([None, *names])),
        model=data.draw(st.sampled_from([None, "m1", "m2", "m9"])),
        fallback_providers=data.draw(st.none() | st.lists(st.sampled_from(names), max_size=4).map(tuple)),
        wants=RoutingCriteria(requires_vision=data.draw(st.booleans())),
    )
    tokens = data.draw(st.sampled_from([10, 600, 4000, 50_000]))

    plan = RoutingTable(providers, RouterPolicy()).plan(request, estimated_input_tokens=tokens, standing=standing())

    if isinstance(plan, Failed):
        assert plan.kind in ("no_candidate", "context_length", "unsupported")
        return
    assert plan.choices
    assert plan.choices[0].use == "any"
    assert len(set(order(plan))) == len(plan.choices)
    assert [c.rank for c in plan.candidates] == list(range(len(plan.choices)))
    for choice in plan.choices:
        assert not (request.criteria and request.criteria.requires_vision and choice.card.vision is False)
        assert choice.card.context_tokens is None or tokens <= 2 * choice.card.context_tokens
