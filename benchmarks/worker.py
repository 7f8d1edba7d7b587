"""Own one contender's process: it opens the contender, does what it is told on stdin, and prints what that cost.

`python -m benchmarks.worker MODULE BASE_URL`; one JSON list `[workload, argument...]` a line, one number a line back.
Only the standard library and the contender's own module are imported, so that it runs in a peer's environment too.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks import workloads
from benchmarks.contract import Contender

Jobs = list[Callable[[], Awaitable[None]]]
Hold = Callable[["workloads.HeldStreams", Contender], Awaitable[float]]

ANSWER_MARK = "=> "


async def obey(contender: Contender, order: list[Any], run: workloads.RunAtOnce, hold: Hold) -> float:
    """Do one workload; the order is JSON, hence Any."""
    match order:
        case ["one_after_another", int(requests)]:
            return await workloads.one_after_another(contender, requests)
        case ["at_once", int(requests), int(width)]:
            return await workloads.at_once(contender, requests, width, run)
        case ["paced_streams", int(width)]:
            return await workloads.paced_streams(contender, width, run)
        case ["burst_stream"]:
            return await workloads.burst_stream(contender)
        case ["bursts_at_once", int(width)]:
            return await workloads.bursts_at_once(contender, width, run)
        case ["held_streams", int(width)]:
            return await hold(workloads.HeldStreams(width), contender)
        case ["restart"]:
            from benchmarks.restart import crash_to_serving

            return await crash_to_serving(contender)
        case _:
            raise ValueError(f"no such workload: {order}")


def _tell(answer: object) -> None:
    # Marked, so that what a contender prints on its own does not pass for an answer.
    print(f"{ANSWER_MARK}{answer}", flush=True)


def _next_order() -> list[Any] | None:
    line = sys.stdin.readline()
    order: list[Any] | None = json.loads(line) if line else None
    return order


def run_on_trio(module: Any, base_url: str) -> None:
    """Serve a contender that lives on Trio; the module is one of `benchmarks.contenders`."""
    import trio

    async def run(jobs: Jobs) -> None:
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            for job in jobs:
                nursery.start_soon(job)

    async def hold(streams: workloads.HeldStreams, contender: Contender) -> float:
        begun = trio.Event()
        streams.on_all_begun = begun.set
        streams.begin()
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            for _ in range(streams.width):
                nursery.start_soon(streams.job(contender))
            await begun.wait()
            weight = streams.kilobytes_each()
            nursery.cancel_scope.cancel()
        return weight

    async def main() -> None:
        async with module.open_contender(base_url) as contender:
            _tell("ready")
            while (order := await trio.to_thread.run_sync(_next_order)) is not None:
                _tell(await obey(contender, order, run, hold))

    trio.run(main)


def run_on_asyncio(module: Any, base_url: str) -> None:
    """Serve a contender that lives on asyncio."""
    import asyncio

    async def run(jobs: Jobs) -> None:
        await asyncio.gather(*(job() for job in jobs))

    async def hold(streams: workloads.HeldStreams, contender: Contender) -> float:
        begun = asyncio.Event()
        streams.on_all_begun = begun.set
        streams.begin()
        tasks = [asyncio.ensure_future(streams.job(contender)()) for _ in range(streams.width)]
        await begun.wait()
        weight = streams.kilobytes_each()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return weight

    async def main() -> None:
        async with module.open_contender(base_url) as contender:
            _tell("ready")
            while (order := await asyncio.to_thread(_next_order)) is not None:
                _tell(await obey(contender, order, run, hold))

    asyncio.run(main())


def run_on_threads(module: Any, base_url: str) -> None:
    """Serve a contender that blocks: its coroutines run to their end without a loop, each in a thread of its own."""
    from concurrent.futures import ThreadPoolExecutor

    async def run(jobs: Jobs) -> None:
        with ThreadPoolExecutor(max_workers=len(jobs)) as threads:
            for done in [threads.submit(_to_its_end, job()) for job in jobs]:
                done.result()

    async def hold(_: workloads.HeldStreams, __: Contender) -> float:
        raise ValueError("streams that are held are not measured in threads")

    async def main() -> None:
        async with module.open_contender(base_url) as contender:
            _tell("ready")
            while (order := _next_order()) is not None:
                _tell(await obey(contender, order, run, hold))

    _to_its_end(main())


def _to_its_end(coroutine: Awaitable[None]) -> None:
    """Run a coroutine that never waits for a loop."""
    for _ in coroutine.__await__():
        raise AssertionError("it waits for a loop, and here is none")


RUN_ON = {"trio": run_on_trio, "asyncio": run_on_asyncio, "threads": run_on_threads}


def main() -> None:
    """Serve the contender named on the command line."""
    name, base_url = sys.argv[1:]
    module = importlib.import_module(f"benchmarks.contenders.{name}")
    RUN_ON[module.LOOP](module, base_url)


if __name__ == "__main__":
    main()
