"""Own `manus sim`: serve simulated providers on loopback, with faults on request."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from typing import TYPE_CHECKING

from manus.cli import exits

if TYPE_CHECKING:
    from manus.sim.behaviour import Behaviour
    from manus.sim.quota import VendorLimits
    from manus.sim.server import SimServer
    from manus.sim.wire import WireName

WIRES: tuple[WireName, ...] = ("openai", "openai-responses", "azure", "anthropic", "bedrock", "ollama")
"""Whose formats there are."""

LIMITS = {
    "requests": "requests_per_minute",
    "tokens": "tokens_per_minute",
    "input-tokens": "input_tokens_per_minute",
    "output-tokens": "output_tokens_per_minute",
    "concurrency": "concurrency",
}
"""What can be limited, by its name on the command line."""

_DESCRIPTION = """\
Serve simulated providers on loopback, in the vendors' true wire formats. No key and no network is needed, and
nothing is a real answer. Faults strike by --fault, by the model's name (sim-429, sim-stall), by the request header
x-sim-fault, or through POST /_sim/fault/NAME; each provider keeps its own bill at GET /_sim/bill.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "sim",
        help="serve simulated providers on loopback, with faults on request",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--wire",
        action="append",
        choices=WIRES,
        metavar="WIRE",
        help=f"whose format: {', '.join(WIRES)}; may be repeated (default: all)",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        metavar="N",
        help="of the first, the next take N+1 ... (default: free ones)",
    )
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME[:FIELD=VALUE]", help="what goes wrong; may be repeated"
    )
    parser.add_argument(
        "--fault-rate", type=float, default=1.0, metavar="SHARE", help="of requests, 0 to 1 (default: 1)"
    )
    parser.add_argument("--list-faults", action="store_true", help="print every fault, and end")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="decides texts, and who meets which fault")
    parser.add_argument("--text", help="answer this (default: made-up prose)")
    parser.add_argument("--words", type=int, default=24, metavar="N", help="length of the made-up prose (default: 24)")
    parser.add_argument("--chunk-tokens", type=int, default=1, metavar="N", help="tokens in one chunk (default: 1)")
    parser.add_argument("--latency-s", type=float, default=0.0, metavar="S", help="until the response's head")
    parser.add_argument(
        "--first-token-s", type=float, default=0.0, metavar="S", help="from the head to the first content"
    )
    parser.add_argument("--gap-s", type=float, default=0.02, metavar="S", help="between chunks (default: 0.02)")
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=N",
        help="refuse what is beyond it as the vendor does, with true headers: requests, tokens, input-tokens, "
        "output-tokens (each per minute) or concurrency; may be repeated",
    )
    parser.add_argument(
        "--counting",
        choices=("fixed", "sliding", "bucket"),
        help="how limits are counted: by minutes of the clock, in any minute, as a bucket (default: the vendor's way)",
    )
    parser.add_argument("--api-key", metavar="KEY", help="refuse every other key with 401")
    parser.add_argument("--json", action="store_true", help="say where the providers are as one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C, which is the ordinary end; then print the bills on stderr."""
    from manus.sim.faults import FAULTS, exists_on

    if arguments.list_faults:
        for name, fault in FAULTS.items():
            on = [wire for wire in WIRES if exists_on(fault, wire)]
            print(f"{name:20} {fault!r}{'' if len(on) == len(WIRES) else '  only: ' + ', '.join(on)}")
        return exits.OK
    try:
        behaviour = _behaviour(arguments)
        limits = _limits(arguments)
    except ValueError as error:
        print(f"manus sim: {error}", file=sys.stderr)
        return exits.BAD_INPUT
    return _serve(arguments, behaviour, limits)


def _behaviour(arguments: argparse.Namespace) -> Behaviour:
    from manus.sim.behaviour import Behaviour, Script
    from manus.sim.faults import fault_named

    script = Script(
        text=arguments.text,
        words=arguments.words,
        chunk_tokens=arguments.chunk_tokens,
        latency_s=arguments.latency_s,
        first_token_s=arguments.first_token_s,
        gap_s=arguments.gap_s,
    )
    faults = tuple(fault_named(spelling) for spelling in arguments.fault)
    return Behaviour(
        script=script, faults=faults, fault_rate=arguments.fault_rate if faults else 0.0, seed=arguments.seed
    )


def _limits(arguments: argparse.Namespace) -> VendorLimits | None:
    """Read the limits.

    Raises:
        ValueError: there is no such limit, or it is no number that one can keep to.
    """
    from manus.sim.quota import VendorLimits

    if not arguments.limit:
        return None
    bounds: dict[str, int] = {}
    for spelling in arguments.limit:
        name, _, number = spelling.partition("=")
        if name not in LIMITS or not number.isdecimal():
            raise ValueError(f"no limit: {spelling!r}; write one of {', '.join(LIMITS)} as NAME=N")
        bounds[LIMITS[name]] = int(number)
    return VendorLimits(**bounds, counting=arguments.counting)


def _serve(arguments: argparse.Namespace, behaviour: Behaviour, limits: VendorLimits | None) -> int:
    import trio

    from manus.sim.provider import SimProvider
    from manus.sim.serve import serve_until_signal

    wires = arguments.wire or list(WIRES)
    try:
        providers = [SimProvider(wire, behaviour, api_key=arguments.api_key, limits=limits) for wire in wires]
    except ValueError as error:
        print(f"manus sim: {error}; choose the wire with --wire", file=sys.stderr)
        return exits.BAD_INPUT

    def announce(servers: list[SimServer]) -> None:
        _announce_json(servers) if arguments.json else _announce(servers)
        sys.stdout.flush()

    async def main() -> None:
        await serve_until_signal(providers, port=arguments.port, announce=announce)

    status = exits.OK
    try:
        trio.run(main)
    except* OSError as group:
        print(f"manus sim: cannot serve on port {arguments.port}: {group.exceptions[0]}", file=sys.stderr)
        status = exits.BAD_INPUT
    if status != exits.OK:
        return status
    for wire, provider in zip(wires, providers, strict=True):
        print(f"{wire}: {provider.bill!r}", file=sys.stderr)
    return exits.OK


def _announce(servers: list[SimServer]) -> None:
    from manus.testing.agents import sim_entry

    print("# simulated providers; point a config at them like this:\n")
    seen: Counter[str] = Counter()
    for server in servers:
        wire = server.provider.wire.name
        seen[wire] += 1
        print(f"[providers.sim-{wire}{seen[wire] if seen[wire] > 1 else ''}]")
        for name, value in sim_entry(server).items():
            if name not in ("priority", "any_model"):
                print(f"{name} = {_toml(value)}")
        print()
    for server in servers:
        print(f"# bill: {server.origin}/_sim/bill    faults: curl -X POST {server.origin}/_sim/fault/stall")


def _toml(value: object) -> str:
    """Write a value as TOML does, on one line."""
    match value:
        case dict():
            return "{ " + ", ".join(f"{name} = {_toml(member)}" for name, member in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case _:
            return json.dumps(value)


def _announce_json(servers: list[SimServer]) -> None:
    listed = [
        {"wire": server.provider.wire.name, "base_url": server.base_url, "origin": server.origin, "port": server.port}
        for server in servers
    ]
    print(json.dumps({"providers": listed}))
