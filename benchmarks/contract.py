"""Own what a contender is: something that can ask, and stream, through the canned server, on one of two loops.

Nothing here imports anything that is not in Python itself: peers run in an environment of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

PROMPT = "Please tell me about the sea, and spare no detail. " * 20
"""About a kilobyte, 200 tokens."""

MAX_TOKENS = 256


class Contender(Protocol):
    """One way to get a text out of the server. Each contender gives the text, decoded."""

    async def ask(self) -> str:
        """Make one call that is not streamed, and give its text."""
        ...

    async def stream(self, model: str, on_text: Callable[[str], None]) -> None:
        """Make one streamed call to `model`, and give each piece of text as it comes."""
        ...


OpenContender = Callable[[str], AbstractAsyncContextManager[Contender]]
"""Opens a contender for a base URL such as `http://127.0.0.1:8000/v1`; every contender's module has one, named
`open_contender`, and says in `LOOP` whether it runs on `trio` or `asyncio`."""
