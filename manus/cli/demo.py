"""Own `manus demo`: providers under load over real sockets, killed, hung and raving, while another does not notice."""

from __future__ import annotations

import argparse

from manus.cli import exits

_DESCRIPTION = """\
Run the whole agent against four simulated providers over loopback sockets, under load: one provider's actor is
killed, one provider hangs, one answers garbage, one stays healthy. Then lay our books beside the providers' own
bills. Needs no key and no network, and takes about fifteen seconds.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "demo",
        help="watch providers die and come back while another does not notice",
        description=_DESCRIPTION,
        epilog="Exit status 1: something that had to hold did not; the line that says FAIL names it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Play it; the status says whether everything held that must."""
    import trio

    from manus.demo.play import play
    from manus.demo.screen import Screen

    del arguments
    screen = Screen()
    good = trio.run(play, screen)
    screen.line()
    screen.verdict(good, "everything held that must" if good else "something did not hold: see FAIL above")
    return exits.OK if good else exits.FAILED
