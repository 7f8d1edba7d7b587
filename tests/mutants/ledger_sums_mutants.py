"""Own the lies about totals, spending, retention and trouble of the ledger, and the tests that must find them out."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

LEDGER = "manus/actors/ledger/ledger.py"
SCHEMA = "manus/actors/ledger/schema.py"
SPANS = "manus/actors/ledger/spans.py"
SUMS = "manus/actors/ledger/sums.py"
TOTALS = "manus/actors/ledger/sqlite_sums.py"
SPENT = "manus/actors/ledger/sqlite_spent.py"
ROWS_IN_SQLITE = "manus/actors/ledger/sqlite.py"
RETENTION = "manus/actors/ledger/retention.py"
MEMORY = "manus/actors/ledger/store.py"
FILE = "manus/actors/ledger/file.py"
FRAMES = "manus/actors/ledger/frames.py"
JOURNAL = "manus/actors/ledger/journal.py"
THREADS = "manus/actors/ledger/threads.py"

BOOKS = "tests/actors/test_ledger.py"
SMALL = "tests/actors/test_ledger_sums.py"
WALKS = "tests/actors/test_ledger_sums_properties.py"
OLD = "tests/actors/test_ledger_retention.py"
UPGRADE = "tests/actors/test_ledger_upgrade.py"
TORN = "tests/actors/test_ledger_torn.py"
TROUBLE = "tests/actors/test_ledger_trouble.py"
MEMORY_TESTS = "tests/actors/test_ledger_memory.py"
SQL = "tests/actors/test_ledger_sqlite.py"

LEDGER_SUMS_MUTANTS = [
    Mutant(
        name="a call is charged at the price it was reserved at",
        file=LEDGER,
        original="        price = entry.price if settle.price is None else settle.price\n",
        mutated="        price = entry.price\n",
        killers=(f"{BOOKS}::test_a_call_is_charged_by_the_price_it_was_served_at",),
        rule="the books equal the bill (P7)",
    ),
    Mutant(
        name="a row names the price it was reserved at",
        file=ROWS_IN_SQLITE,
        original="price_version = coalesce(?, price_version), ",
        mutated="price_version = coalesce(price_version, ?), ",
        killers=(f"{SQL}::test_a_row_names_the_price_that_was_charged_however_its_records_are_gathered",),
        rule="a row says by what it was charged",
    ),
    Mutant(
        name="the ends of a span are left out",
        file=SPANS,
        original="        ends.append(Piece(0, since, first))\n",
        mutated="        pass\n",
        killers=(f"{SMALL}::test_a_span_over_days_is_exact_at_both_ends",),
        rule="totals are exact to the moment",
    ),
    Mutant(
        name="an hour at the end counts whole",
        file=SPANS,
        original="    first, last = _up(since, smallest), _down(until, smallest)\n",
        mutated="    first, last = _up(since, smallest), _up(until, smallest)\n",
        killers=(f"{SMALL}::test_a_span_over_days_is_exact_at_both_ends",),
        rule="totals are exact to the moment",
    ),
    Mutant(
        name="rows that are gone are looked for",
        file=SPANS,
        original="    if until <= rows_from:\n",
        mutated="    if False:\n",
        killers=(f"{OLD}::test_ends_of_a_span_among_rows_that_are_gone_count_by_the_hour",),
        rule="totals never change by what is cleared away",
    ),
    Mutant(
        name="open calls are not in totals",
        file=TOTALS,
        original="    sources, values = [_OPEN], [since, until]\n",
        mutated="    sources, values = [_OPEN], [until, until]\n",
        killers=(f"{SMALL}::test_what_was_not_asked_for_is_not_told_and_rows_come_in_the_order_of_their_names",),
        rule="reserved = open + settled + released + in doubt",
    ),
    Mutant(
        name="conversations count twice",
        file=TOTALS,
        original='    return [f"{_CONVERSATIONS} WHERE {within}", f"{sums} AND NOT in_conversation"]\n',
        mutated='    return [f"{_CONVERSATIONS} WHERE {within}", sums]\n',
        killers=(f"{SMALL}::test_calls_with_a_conversation_and_without_count_once_whatever_they_are_split_by",),
        rule="an attempt counts once",
    ),
    Mutant(
        name="a tag that is named twice counts twice",
        file=SUMS,
        original="        for values in set(_values(part, by)):\n",
        mutated="        for values in _values(part, by):\n",
        killers=(f"{SMALL}::test_an_attempt_counts_once_under_each_of_its_tags",),
        rule="an attempt counts once under each of its tags",
    ),
    Mutant(
        name="what others spent includes ones own",
        file=SPENT,
        original='(("sums", 1), ("own_sums", -1)) if asked.others_only',
        mutated='(("sums", 1), ("own_sums", 0)) if asked.others_only',
        killers=(f"{SMALL}::test_others_are_all_runs_but_ones_own",),
        rule="nothing counts twice in a budget",
    ),
    Mutant(
        name="what others spend meanwhile is not seen",
        file=SPENT,
        original="        known = self._told if version == self._version else {}\n",
        mutated="        known = self._told\n",
        killers=(f"{SMALL}::test_what_others_spent_is_read_again_only_when_somebody_else_has_written",),
        rule="a budget holds for all processes together",
    ),
    Mutant(
        name="open calls of ones own are somebody else's",
        file=SPENT,
        original='    left_out = own_run_id if asked.others_only else ""\n',
        mutated='    left_out = ""\n',
        killers=(f"{SMALL}::test_others_are_all_runs_but_ones_own",),
        rule="nothing counts twice in a budget",
    ),
    Mutant(
        name="a tag is matched by its text alone",
        file=SPENT,
        original='among = "instr(tags, ?) AND EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)"',
        mutated='among = "instr(tags, ?) AND ? IS NOT NULL"',
        killers=(f"{SMALL}::test_a_scope_is_matched_whole",),
        rule="a budget holds for its scope and no other",
    ),
    Mutant(
        name="a window begins with its bucket",
        file=SPENT,
        original="        first += length_s\n",
        mutated="        pass\n",
        killers=(f"{SMALL}::test_a_window_begins_within_a_bucket",),
        rule="a window is what it says",
    ),
    Mutant(
        name="fine sums that are gone are looked for",
        file=SPENT,
        original="        fine_from = max(float(fine_from_unix_s(now_unix_s)), mark(connection, FINE_MARK))\n",
        mutated="        fine_from = float(fine_from_unix_s(now_unix_s))\n",
        killers=(f"{OLD}::test_fine_sums_go_when_nobody_needs_them_so_fine_and_hours_take_their_place",),
        rule="a clock that goes back makes no budget forget",
    ),
    Mutant(
        name="a row goes while a journal can bring it back",
        file=RETENTION,
        original='    "AND (run_id NOT IN (SELECT value FROM json_each(?)) OR (run_id = ? AND id <= ?)) "\n',
        mutated="    \"AND (? <> '' OR (run_id = ? AND id <= ?)) \"\n",
        killers=(f"{OLD}::test_nothing_goes_that_a_journal_can_bring_back",),
        rule="nothing counts twice",
    ),
    Mutant(
        name="doubts go with the rest",
        file=RETENTION,
        original="OR (request_key IS NULL AND state <> 'in_doubt')",
        mutated="OR request_key IS NULL",
        killers=(f"{OLD}::test_requests_that_hosts_ask_for_and_doubts_stay_for_two_bills",),
        rule="what a bill will settle is kept until it comes",
    ),
    Mutant(
        name="requests that hosts ask for go with the rest",
        file=RETENTION,
        original="OR (request_key IS NULL AND state <> 'in_doubt')",
        mutated="OR state <> 'in_doubt'",
        killers=(f"{OLD}::test_requests_that_hosts_ask_for_and_doubts_stay_for_two_bills",),
        rule="a host is not told that what it sent was never sent",
    ),
    Mutant(
        name="ids are used again",
        file=RETENTION,
        original='    "AND id < (SELECT max(id) FROM attempts) "\n',
        mutated='    ""\n',
        killers=(f"{OLD}::test_steps_are_small_and_go_on_where_they_were",),
        rule="a run's rows have ids above those of before",
    ),
    Mutant(
        name="old conversations are forgotten",
        file=RETENTION,
        original="FROM {_OLD_CONVERSATIONS} GROUP BY",
        mutated="FROM {_OLD_CONVERSATIONS} AND 0 GROUP BY",
        killers=(f"{OLD}::test_old_conversations_are_summed_up_together",),
        rule="totals never change by what is cleared away",
    ),
    Mutant(
        name="a quiet run keeps its rows for ever",
        file=THREADS,
        original="            self._journal.worn = True\n",
        mutated="            pass\n",
        killers=(f"{OLD}::test_a_run_clears_its_own_rows_once_its_journal_has_moved_on",),
        rule="every file is bounded (P10)",
    ),
    Mutant(
        name="rows of a segment that is still there may go",
        file=THREADS,
        original="            before = last_id(self._connection) if number > self._segment else None\n",
        mutated="            before = last_id(self._connection)\n",
        killers=(f"{OLD}::test_no_row_goes_whose_intent_is_in_the_segment_at_hand",),
        rule="nothing counts twice",
    ),
    Mutant(
        name="books in memory grow without end",
        file=MEMORY,
        original="        if place not in self._folded and len(self._folded) >= self._sums_max:\n",
        mutated="        if False:\n",
        killers=(f"{MEMORY_TESTS}::test_names_that_never_end_are_bounded_and_nothing_is_left_out",),
        rule="everything in memory is bounded (P10)",
    ),
    Mutant(
        name="an old file's rows are not added up",
        file=SCHEMA,
        original="    for first in range(0, last, FILL_IDS):\n",
        mutated="    for first in range(0, last - FILL_IDS, FILL_IDS):\n",
        killers=(f"{UPGRADE}::test_a_file_of_the_first_version_adds_up_as_one_that_was_made_today",),
        rule="an update loses nothing",
    ),
    Mutant(
        name="a sound file is written to when it is opened",
        file=FILE,
        original="        if version == len(VERSIONS):\n            return\n",
        mutated="",
        killers=(f"{TROUBLE}::test_opening_a_sound_ledger_writes_nothing_into_it",),
        rule="what is refused is left as it is",
    ),
    Mutant(
        name="a bad record before good ones is a torn write",
        file=FRAMES,
        original=" and all(_payload_at(rest, place) is None for place in range(1, len(rest)))",
        mutated="",
        killers=(f"{TORN}::test_what_follows_a_bad_frame_tells_a_torn_write_from_damage",),
        rule="nothing is inferred from a journal that is not whole",
    ),
    Mutant(
        name="a file that was taken away is written to",
        file=THREADS,
        original="            self._check_place()\n            # Counted",
        mutated="            # Counted",
        killers=(f"{TROUBLE}::test_what_is_booked_after_the_file_was_taken_away_is_in_the_next_one",),
        rule="nothing is lost silently",
    ),
    Mutant(
        name="a lock that was taken away is not missed",
        file=THREADS,
        original="        if not self._lock.in_place:\n",
        mutated="        if False:\n",
        killers=(f"{TROUBLE}::test_a_run_whose_lock_was_taken_away_says_that_it_may_be_taken_for_dead",),
        rule="nothing goes wrong without a word",
    ),
]
