"""Programs ask how long a prompt is: exactly where that can be had, else by what was learnt, always with a label."""

from __future__ import annotations

import threading

import pytest

import manus
from manus import token_counts
from manus.actors.estimates import counting, tokenizer
from manus.actors.estimates.counting import Counted
from manus.actors.estimates.families import Family
from manus.actors.estimates.tokenizer import is_installed
from manus.agent import LLMAgent
from manus.messages.requests import ChatRequest, Tool
from manus.opening import open_agent
from tests.face.rig import KEY
from tests.shared_data import unavailable

NOBODY = "http://127.0.0.1:9/v1"  # nothing may be asked of it

CONFIG = {
    "providers": {
        "cloud": {
            "type": "openai",
            "base_url": NOBODY,
            "api_key": KEY,
            "models": [{"name": "gpt-4o"}, {"name": "own", "base": "gpt-4o"}, {"name": "somebody-s"}],
        },
    },
    "ledger": {"path": ":memory:"},
}
TEXT = "The harbour master keeps a ledger of every boat that leaves before dawn."


@pytest.fixture
def installed() -> None:
    if not is_installed():
        unavailable("the extra `manus-llm[tokens]` is not installed")


@pytest.mark.usefixtures("installed")
async def test_a_prompt_of_text_is_counted_as_its_vendor_counts_it() -> None:
    async with open_agent(CONFIG, keep_books=False) as agent:
        told = await agent.count_tokens(TEXT, model="gpt-4o")
        with_system = await agent.count_tokens(TEXT, model="gpt-4o", system_prompt="Be brief.")
    assert (told.kind, told.vocabulary, told.likely_error) == ("exact", "o200k_base", 0.0)
    assert (told.provider, told.model) == ("cloud", "gpt-4o")
    assert told.tokens == 21
    assert with_system.tokens == told.tokens + 4 + 3
    assert told.bound > told.tokens
    assert told.to_dict()["tokens"] == 21
    assert isinstance(told, manus.TokenCount)


@pytest.mark.usefixtures("installed")
async def test_a_name_of_ones_own_is_counted_as_the_model_behind_it() -> None:
    async with open_agent(CONFIG, keep_books=False) as agent:
        told = await agent.count_tokens(TEXT, model="own", exact=True)
    assert (told.tokens, told.model) == (21, "own")


async def test_an_estimate_is_what_a_request_would_expect() -> None:
    async with open_agent(CONFIG, keep_books=False) as agent:
        told = await agent.count_tokens(TEXT, model="gpt-4o", exact=False)
        route = await agent.explain(TEXT, model="gpt-4o")
    assert (told.kind, told.vocabulary) == ("estimated", None)
    assert 0 < told.likely_error < 1
    assert route.reservation is not None
    assert told.tokens == route.reservation.estimate.input_uncached
    assert told.bound == route.reservation.bound.input_uncached


@pytest.mark.usefixtures("installed")
async def test_what_cannot_be_counted_exactly_is_estimated_unless_that_is_insisted_on() -> None:
    async with open_agent(CONFIG, keep_books=False) as agent:
        assert (await agent.count_tokens(TEXT, model="somebody-s")).kind == "estimated"
        assert (await agent.count_tokens(TEXT, model="gpt-4o", tools=[Tool(name="look")])).kind == "estimated"
        with pytest.raises(manus.InvalidRequestError, match="nobody publishes"):
            await agent.count_tokens(TEXT, model="somebody-s", exact=True)
        with pytest.raises(manus.InvalidRequestError, match="more than plain text"):
            await agent.count_tokens(TEXT, model="gpt-4o", tools=[Tool(name="look")], exact=True)


async def test_without_the_extra_an_exact_count_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer.tokenizer_of.cache_clear()
    monkeypatch.setattr(tokenizer, "find_spec", lambda name: None)
    async with open_agent(CONFIG, keep_books=False) as agent:
        assert (await agent.count_tokens(TEXT, model="gpt-4o")).kind == "estimated"
        with pytest.raises(manus.ConfigurationError, match=r"manus-llm\[tokens\]"):
            await agent.count_tokens(TEXT, model="gpt-4o", exact=True)
    tokenizer.tokenizer_of.cache_clear()


async def refused(agent: LLMAgent) -> None:
    with pytest.raises(manus.InvalidRequestError):
        await agent.count_tokens("", model="gpt-4o")
    with pytest.raises(manus.LLMError):
        await agent.count_tokens(TEXT, provider="nobody")


async def test_a_request_that_is_wrong_or_nobodys_is_refused_as_it_would_be() -> None:
    async with open_agent(CONFIG, keep_books=False) as agent:
        await refused(agent)


@pytest.mark.usefixtures("installed")
async def test_the_loop_goes_on_while_a_prompt_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    counted_by: list[int] = []
    truly = counting.count_exactly

    def count(request: ChatRequest, family: Family) -> Counted | None:
        counted_by.append(threading.get_ident())
        return truly(request, family)

    monkeypatch.setattr(token_counts, "count_exactly", count)
    async with open_agent(CONFIG, keep_books=False) as agent:
        assert (await agent.count_tokens(TEXT, model="gpt-4o")).kind == "exact"
        await agent.count_tokens(TEXT, model="somebody-s")
    assert len(counted_by) == 1, "a vocabulary that nobody publishes is not asked"
    assert counted_by[0] != threading.get_ident()
