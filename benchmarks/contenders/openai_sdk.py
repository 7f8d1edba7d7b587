"""The openai SDK, on asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import openai

from benchmarks.contract import MAX_TOKENS, PROMPT

LOOP = "asyncio"


class OpenAIClient:
    """Requests through `AsyncOpenAI`."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self._create = client.chat.completions.create

    async def ask(self) -> str:
        """Ask for a whole answer."""
        answer = await self._create(
            model="whole", messages=[{"role": "user", "content": PROMPT}], max_tokens=MAX_TOKENS
        )
        return answer.choices[0].message.content or ""

    async def stream(self, model: str, on_text: Callable[[str], None]) -> None:
        """Stream."""
        chunks = await self._create(
            model=model,
            messages=[{"role": "user", "content": PROMPT}],
            max_tokens=MAX_TOKENS,
            stream=True,
            stream_options={"include_usage": True},
        )
        async for chunk in chunks:
            if chunk.choices and chunk.choices[0].delta.content:
                on_text(chunk.choices[0].delta.content)


@asynccontextmanager
async def open_contender(base_url: str) -> AsyncIterator[OpenAIClient]:
    """Open the SDK's client."""
    async with openai.AsyncOpenAI(base_url=base_url, api_key="sk-none", max_retries=0) as client:
        yield OpenAIClient(client)
