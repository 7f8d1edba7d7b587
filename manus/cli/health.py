"""Own `manus health`: how a running server is, or whether an agent could be opened here; for people and for probes.

A running server is asked over its socket by nothing but the standard library, so that a probe every few seconds costs
little more than a start of Python. It never waits longer than it was told.
"""

from __future__ import annotations

import argparse
import json
import math
import socket
import time
from typing import Any, Final

from manus.cli import exits
from manus.cli.output import say, table
from manus.durations import span

TIMEOUT_S: Final = 10.0

REPLY_BYTES_MAX: Final = 4 * 1024 * 1024

_READ_BYTES: Final = 64 * 1024

_DESCRIPTION: Final = """\
Tell how the server at a socket is, or, without --unix, whether an agent could be opened with this configuration, here.
Providers are told of as calls to them went; none is called for this, which is what `manus doctor` does.

It is `ok`, or `degraded` where requests are answered and something should be looked at (status 0, so that a probe does
not end a server that works; 4 with --strict), or `unavailable` where no request is answered, or nobody is there (1).
"""

_REQUESTS: Final = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1,"client":{"name":"manus health"}}}\n'
    b'{"jsonrpc":"2.0","id":2,"method":"health"}\n'
)

Health = dict[str, Any]
"""What `Health.to_dict` gives; Any: JSON, of a server that may be another version than this."""


class NoServer(Exception):
    """Nobody answers at the socket as our server does; the text says why."""


class BadSocket(Exception):
    """The socket's path is none that could be asked; the text says why."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "health",
        help="tell how a running server is, or whether an agent could be opened",
        description=_DESCRIPTION,
        epilog=exits.MEANINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--unix", metavar="PATH", help="ask the server that listens at this socket")
    parser.add_argument("--config", metavar="FILE", help="without --unix: the configuration (see: manus config)")
    parser.add_argument(
        "--timeout", type=_seconds, default=TIMEOUT_S, metavar="S", help=f"seconds to wait in all ({TIMEOUT_S:g})"
    )
    parser.add_argument("--strict", action="store_true", help="give status 4 where it is degraded")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask, tell, and give the exit status."""
    if arguments.unix is not None and arguments.config is not None:
        say("manus: --config: a running server has its own; leave out one of --unix and --config")
        return exits.BAD_INPUT
    try:
        health = (
            _of_an_agent(arguments.config, arguments.timeout)
            if arguments.unix is None
            else ask_server(arguments.unix, arguments.timeout)
        )
    except BadSocket as error:
        say(f"manus: --unix: {error}")
        return exits.BAD_INPUT
    except NoServer as error:
        health = {"status": "unavailable", "reasons": [str(error)]}
    if health is None:
        return exits.BAD_INPUT
    print(json.dumps(health, ensure_ascii=False) if arguments.json else health_text(health))
    match health.get("status"):
        case "ok":
            return exits.OK
        case "degraded":
            return exits.DEGRADED if arguments.strict else exits.OK
        case _:
            return exits.FAILED


def ask_server(path: str, timeout_s: float) -> Health:
    """Ask the server that listens at `path`.

    Raises:
        NoServer: nobody listens there, or did not answer in time, or not with what was asked for.
        BadSocket: nobody could listen there for us.
    """
    ends_at = time.monotonic() + timeout_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.settimeout(timeout_s)
            connection.connect(path)
            connection.sendall(_REQUESTS)
            return _reply(connection, ends_at)
        except TimeoutError:
            raise NoServer(f"the server at {path} did not answer within {timeout_s:g} s") from None
        except (FileNotFoundError, ConnectionRefusedError):
            raise NoServer(f"nobody listens at {path}") from None
        except ConnectionError as error:
            raise NoServer(f"the server at {path} went away: {error.strerror}") from None
        except PermissionError:
            raise BadSocket(f"{path} is another user's; a server answers its own user alone") from None
        except OSError as error:
            raise BadSocket(f"{path} is no socket that can be asked: {error.strerror or error}") from None


def _reply(connection: socket.socket, ends_at: float) -> Health:
    """Read lines until the one that answers.

    Raises:
        NoServer: it does not come.
        TimeoutError: it has not come in time.
    """
    content = b""
    while len(content) <= REPLY_BYTES_MAX:
        *lines, content = content.split(b"\n")
        for line in lines:
            health = _health_in(line)
            if health is not None:
                return health
        left_s = ends_at - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        connection.settimeout(left_s)
        more = connection.recv(_READ_BYTES)
        if not more:
            raise NoServer("the server closed the connection without an answer")
        content += more
    raise NoServer(f"the server's answer is longer than {REPLY_BYTES_MAX} bytes")


def _health_in(line: bytes) -> Health | None:
    """Take the answer out of a line; None where it is another one.

    Raises:
        NoServer: the line says that there will be none, or nobody of ours wrote it.
    """
    try:
        reply = json.loads(line)
    except (ValueError, RecursionError):
        raise NoServer("whoever listens there does not speak our protocol") from None
    match reply:
        case {"id": 2, "result": {"status": str()} as health}:
            return dict(health)
        case {"error": {"message": str() as message}}:
            raise NoServer(f"the server refused: {message}")
        case {"id": 1, "result": {}} | {"method": str()}:
            return None
        case _:
            raise NoServer("whoever listens there does not speak our protocol")


def _of_an_agent(config: str | None, timeout_s: float) -> Health | None:
    """Open an agent, and ask it; None, and a word on stderr, where the configuration cannot be used."""
    import trio

    from manus.errors import ConfigurationError, LLMError

    try:
        return trio.run(_opened, config, timeout_s)
    except ConfigurationError as error:
        say(f"manus: {error}")
        return None
    except LLMError as error:
        return {"status": "unavailable", "reasons": [str(error)]}


async def _opened(config: str | None, timeout_s: float) -> Health:
    import trio

    from manus.opening import open_agent

    health: Health = {"status": "unavailable", "reasons": [f"it could not be opened within {timeout_s:g} s"]}
    with trio.move_on_after(timeout_s):
        # Books in memory: a question must not leave a ledger behind, nor hold up a process that has one open.
        async with open_agent(config, keep_books=False) as agent:
            for note in agent.notes:
                say(f"[{note}]")
            health = (await agent.health()).to_dict()
    return health


def health_text(health: Health) -> str:
    """Write it for people: how it is, since when, why not better, and a line per provider."""
    facts = [str(health.get("status"))]
    if "version" in health:
        facts.append(f"manus {health['version']}")
    if "uptime_s" in health:
        facts.append(f"up {span(float(health['uptime_s']))}")
    if "in_flight" in health:
        facts.append(f"{health['in_flight']} in flight, {health.get('waiting', 0)} waiting")
    if ledger := health.get("ledger"):
        facts.append(f"books {ledger.get('state')}, {ledger.get('durability')}")
    lines = [" | ".join(facts), *(f"  {reason}" for reason in health.get("reasons", ()))]
    if providers := health.get("providers"):
        rows = [("PROVIDER", "STATUS", "ACTOR", "IN FLIGHT", "RESTARTS", "LAST FAILURE")]
        rows += [
            (
                str(each.get("name")),
                str(each.get("status")),
                str(each.get("state")),
                str(each.get("in_flight", 0)),
                str(each.get("restarts", 0)),
                str(each.get("last_failure") or "-"),
            )
            for each in providers
        ]
        lines += ["", *table(rows)]
    return "\n".join(lines)


def _seconds(text: str) -> float:
    value = float(text)
    if not (0 < value <= 3600 and math.isfinite(value)):
        raise argparse.ArgumentTypeError("expected seconds, more than 0 and at most 3600")
    return value
