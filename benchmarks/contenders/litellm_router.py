"""LiteLLM's Router, on asyncio: the part of it that routes and falls back, as the agent does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import litellm

from benchmarks.contract import MAX_TOKENS, PROMPT

LOOP = "asyncio"


class LiteLLMRouter:
    """Requests through `litellm.Router`."""

    def __init__(self, router: litellm.Router) -> None:
        self._ask = router.acompletion

    async def ask(self) -> str:
        """Ask for a whole answer."""
        answer = await self._ask(model="whole", messages=[{"role": "user", "content": PROMPT}], max_tokens=MAX_TOKENS)
        return answer.choices[0].message.content or ""

    async def stream(self, model: str, on_text: Callable[[str], None]) -> None:
        """Stream."""
        chunks = await self._ask(
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
async def open_contender(base_url: str) -> AsyncIterator[LiteLLMRouter]:
    """Open a router with one deployment per model."""
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    deployments = [
        {
            "model_name": model,
            "litellm_params": {"model": f"openai/{model}", "api_base": base_url, "api_key": "sk-none"},
        }
        for model in ("whole", "paced", "burst", "hold")
    ]
    yield LiteLLMRouter(litellm.Router(model_list=deployments, num_retries=0))
