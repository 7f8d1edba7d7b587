"""Own `manus doctor`: examine every configured provider at no cost, and say what to mend."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from manus.cli import exits
from manus.cli.output import say

if TYPE_CHECKING:
    from manus.checkup import Checkup
    from manus.config.load import Loaded

MARKS: Final = {"ok": "ok", "warning": "warn", "unknown": "?", "failed": "FAIL", "skipped": "-"}

_OFFLINE: Final = "no provider's name could be resolved: this machine seems to be offline"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "doctor",
        help="examine every configured provider at no cost, and say what to mend",
        description="Examine every configured provider at no cost: configuration, credentials, name, connection, TLS, "
        "clock, key and models. All providers at the same time; nothing that is billed is asked.",
        epilog=exits.MEANINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration (see: manus config)")
    parser.add_argument("--timeout", type=_seconds, metavar="S", default=20.0, help="seconds for each provider (20)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Examine, print, and give 1 where something has to be mended."""
    import trio

    from manus.config.load import load
    from manus.config.problems import InvalidConfig

    try:
        loaded = load(arguments.config)
        checkups = trio.run(_examined, loaded, arguments.timeout)
    except InvalidConfig as invalid:
        for problem in invalid.problems:
            say(f"manus: {problem}")
        return exits.BAD_INPUT
    for note in loaded.notes:
        say(f"[{note}]")
    if arguments.json:
        print(json.dumps({"origin": loaded.origin, "providers": [_as_dict(checkup) for checkup in checkups]}))
    else:
        print("\n\n".join(_as_text(checkup) for checkup in checkups))
    far = [checkup for checkup in checkups if _is_far(checkup)]
    if far and all(any(check.name == "name" for check in checkup.checks) for checkup in far):
        say(f"manus: {_OFFLINE}")
    return exits.FAILED if any(checkup.state == "failed" for checkup in checkups) else exits.OK


async def _examined(loaded: Loaded, limit_s: float) -> tuple[Checkup, ...]:
    from manus.doctor import examine_all
    from manus.wiring import wire

    base = Path() if loaded.path is None else loaded.path.parent
    wiring = wire(loaded.config, base=base, state=None)
    return await examine_all(loaded.config, wiring.providers, base=base, limit_s=limit_s)


def _is_far(checkup: Checkup) -> bool:
    """Whether a provider is on another machine."""
    host = urlsplit(checkup.address).hostname or ""
    return bool(host) and host not in ("localhost", "::1") and not host.startswith("127.")


def _as_text(checkup: Checkup) -> str:
    width = max((len(check.name) for check in checkup.checks), default=0)
    lines = [f"{checkup.provider} ({checkup.type}) {checkup.address}"]
    for check in checkup.checks:
        lines.append(f"  {MARKS[check.state]:<4}  {check.name:<{width}}  {check.found}".rstrip())
        if check.mend:
            lines.append(f"  {'':<4}  {'':<{width}}  -> {check.mend}")
    return "\n".join(lines)


def _as_dict(checkup: Checkup) -> dict[str, object]:
    return {
        "provider": checkup.provider,
        "type": checkup.type,
        "address": checkup.address,
        "state": checkup.state,
        "checks": [
            {"name": check.name, "state": check.state, "found": check.found, "mend": check.mend}
            for check in checkup.checks
        ],
    }


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError("expected seconds, more than 0 and at most 3600")
    return value
