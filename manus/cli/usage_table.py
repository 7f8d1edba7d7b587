"""Own how the books are shown: totals and calls in doubt, as a table for people and as CSV for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from manus.actors.ledger.rows import LedgerRow
from manus.messages.usage import NANO_USD, format_usd
from manus.reports import UsageLine, UsageReport

NONE: Final = "-"
"""What stands for a tag or conversation that a call has not."""

ALL: Final = "*"
"""What stands for all values together."""

_COUNTED: Final = tuple(
    field
    for field in UsageLine.__struct_fields__
    if field not in ("provider", "model", "deployment", "key", "tag", "conversation", "day")
)


class Column(msgspec.Struct, frozen=True):
    """A column of numbers; one that is not `always` there is left out where every line has nothing in it."""

    head: str
    cell: Callable[[UsageLine], str]
    counts: Callable[[UsageLine], int]
    always: bool = False


def _number(field: str) -> Callable[[UsageLine], str]:
    def cell(line: UsageLine) -> str:
        return f"{getattr(line, field):,}"

    return cell


def _money(field: str) -> Callable[[UsageLine], str]:
    def cell(line: UsageLine) -> str:
        return format_usd(getattr(line, field))

    return cell


def cost_text(line: UsageLine) -> str:
    """Write what is known of the cost, and that there is more: what nobody has priced is not $0."""
    if not line.unpriced:
        return format_usd(line.cost_nano_usd)
    return f"{format_usd(line.cost_nano_usd)} + unknown" if line.cost_nano_usd else "unknown"


def _of(field: str) -> Callable[[UsageLine], int]:
    def count(line: UsageLine) -> int:
        value: int = getattr(line, field)
        return value

    return count


COLUMNS: Final = (
    Column("CALLS", _number("requests"), _of("requests"), always=True),
    Column("INPUT", _number("input_tokens"), _of("input_tokens"), always=True),
    Column("OUTPUT", _number("output_tokens"), _of("output_tokens"), always=True),
    Column("COST", cost_text, _of("cost_nano_usd"), always=True),
    Column("CACHED", _number("cache_read_tokens"), _of("cache_read_tokens")),
    Column("REASONING", _number("reasoning_tokens"), _of("reasoning_tokens")),
    Column("ESTIMATED", _number("estimated"), _of("estimated")),
    Column("UNPRICED", _number("unpriced"), _of("unpriced")),
    Column("OPEN", _number("open"), _of("open")),
    Column("IN DOUBT", _number("in_doubt"), _of("in_doubt")),
    Column("UP TO", _money("in_doubt_cost_nano_usd"), _of("in_doubt")),
)


def usage_table(report: UsageReport) -> str:
    """Lay the books out: a line per combination of values, then all of them together."""
    together = [report.total] if len(report.lines) != 1 or not report.by else []
    columns = [column for column in COLUMNS if column.always or column.counts(report.total)]
    rows = [(*(name.upper() for name in report.by), *(column.head for column in columns))]
    rows += [(*_names(line, report), *(column.cell(line) for column in columns)) for line in report.lines if report.by]
    rows += [(*(ALL for _ in report.by), *(column.cell(line) for column in columns)) for line in together]
    return aligned(rows, names=len(report.by))


def usage_csv(report: UsageReport) -> str:
    """Write the books as CSV: a line per combination of values, every count, costs also in USD, exact."""
    head = [*report.by, *_COUNTED, "cost_usd", "in_doubt_cost_usd"]
    rows = [
        [
            *(getattr(line, name) or "" for name in report.by),
            *(getattr(line, field) for field in _COUNTED),
            exact_usd(line.cost_nano_usd),
            exact_usd(line.in_doubt_cost_nano_usd),
        ]
        for line in report.lines
    ]
    return _csv([head, *rows])


def doubt_table(rows: Iterable[LedgerRow]) -> str:
    """Lay out the calls in doubt, with the most that each may have used."""
    lines = [("ENDED (UTC)", "REQUEST", "DEPLOYMENT", "REASON", "INPUT <=", "OUTPUT <=", "COST <=")]
    for row in rows:
        ended = datetime.fromtimestamp(row.ended_unix_s or row.created_unix_s, UTC)
        most = (str(row.usage.input_total), str(row.usage.output), format_usd(row.cost_nano_usd))
        lines.append(
            (f"{ended:%Y-%m-%d %H:%M:%S}", row.request_id, shown(row.deployment), shown(row.reason or ""), *most)
        )
    return aligned(lines, names=4)


def doubt_csv(rows: Iterable[LedgerRow]) -> str:
    """Write the calls in doubt as CSV."""
    head = ["ended_utc", "request_id", "attempt", "deployment", "reason"]
    head += ["input_tokens_max", "output_tokens_max", "cost_nano_usd_max"]
    told = [
        [
            datetime.fromtimestamp(row.ended_unix_s or row.created_unix_s, UTC).isoformat(),
            row.request_id,
            row.attempt,
            row.deployment,
            row.reason or "",
            row.usage.input_total,
            row.usage.output,
            "" if row.cost_nano_usd is None else row.cost_nano_usd,
        ]
        for row in rows
    ]
    return _csv([head, *told])


def doubt_json(rows: Iterable[LedgerRow]) -> str:
    """Write the calls in doubt as one JSON object, with all that the books have of each."""
    return msgspec.json.encode({"in_doubt": list(rows)}).decode()


def aligned(rows: Sequence[tuple[str, ...]], *, names: int) -> str:
    """Lay out a table: the first `names` columns to the left, the others, which are numbers, to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < names else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def exact_usd(nano_usd: int) -> str:
    """Write an amount as a plain number of USD, with all its nine places."""
    return f"{nano_usd // NANO_USD}.{nano_usd % NANO_USD:09d}"


def shown(text: str) -> str:
    """Give a text of somebody else's as a terminal may have it."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _names(line: UsageLine, report: UsageReport) -> tuple[str, ...]:
    return tuple(shown(getattr(line, name) or NONE) for name in report.by)


def _csv(rows: Iterable[Sequence[object]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue().rstrip("\n")
