"""Own the running of mutants: each in a copy of the package of its own, in a process of its own, within bounded time.

Run as a script it reads jobs from stdin and writes verdicts to stdout, both JSON. It imports what all test runs need
once and forks for each job, for starting Python and pytest anew would take longer than the tests themselves.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from tests.mutants.mutant import Mutant, Verdict
from tests.patience import PATIENCE

REPOSITORY = Path(__file__).parent.parent.parent
TIMEOUT_S = 60.0
"""How long the killers of one mutant may take. They are fast; what takes longer hangs."""

HONEST_TIMEOUT_S = 900.0
"""How long the killers of all of them may take together, on a machine that has other things to do as well."""

LOADED_ONCE = (
    "asyncio",
    "httpx",
    "hypothesis.stateful",
    "msgspec.json",
    "pytest",
    "pytest_trio",
    "sqlite3",
    "trio.testing",
    "unittest.mock",
)
"""What most killers import of others' is imported once, before the forks, so that no child has to."""

MUTANT_PATIENCE_S = 5.0
"""How long a killer waits in vain for what a mutant never does, before it calls it found out."""

AT_ONCE = 2
OUTPUT_CHARACTERS_MAX = 3_000


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run: the tests to run, and the mutant to run them on, if any."""

    name: str
    tests: tuple[str, ...]
    mutant: Mutant | None = None

    @property
    def timeout_s(self) -> float:
        """How long it may take."""
        return HONEST_TIMEOUT_S if self.mutant is None else TIMEOUT_S


def mutate(mutant: Mutant, source: str) -> str:
    """Apply a mutant to the text of its file.

    Raises:
        ValueError: the snippet is not there exactly once, or nothing would change.
    """
    found = source.count(mutant.original)
    if found != 1:
        raise ValueError(f"{mutant.name}: the original snippet occurs {found} times in {mutant.file}, not once")
    if mutant.original == mutant.mutated:
        raise ValueError(f"{mutant.name}: nothing would change")
    return source.replace(mutant.original, mutant.mutated)


def run_jobs(jobs: list[Job]) -> dict[str, Verdict]:
    """Run all jobs, two at a time, in another process; give the verdicts by name."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutants.runner"],
        input=msgspec.json.encode(jobs),
        capture_output=True,
        cwd=REPOSITORY,
        check=False,
        timeout=HONEST_TIMEOUT_S + TIMEOUT_S * len(jobs),
    )
    if done.returncode != 0:
        raise RuntimeError(f"the runner itself failed:\n{done.stderr.decode()[-OUTPUT_CHARACTERS_MAX:]}")
    verdicts = msgspec.json.decode(done.stdout, type=list[Verdict])
    return {verdict.name: verdict for verdict in verdicts}


# --- the script ---------------------------------------------------------------------------------------


def main() -> None:
    """Take jobs from stdin, run them, give verdicts to stdout."""
    for module in LOADED_ONCE:
        importlib.import_module(module)
    jobs = msgspec.json.decode(sys.stdin.buffer.read(), type=list[Job])
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        verdicts = list(_run_all(jobs, Path(directory)))
    sys.stdout.buffer.write(msgspec.json.encode(verdicts))


def _run_all(jobs: list[Job], directory: Path) -> Iterator[Verdict]:
    base = directory / "base"
    _copy_package(base)
    waiting = list(reversed(jobs))
    running: dict[int, _Run] = {}
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            run = _Run(waiting.pop(), directory)
            running[run.pid] = run
        time.sleep(0.01)
        for run in list(running.values()):
            if run.is_over():
                del running[run.pid]
                yield run.verdict()


class _Run:
    """One job in a forked child."""

    def __init__(self, job: Job, directory: Path) -> None:
        self.job = job
        self.began_at = time.monotonic()
        self.exit_code: int | None = None
        self.copy = directory / job.name.replace("/", "_").replace(" ", "_")
        _lay_out(directory / "base", self.copy, job.mutant)
        self.log = self.copy / "output.txt"
        self.pid = os.fork()
        if self.pid == 0:
            _be_the_child(job, self.copy, self.log)

    def is_over(self) -> bool:
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.exit_code = os.waitstatus_to_exitcode(status)
            return True
        if time.monotonic() - self.began_at < self.job.timeout_s:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return True

    def verdict(self) -> Verdict:
        output = self.log.read_text(errors="replace") if self.log.exists() else ""
        shutil.rmtree(self.copy)
        return Verdict(
            name=self.job.name,
            exit_code=self.exit_code,
            seconds=time.monotonic() - self.began_at,
            output=output[-OUTPUT_CHARACTERS_MAX:],
        )


def _copy_package(base: Path) -> None:
    """Lay out, once, what the tests need: the package, the tests, the settings; and the shared data beside them."""
    left_out = shutil.ignore_patterns("mutants", "golden", ".hypothesis")
    shutil.copytree(REPOSITORY / "manus", base / "manus")
    shutil.copytree(REPOSITORY / "tests", base / "tests", ignore=left_out)
    shutil.copy2(REPOSITORY / "pyproject.toml", base)
    shared = REPOSITORY.parent / "shared"
    if shared.is_dir():
        (base.parent / "shared").symlink_to(shared)


def _lay_out(base: Path, copy: Path, mutant: Mutant | None) -> None:
    """Make a copy for one run: links, but for the one file that the mutant changes."""
    shutil.copytree(base, copy, copy_function=os.link)
    if mutant is not None:
        path = copy / mutant.file
        mutated = mutate(mutant, path.read_text(encoding="utf-8"))
        path.unlink()  # or all copies would change with it
        path.write_text(mutated, encoding="utf-8")


def _be_the_child(job: Job, copy: Path, log: Path) -> None:
    """Run pytest on the copy, and leave this process with its exit code."""
    exit_code = 70
    try:
        with log.open("w") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        os.chdir(copy)
        if job.mutant is not None:
            os.environ[PATIENCE] = str(MUTANT_PATIENCE_S)
        # This repository is left behind: from here on `manus` and `tests` are those of the copy.
        for name in [name for name in sys.modules if name.split(".")[0] in ("manus", "tests")]:
            del sys.modules[name]
        here = str(REPOSITORY)
        sys.path[:] = [str(copy), *(entry for entry in sys.path if entry not in ("", here))]
        exit_code = _run_pytest(copy, job.tests)
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_code)


def _run_pytest(copy: Path, tests: Iterable[str]) -> int:
    import pytest

    import manus

    origin = Path(str(manus.__file__))
    assert origin.is_relative_to(copy), f"the tests would run on {origin}, not on the copy in {copy}"
    # Plugins were loaded before the fork: their assertions are not rewritten, and that is all right.
    loaded = "ignore::pytest.PytestAssertRewriteWarning"
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-W", loaded, *tests]))


if __name__ == "__main__":
    main()
