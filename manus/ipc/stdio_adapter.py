"""Own the actor that serves the program which started this one, over its stdin and stdout.

It comes back after a crash, on the same pipes and with the same session: nothing that was read is lost, and what was
asked of the incarnation that crashed is answered before anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from manus.ipc.drain import Drain
from manus.ipc.served import Host, serve_host
from manus.ipc.session import Ending
from manus.supervisor.context import Context
from manus.supervisor.spec import Backoff, ChildSpec

STDIO: Final = "adapters/stdio"

SPARE_S: Final = 10.0
"""What a drained connection may need beyond its own deadline: to settle what it cancelled, and to be read."""


def stdio_child(host: Host, drain: Drain, on_end: Callable[[Ending], None]) -> ChildSpec:
    """Describe it. `on_end` is told how the connection ended, in the loop, once."""

    async def start(ctx: Context) -> None:
        on_end(await serve_host(ctx, ctx.cell, drain))

    return ChildSpec(
        id=STDIO,
        start=start,
        restart="transient",
        cell=lambda: host,
        backoff=Backoff(min_s=0.05, max_s=1.0),
        drain_s=host.session.policy.drain_s + SPARE_S,
    )
