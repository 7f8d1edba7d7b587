"""TensorZero's Rust gateway embedded in the process, on asyncio."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import tensorzero

from benchmarks.contract import PROMPT

LOOP = "asyncio"

_MODEL = """
[models.{name}]
routing = ["canned"]
[models.{name}.providers.canned]
type = "openai"
model_name = "{name}"
api_base = "{base_url}/"
api_key_location = "env::OPENAI_API_KEY"
[functions.{name}]
type = "chat"
[functions.{name}.variants.only]
type = "chat_completion"
model = "{name}"
max_tokens = 256
"""
_GATEWAY = "[gateway]\nobservability.enabled = false\ndisable_pseudonymous_usage_analytics = true\n"
_INPUT = {"messages": [{"role": "user", "content": PROMPT}]}


class TensorZeroClient:
    """Requests through the embedded gateway."""

    def __init__(self, gateway: tensorzero.AsyncTensorZeroGateway) -> None:
        self._gateway = gateway

    async def ask(self) -> str:
        """Ask for a whole answer."""
        answer = await self._gateway.inference(function_name="whole", input=_INPUT)
        return "".join(block.text for block in answer.content)

    async def stream(self, model: str, on_text: Callable[[str], None]) -> None:
        """Stream."""
        chunks = await self._gateway.inference(function_name=model, input=_INPUT, stream=True)
        async for chunk in chunks:
            for block in chunk.content:
                if block.text:
                    on_text(block.text)


@asynccontextmanager
async def open_contender(base_url: str) -> AsyncIterator[TensorZeroClient]:
    """Open the gateway without its observability, which would want a database."""
    os.environ["OPENAI_API_KEY"] = "sk-none"
    models = "".join(_MODEL.format(name=name, base_url=base_url) for name in ("whole", "paced", "burst", "hold"))
    with tempfile.TemporaryDirectory(prefix="manus-bench-") as directory:
        config = Path(directory) / "tensorzero.toml"
        config.write_text(
            "[gateway]\nobservability.enabled = false\ndisable_pseudonymous_usage_analytics = true\n" + models
        )
        building = tensorzero.AsyncTensorZeroGateway.build_embedded(config_file=str(config))
        gateway = await building if hasattr(building, "__await__") else building
        yield TensorZeroClient(gateway)
        await gateway.close()
