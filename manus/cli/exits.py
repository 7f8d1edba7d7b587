"""Own what the exit status of `manus` means, to a shell and to people."""

from __future__ import annotations

from typing import Final

OK: Final = 0
FAILED: Final = 1
"""The request was good and failed all the same: no provider answered, or the answer is not whole."""

BAD_INPUT: Final = 2
"""Wrong usage, wrong configuration or a request that nobody could answer; trying again changes nothing."""

LIMITED: Final = 3
"""A limit or budget of the configuration has no room for the request; nothing was sent. Later it may have."""

DEGRADED: Final = 4
"""`manus health --strict`: requests are answered, but not all is well."""

HUNG_UP: Final = 129
"""The terminal went away: 128 + SIGHUP, as shells count."""

INTERRUPTED: Final = 130
"""Ctrl-C: 128 + SIGINT, as shells count."""

BROKEN_PIPE: Final = 141
"""Whoever read the output left: 128 + SIGPIPE, as shells count."""

TERMINATED: Final = 143
"""SIGTERM: 128 + 15."""

MEANINGS: Final = """\
exit status:
  0    done
  1    the request failed
  2    wrong usage, configuration or input
  3    a limit or budget of yours has no room for it; nothing was sent
  129  the terminal went away
  130  interrupted by Ctrl-C
  141  the reader of the output went away
  143  ended by SIGTERM
"""
