"""`AgentConfig`: the defaults of one agent, on every way to one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import manus
from manus.sim.behaviour import Script
from manus.sim.faults import Rejected
from manus.sim.wire import ChatAsked
from tests.face.rig import Rig, config
from tests.hosts.rig import options

FILE = """
[ledger]
path = ":memory:"
[providers.first]
type = "openai"
priority = 1
api_key = "sk-canary-0b1d7e"
base_url = "http://first/v1"
models = [{ name = "big" }, { name = "huge" }]
[providers.second]
type = "ollama"
priority = 2
models = [{ name = "small" }]
"""


def asked_of(rig: Rig) -> list[ChatAsked]:
    """Note what the first provider is asked."""
    heard: list[ChatAsked] = []

    def hear(asked: ChatAsked) -> Script:
        heard.append(asked)
        return Script(words=50)

    rig.first.behave(hear)
    return heard


def test_requests_have_the_defaults_unless_they_say_otherwise() -> None:
    rig = Rig()
    heard = asked_of(rig)
    defaults = manus.AgentConfig(system_prompt="Be brief.", max_tokens=7, temperature=0.1, timeout=9.0)
    with manus.open_sync(defaults, config(), **options(rig)) as agent:
        agent.generate("Hello")
        agent.generate("Hello", system_prompt="Be long.", max_tokens=9)
        agent.stream("Hello").response()
        agent.chat("Hello", "talk")
        assert agent.get_conversation("talk").system[0].parts[0] == manus.Text(text="Be brief.")
    assert [(asked.system, asked.max_output_tokens) for asked in heard] == [
        ("Be brief.", 7),
        ("Be long.", 9),
        ("Be brief.", 7),
        ("Be brief.", 7),
    ]


@pytest.mark.parametrize(
    ("chosen", "deployment"),
    [
        ({"provider": "second"}, "second/small"),
        ({"provider": "first", "model": "huge"}, "first/huge"),
        ({"model": "small"}, "second/small"),
        ({"routing_strategy": manus.RoutingStrategy.PRIORITY}, "first/big"),
    ],
)
def test_the_first_choice_is_that_of_the_agent(chosen: dict[str, Any], deployment: str, tmp_path: Path) -> None:
    path = tmp_path / "llm.toml"
    path.write_text(FILE)
    with manus.open_sync(manus.AgentConfig(**chosen), config_path=str(path), **options(Rig())) as agent:
        response = agent.generate("Hello")
        assert f"{response.provider}/{response.model}" == deployment
        assert agent.origin == str(path)
        if "provider" in chosen:
            assert agent.get_available_providers()[0] == chosen["provider"]
        agent.switch_provider("first", "huge")
        assert agent.generate("Hello").model == "huge"


@pytest.mark.parametrize("enabled", [True, False])
def test_fallback_can_be_switched_off(enabled: bool) -> None:
    rig = Rig(Script(fault=Rejected(status=500)))
    with manus.open_sync(manus.AgentConfig(enable_fallback=enabled), config(), **options(rig)) as agent:
        if enabled:
            assert agent.generate("Hello").provider == "second"
        else:
            with pytest.raises(manus.ProviderError):
                agent.generate("Hello")
            assert agent.generate("Hello", fallback_providers=["second"]).provider == "second"


@pytest.mark.parametrize("streaming", [True, False])
def test_streaming_is_what_the_agent_says_first(streaming: bool) -> None:
    defaults = manus.AgentConfig(streaming=streaming)
    with manus.open_sync(defaults, config(general={"enable_streaming": not streaming}), **options(Rig())) as agent:
        assert agent.enable_streaming == streaming
    with manus.open_sync(config(general={"enable_streaming": streaming}), **options(Rig())) as agent:
        assert agent.enable_streaming == streaming


async def test_the_agent_in_the_loop_takes_them_too() -> None:
    async with manus.open_agent(manus.AgentConfig(provider="second"), config_path=config(), **options(Rig())) as agent:
        assert (await agent.generate("Hello")).provider == "second"
        assert (await agent.explain("Hello")).candidates[0].deployment == "second/small"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"temperature": 17}, r"AgentConfig\.temperature: expected a number"),
        ({"timeout": 0}, r"AgentConfig\.timeout: expected a number"),
        ({"max_tokens": 0}, r"AgentConfig\.max_tokens: "),
        ({"routing_strategy": "prioritty"}, r"AgentConfig\.routing_strategy: .*priority"),
        ({"system_prompt": "a\0b"}, r"AgentConfig\.system_prompt: holds a NUL"),
        ({"system_prompt": 5}, r"AgentConfig\.system_prompt: expected text"),
        ({"provider": "frist"}, r"AgentConfig\.provider: there is no provider of this name.*first"),
        ({"provider": "first", "model": "small"}, r"AgentConfig\.model: first lists no model of this name"),
        ({"model": "hugest"}, r"AgentConfig\.model: no provider lists a model of this name"),
        ({"fallback_providers": ["second"], "enable_fallback": False}, r"AgentConfig\.fallback_providers: "),
        ({"fallback_providers": "second"}, r"AgentConfig\.fallback_providers: "),
    ],
)
def test_what_cannot_be_is_told_when_the_agent_is_opened(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(manus.ConfigurationError, match=told):
        manus.open_sync(manus.AgentConfig(**wrong), config(), **options(Rig()))


def test_two_configurations_are_one_too_many() -> None:
    with pytest.raises(manus.ConfigurationError, match="config and config_path"):
        manus.open_sync(config(), "llm.toml")
