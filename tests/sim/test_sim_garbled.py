"""Whatever a client sends, a simulated vendor answers it or refuses it: nobody can bring it down."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.messages.content import Image, Text, ToolCall, ToolResult, Turn, text_turn
from manus.messages.requests import Tool, ToolChoice
from manus.sim.provider import WIRES, SimProvider
from manus.sim.steps import Head
from manus.sim.wire import SimRequest, WireName
from tests.sim.test_sim_asked import PIXEL, addressed, request_for

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


def good(wire: WireName) -> SimRequest:
    """A request that holds about everything."""
    turns = (
        text_turn("system", "Be brief."),
        Turn(role="user", parts=(Text(text="What is it?"), Image(data=PIXEL, media_type="image/png"))),
        Turn(role="assistant", parts=(ToolCall(id="call_1", name="look", arguments="{}"),)),
        Turn(role="tool", parts=(ToolResult(id="call_1", content=(Text(text="a cat"),)),)),
    )
    tools = (Tool(name="look"),)
    return addressed(wire, request_for(turns=turns, tools=tools, tool_choice=ToolChoice(), max_output_tokens=100))[0]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Give every place in a JSON value that can be written to: a container and a key."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            found += [(value, key), *places(member)]
    return found


def status_of(wire: WireName, request: SimRequest) -> int:
    """Play a request to its end; give the status."""
    exchange = SimProvider(wire).answer(request)
    status = 0
    while (step := exchange.next_step()) is not None:
        if isinstance(step, Head):
            status = step.status
    return status


@pytest.mark.parametrize("wire", WIRES)
def test_the_ungarbled_request_is_good(wire: WireName) -> None:
    assert status_of(wire, good(wire)) == 200


@pytest.mark.parametrize("wire", WIRES)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_garbled_request_is_answered_or_refused(wire: WireName, data: st.DataObject) -> None:
    request = good(wire)
    body = json.loads(request.body)
    for _ in range(data.draw(st.integers(min_value=1, max_value=2))):
        container, key = data.draw(st.sampled_from(places(body)))
        if data.draw(st.booleans()) and isinstance(container, dict):
            container.pop(key, None)
        elif isinstance(container, dict) or key < len(container):
            container[key] = data.draw(JSON)
    garbled = SimRequest(
        method=request.method,
        path=request.path,
        query=request.query,
        headers=request.headers,
        body=json.dumps(body).encode(),
    )
    assert status_of(wire, garbled) in (200, 400, 404)


@pytest.mark.parametrize("wire", WIRES)
@given(body=st.binary(max_size=40) | JSON.map(json.dumps).map(str.encode))
@settings(max_examples=60, deadline=None)
def test_a_body_of_something_else_is_refused(wire: WireName, body: bytes) -> None:
    request = good(wire)
    other = SimRequest(method="POST", path=request.path, query=request.query, headers=request.headers, body=body)
    assert status_of(wire, other) in (200, 400, 404)
