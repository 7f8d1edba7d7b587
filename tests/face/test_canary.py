"""A key that must not be seen, put wherever keys go, and looked for in everything that comes out."""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
import trio
import trio.testing

import manus
from manus.actors.redaction import redactor
from manus.event_log import LOGGER
from manus.opening import open_agent
from manus.supervisor.bus import Subscription
from manus.trio_agent import TrioAgent

CANARY = "canary-9c1f2e7a"
PROMPT_CANARY = "prompt-canary-5d3b"


class Everything:
    """What came out, in every rendering that somebody could make of it."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def see(self, value: object) -> None:
        """Render `value` in every way there is."""
        self.texts += [repr(value), str(value), f"{value}"]
        if isinstance(value, BaseException):
            rendered = traceback.TracebackException.from_exception(value, capture_locals=False).format()
            self.texts += [*rendered, repr(value.__dict__), repr(value.args)]
        for method in ("to_dict",):
            if hasattr(value, method):
                self.texts.append(json.dumps(getattr(value, method)(), default=repr))
        for dump in (pickle.dumps, _as_json):
            try:
                self.texts.append(dump(value).decode("latin-1"))
            except (TypeError, AttributeError, pickle.PicklingError):
                continue  # refusing to be written is one way to keep a secret
        if isinstance(value, BaseException | msgspec.Struct | dict):
            self.texts.append(repr(copy.copy(value)))

    def holding(self, canary: str) -> list[str]:
        """Give the renderings that hold `canary`."""
        return [text for text in self.texts if canary in text]


def _as_json(value: object) -> bytes:
    return msgspec.json.encode(value)


def echo(request: httpx.Request) -> httpx.Response:
    """Answer as the most careless server there is: with the whole request, key and all, in every place of an error."""
    shown = "; ".join(f"{name}: {value}" for name, value in request.headers.items())
    error = {"message": f"Bad: {shown}", "type": shown, "code": shown, "param": shown}
    status = int(request.url.params.get("status", request.url.path.split("/")[1]))
    headers = {"x-request-id": shown}
    if status == 200:
        events = f'data: {{"choices":[{{"delta":{{"content":"hi"}}}}]}}\n\ndata: {json.dumps({"error": error})}\n\n'
        return httpx.Response(200, text=events, headers=headers | {"content-type": "text/event-stream"})
    return httpx.Response(status, json={"error": error}, headers=headers)


def to_echo(base_url: str) -> httpx.AsyncBaseTransport:
    return httpx.MockTransport(echo)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.DEBUG)
    yield stream
    LOGGER.removeHandler(handler)
    LOGGER.setLevel(logging.NOTSET)


def config(status: int, ledger: Path) -> dict[str, object]:
    return {
        "ledger": {"path": str(ledger)},
        "providers": {
            "one": {
                "type": "openai",
                "base_url": f"http://one/{status}",
                "api_key": CANARY,
                "headers": {"X-Gateway": f"{CANARY}-header"},
                "models": [{"name": "m", "cost_per_input": 1, "cost_per_output": 1}],
            }
        },
    }


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 413, 429, 500, 503])
async def test_a_key_that_the_server_repeats_is_seen_nowhere(
    status: int, tmp_path: Path, log: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    everything = Everything()
    async with open_agent(config(status, tmp_path / "ledger.sqlite"), transports={"one": to_echo}) as agent:
        with agent.events() as events:
            with pytest.raises(manus.LLMError) as caught:
                await agent.generate(PROMPT_CANARY, timeout_s=2)
            everything.see(caught.value)
            with pytest.raises(manus.LLMError) as caught:
                await agent.stream(PROMPT_CANARY, timeout_s=2).response()
            everything.see(caught.value)
            sse = [event async for event in agent.stream_sse(PROMPT_CANARY, timeout_s=2)]
            everything.see(sse)
            await see_the_agent(agent, everything)
            await crash_everything(agent, everything, events)
    everything.texts.append(log.getvalue())
    everything.texts.extend(capfd.readouterr())
    everything.texts.extend(path.read_bytes().decode("latin-1") for path in files_below(tmp_path))

    assert len(everything.texts) > 30
    assert everything.holding(CANARY) == []
    if status != 400:  # what a provider says of a bad request may name a part of it
        assert everything.holding(PROMPT_CANARY) == []


def files_below(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


async def see_the_agent(agent: TrioAgent, everything: Everything) -> None:
    for value in (
        agent,
        agent._wiring,
        agent._loaded,
        agent._tree,
        agent._tree.status(),
        await agent.get_provider_status(),
        await agent.get_usage_stats(),
        await agent.get_routing_metrics(),
        await agent.explain(PROMPT_CANARY),
        agent.notes,
    ):
        everything.see(value)


async def crash_everything(agent: TrioAgent, everything: Everything, events: Subscription) -> None:
    """Crash each actor with an error that quotes the key, as a careless library's would."""
    for actor in ("provider/one", "router", "accounting"):
        agent._tree.crash(actor, RuntimeError(f"cannot connect with {CANARY}"))
        await trio.sleep(0.05)
    seen = []
    with trio.move_on_after(0.5):
        async for event in events:
            seen.append(event)
    assert len(seen) >= 3
    for event in seen:
        everything.see(event)


async def test_a_configuration_with_a_key_in_the_wrong_place_shows_it_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "llm.toml"
    path.write_text(f'[providers.openai]\napi_key = {{ key = "{CANARY}" }}\npriority = "{CANARY}"\n')
    everything = Everything()
    with pytest.raises(manus.ConfigurationError) as caught:
        async with open_agent(path):
            pass
    everything.see(caught.value)
    assert everything.holding(CANARY) == []


@pytest.mark.parametrize(
    ("secrets", "text", "expected"),
    [
        (["abcdef"], "the key abcdef.", "the key [secret]."),
        (["abcdef", "abcdefgh"], "abcdefgh abcdef", "[secret] [secret]"),
        (["a+b.c*d"], "a+b.c*d", "[secret]"),
        (["abcdefghij"], "the key is abcdefg", "the key is [secret]"),
        (["abcdefghij"], "the key is abcdefg…", "the key is [secret]…"),
        (["abcdefghij"], "abc is no key", "abc is no key"),
        (["on"], "on and on", "on and on"),
        ([], "nothing", "nothing"),
    ],
)
def test_secrets_are_struck_out_of_texts(secrets: list[str], text: str, expected: str) -> None:
    assert redactor(secrets)(text) == expected
