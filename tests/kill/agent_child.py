"""A process to be killed: the whole agent under load, noting on the side what it was told.

    python -m tests.kill.agent_child SETTINGS

SETTINGS is a file with the configuration under `config`, and `notes`, `seed`, `ask_about`. Notes, each true when it is
written:

    status NAME STATE INPUT OUTPUT COST     what the books say of a request that an earlier process made
    asked NAME                              a request is about to be made; its prompt begins with NAME, its key is NAME
    told NAME ID HOW SUMS ATTEMPTS          it ended, and this is what its caller was told: tokens and cost in all, and
                                            of each attempt (JSON); HOW is `durable`, `open` or why it failed
    heard NAME TOKENS                       its caller left it after an answer of at least so many tokens
    failed NAME KIND                        it failed before an attempt was made

SIGTERM drains and ends in good order, SIGINT cancels what is under way and ends; SIGUSR1 is `os._exit` on the spot.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import resource
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import trio

import manus
from manus.embedding import EmbeddingResponse
from manus.errors import LLMError
from manus.messages.accounting import RequestStatus, RequestStatusAsked
from manus.messages.ids import RequestKey
from manus.responses import LLMResponse
from manus.sim.words import count_tokens
from manus.trio_agent import TrioAgent
from tests.kill.fleet import EMBEDDER, EMBEDDERS
from tests.kill.killing import EXITED
from tests.kill.notes import Notes

CLIENTS = 10
PROMPT = "tell me a story of the harbour "
TAGS = ("harbour", "ledger", "lantern", "team-é")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a child is given."""

    config: dict[str, Any]
    notes: str
    seed: str
    ask_about: tuple[str, ...] = ()


class Load:
    """Clients that ask without end, each request in a way that chance decides."""

    def __init__(self, agent: TrioAgent, settings: Settings, notes: Notes) -> None:
        self.ending = False
        self._agent = agent
        self._notes = notes
        self._seed = settings.seed
        self._providers = sorted(settings.config["providers"])
        self._numbers = itertools.count()

    async def client(self, number: int) -> None:
        """Ask one thing after another."""
        rng = random.Random(f"{self._seed}/{number}")
        while not self.ending:
            name = f"{self._seed}-{next(self._numbers)}-"
            self._notes.write("asked", name)
            try:
                await self._ask(name, rng)
            except LLMError as error:
                why = error.kind or type(error).__name__
                if error.attempts and error.request_id is not None:
                    self._told(name, error.request_id, why, error.usage.input_total, error.usage.output, error)
                else:
                    self._notes.write("failed", name, why)
                if why in ("admission", "budget_exceeded"):
                    await trio.sleep(0.01)  # it is refused at once, again and again

    async def _ask(self, name: str, rng: random.Random) -> None:
        prompt = f"{name} " + PROMPT * rng.randrange(1, 120)
        options: dict[str, Any] = {"request_key": name, "tags": rng.sample(TAGS, rng.randrange(len(TAGS)))}
        if rng.random() < 0.75:
            options["provider"] = rng.choice(self._providers)
        chance = rng.random()
        if chance < 0.12:
            texts = [prompt, f"{name} again"][: rng.randrange(1, 3)]
            embedded = await self._agent.embed(
                texts, **options | {"provider": rng.choice(EMBEDDERS), "model": EMBEDDER}
            )
            self._answered(name, embedded)
            return
        options |= {"max_tokens": 200, "on_cancel": rng.choice(("abort", "drain"))}
        options["conversation_id"] = rng.choice((None, "first", "second"))
        if chance < 0.20:
            options["timeout_s"] = rng.uniform(0.02, 0.2)
        if chance < 0.50:
            self._answered(name, await self._agent.generate(prompt, **options))
        elif chance < 0.58:
            with trio.move_on_after(rng.uniform(0.0, 0.15)) as scope:
                self._answered(name, await self._agent.generate(prompt, **options))
            if scope.cancelled_caught:
                self._notes.write("heard", name, "0")
        else:
            await self._stream(name, prompt, options, rng)

    async def _stream(self, name: str, prompt: str, options: dict[str, Any], rng: random.Random) -> None:
        leaves_after = rng.randrange(1, 30) if rng.random() < 0.35 else None
        says_so = rng.random() < 0.5
        text = ""
        async with self._agent.stream(prompt, **options) as stream:
            chunks: AsyncIterator[Any] = aiter(stream)
            for count in itertools.count():
                if count == leaves_after:
                    self._notes.write("heard", name, str(count_tokens(text)))
                    if not says_so:
                        return
                    self._answered(name, await stream.cancel())
                    return
                try:
                    text += (await anext(chunks)).delta
                except StopAsyncIteration:
                    break
            self._answered(name, await stream.response())

    def _answered(self, name: str, response: LLMResponse | EmbeddingResponse) -> None:
        usage = response.usage
        how = "durable" if usage.durable else "open"
        self._told(name, response.request_id, how, usage.input_tokens, usage.output_tokens, response)

    def _told(
        self,
        name: str,
        request_id: str,
        how: str,
        input_tokens: int,
        output_tokens: int,
        of: LLMResponse | EmbeddingResponse | LLMError,
    ) -> None:
        cost = of.cost_nano_usd if isinstance(of, LLMError) else of.usage.cost_nano_usd
        attempts = [
            [
                *(each.number, each.deployment, each.booking),
                *(each.usage.input_total, each.usage.output, each.cost_nano_usd, each.usage.source),
            ]
            for each in of.route.attempts
        ]
        sums = [input_tokens, output_tokens, cost]
        told = (json.dumps(each, separators=(",", ":")) for each in (sums, attempts))
        self._notes.write("told", name, request_id, how, *told)


async def ask_about(agent: TrioAgent, settings: Settings, notes: Notes) -> None:
    """Note what the books say of requests that an earlier process made."""
    for name in settings.ask_about:
        deadline = trio.current_time() + 30
        status = await agent._accounting.ask(RequestStatusAsked(request_key=RequestKey(name)), deadline=deadline)
        assert isinstance(status, RequestStatus), status
        used = (str(status.usage.input_total), str(status.usage.output), str(status.cost_nano_usd))
        notes.write("status", name, status.state, *used)


async def main(settings: Settings) -> None:
    """Work until told to end, or killed."""
    notes = Notes(settings.notes)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            async with manus.open_agent(settings.config, drain_s=0.5, hard_s=2.0) as agent:
                await ask_about(agent, settings, notes)
                load = Load(agent, settings, notes)
                for number in range(CLIENTS):
                    nursery.start_soon(load.client, number)
                async for number in signals:
                    load.ending = True
                    if number == signal.SIGINT:
                        nursery.cancel_scope.cancel(reason="interrupted")
                    break


def exit_now(number: int, frame: object) -> None:
    """End in the middle of whatever is being done."""
    os._exit(EXITED)


def run(settings: Path) -> None:
    """Be the child, from the beginning to the end."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGUSR1, exit_now)
    trio.run(main, msgspec.json.decode(settings.read_bytes(), type=Settings))


if __name__ == "__main__":
    run(Path(sys.argv[1]))
