"""Own `python -m tests.ipc.fuzz`: so many lines through a real `manus serve`, with figures.

`--lines 1000000 --seed 1` is the run of the long lane; `--unix` goes through the socket, where the engine's envelope is
spoken too.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path

from tests.conformance.links import Pipes, UnixServer, write_config
from tests.conformance.vendors import Vendors, served
from tests.ipc.fuzz_lines import FRAME_BYTES_MAX
from tests.ipc.fuzz_run import Figures, run


def fuzz(
    vendors: Vendors, directory: Path, *, seed: int, lines: int, asks: float, unix: bool, every: int = 0
) -> Figures:
    """Start a server, write the lines, and see that it ends well.

    Raises:
        AssertionError: something is wrong.
    """
    tables = vendors.configuration(
        ledger={"path": str(directory / "ledger.db")}, ipc={"frame_bytes_max": FRAME_BYTES_MAX}
    )
    config = write_config(tables, directory / "llm.toml")
    with contextlib.ExitStack() as stack:
        if unix:
            server = UnixServer(config, directory / "manus.sock")
            stack.callback(server.kill)
            socket = server.connect()
            stack.callback(socket.close)
            figures = run(
                socket, seed=seed, lines=lines, asks=asks, engine=True, process=server.process.pid, every=every
            )
            socket.end()
            server.end()
            return figures
        pipes = Pipes(config)
        stack.callback(pipes.kill)
        figures = run(pipes, seed=seed, lines=lines, asks=asks, engine=False, process=pipes.process.pid, every=every)
        pipes.end()
        return figures


def main() -> None:
    """Run it by hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--asks", type=float, default=0.05, help="the share of good lines that ask a model")
    parser.add_argument("--unix", action="store_true")
    arguments = parser.parse_args()
    with served() as vendors, tempfile.TemporaryDirectory() as directory:
        figures = fuzz(
            vendors,
            Path(directory),
            seed=arguments.seed,
            lines=arguments.lines,
            asks=arguments.asks,
            unix=arguments.unix,
            every=max(1, arguments.lines // 10),
        )
    print(figures.report())


if __name__ == "__main__":
    main()
