"""The books as a table and as CSV: what is shown, what is left out, and nothing that a terminal would act upon."""

from __future__ import annotations

import csv
import io

from manus.cli.usage_table import exact_usd, usage_csv, usage_table
from manus.messages.accounting import UsageDimension, UsageRow, UsageStats
from manus.messages.usage import Usage
from manus.reports import UsageReport, usage_report

ROW = UsageRow(
    provider="openai",
    model="m",
    requests=1_234,
    settled=1_234,
    usage=Usage(input_uncached=1_000_000, output=50),
    cost_nano_usd=1_500_000_001,
)


def report(*rows: UsageRow, by: tuple[UsageDimension, ...] = ("provider", "model")) -> UsageReport:
    return usage_report(UsageStats(rows=rows, by=by), UsageRow(requests=7) if "tag" in by else None)


def test_only_columns_that_hold_something_are_shown() -> None:
    head, line = usage_table(report(ROW)).splitlines()
    assert head.split() == ["PROVIDER", "MODEL", "CALLS", "INPUT", "OUTPUT", "COST"]
    assert line.split() == ["openai", "m", "1,234", "1,000,000", "50", "$1.500000001"]


def test_what_is_cached_thought_estimated_unpriced_open_or_in_doubt_has_its_column() -> None:
    row = UsageRow(
        provider="p",
        model="m",
        requests=9,
        open=1,
        in_doubt=2,
        in_doubt_cost_nano_usd=5_000_000,
        estimated=3,
        unpriced=4,
        usage=Usage(cache_read=6, output=8, reasoning=7),
    )
    head, line = usage_table(report(row)).splitlines()
    assert head.split() == [
        *("PROVIDER", "MODEL", "CALLS", "INPUT", "OUTPUT", "COST", "CACHED", "REASONING", "ESTIMATED", "UNPRICED"),
        *("OPEN", "IN", "DOUBT", "UP", "TO"),
    ]
    assert line.split() == ["p", "m", "9", "6", "8", "unknown", "6", "7", "3", "4", "1", "2", "$0.005"]


def test_a_cost_of_which_a_part_is_unknown_says_so() -> None:
    _, line = usage_table(report(UsageRow(provider="p", model="m", requests=2, unpriced=1, cost_nano_usd=5))).split(
        "\n"
    )
    assert "$0.000000005 + unknown" in line


def test_several_lines_have_all_of_them_together_below() -> None:
    other = UsageRow(provider="anthropic", model="n", requests=1, cost_nano_usd=499_999_999)
    lines = usage_table(report(other, ROW)).splitlines()
    assert lines[-1].split() == ["*", "*", "1,235", "1,000,000", "50", "$2.00"]


def test_the_total_of_tags_is_not_the_sum_of_their_lines() -> None:
    rows = [UsageRow(requests=4), UsageRow(tag="a", requests=6), UsageRow(tag="b", requests=5)]
    lines = usage_table(report(*rows, by=("tag",))).splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["-", "4"], ["a", "6"], ["b", "5"], ["*", "7"]]


def test_split_by_nothing_there_is_the_total_alone() -> None:
    head, line = usage_table(report(UsageRow(requests=3), by=())).splitlines()
    assert head.split()[0] == "CALLS"
    assert line.split()[0] == "3"


def test_names_cannot_play_with_the_terminal() -> None:
    row = UsageRow(tag="a\x1b[2Jb\nc", requests=1)
    assert "a?[2Jb?c" in usage_table(report(row, by=("tag",)))


def test_csv_has_every_count_exact_and_any_name() -> None:
    row = UsageRow(tag='odd, "tag"', requests=2, cost_nano_usd=12_345_678_901, in_doubt_cost_nano_usd=1)
    none = UsageRow(requests=1)
    head, first, second = csv.reader(io.StringIO(usage_csv(report(none, row, by=("tag",)))))
    told = dict(zip(head, second, strict=True))
    assert first[0] == ""
    assert (told["tag"], told["requests"], told["cost_nano_usd"]) == ('odd, "tag"', "2", "12345678901")
    assert (told["cost_usd"], told["in_doubt_cost_usd"]) == ("12.345678901", "0.000000001")


def test_amounts_are_exact() -> None:
    assert exact_usd(0) == "0.000000000"
    assert exact_usd(10**18 + 1) == "1000000000.000000001"
