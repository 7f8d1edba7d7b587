"""Every face has every method of the contract, under the same name and with the same parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import get_type_hints

import pytest

import manus
from manus.opening import OpenOptions
from manus.streams import SSEStream

NAMES = sorted(name for name in vars(manus.LLMAgent) if not name.startswith("_"))
STREAM_NAMES = sorted(name for name in vars(manus.LLMStream) if not name.startswith("_") and name != "request_id")

MADE_SYNC = {"LLMStream": "SyncStream", "SSEStream": "SyncSSEStream", "AgentEvents": "SyncEvents"}


def shape(method: Callable[..., object]) -> list[tuple[str, object, object]]:
    """Give the parameters; their types are mypy's to compare."""
    return [(each.name, each.kind, each.default) for each in inspect.signature(method).parameters.values()]


def is_written_by_hand(method: object) -> bool:
    return not getattr(method, "__isabstractmethod__", False)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("face", [manus.TrioAgent, manus.HostedAgent])
def test_every_method_of_the_contract_is_there(face: type, name: str) -> None:
    method, contract = getattr(face, name), getattr(manus.LLMAgent, name)
    assert is_written_by_hand(method)
    if callable(contract):
        assert shape(method) == shape(contract)
        assert inspect.iscoroutinefunction(method) == inspect.iscoroutinefunction(contract)


@pytest.mark.parametrize("name", NAMES)
def test_the_sync_agent_has_them_without_await(name: str) -> None:
    method, contract = getattr(manus.SyncAgent, name), getattr(manus.LLMAgent, name)
    assert isinstance(method, property) == isinstance(contract, property)
    if callable(contract):
        assert shape(method) == shape(contract)
        promised = str(inspect.signature(contract).return_annotation)
        assert inspect.signature(method).return_annotation == MADE_SYNC.get(promised, promised)
        assert not inspect.iscoroutinefunction(method)
    assert inspect.getdoc(method) == f"See `LLMAgent.{name}`."


def test_the_sync_agent_has_nothing_else_but_its_end() -> None:
    public = {name for name in vars(manus.SyncAgent) if not name.startswith("_")}
    assert public - set(NAMES) == {"shutdown"}


@pytest.mark.parametrize("face", [manus.TrioStream, manus.HostedStream])
@pytest.mark.parametrize("name", [*STREAM_NAMES, "__anext__"])
def test_every_stream_keeps_the_contract(face: type, name: str) -> None:
    assert is_written_by_hand(getattr(face, name))


def test_the_sync_stream_has_the_same_names() -> None:
    public = {name for name in dir(manus.SyncStream) if not name.startswith("_")}
    assert public == {*STREAM_NAMES, "request_id"} - {"aclose"}
    assert inspect.getdoc(SSEStream.close)


def test_every_way_to_an_agent_takes_the_same_options() -> None:
    taken = inspect.signature(manus.open_agent).parameters
    assert {name for name in taken if name not in ("config", "config_path")} == set(get_type_hints(OpenOptions))
    for way in (manus.create_agent, manus.open_sync):
        assert [*inspect.signature(way).parameters] == ["config", "config_path", "options"]
