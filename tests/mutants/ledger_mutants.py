"""Lies about the books: accounting, the ledger, its journal and files, and what becomes of dead runs."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ACTOR = "manus/actors/accounting.py"
LEDGER = "manus/actors/ledger/ledger.py"
ROWS = "manus/actors/ledger/rows.py"
DEAD_RUNS = "manus/actors/ledger/recovery.py"
FILES = "manus/actors/ledger/journal.py"
THREADS = "manus/actors/ledger/threads.py"
STORE = "manus/actors/ledger/journaled.py"
ROWS_IN_SQLITE = "manus/actors/ledger/sqlite.py"
FRAMES = "manus/actors/ledger/frames.py"

CRASHES = "tests/actors/test_accounting_crashes.py"
ASKED = "tests/actors/test_accounting.py"
BOOKS = "tests/actors/test_ledger.py"
DEAD = "tests/actors/test_ledger_recovery.py"
FILE_TESTS = "tests/actors/test_ledger_journal.py"
DISK = "tests/actors/test_ledger_journaled.py"
SQL = "tests/actors/test_ledger_sqlite.py"
TORN = "tests/actors/test_ledger_frames.py"

LEDGER_MUTANTS = [
    Mutant(
        name="what was in hand is forgotten",
        file=ACTOR,
        original="        self._finish_what_was_in_hand()\n",
        mutated="",
        killers=(f"{CRASHES}::test_a_crash_while_an_ending_is_written_does_not_lose_it",),
        rule="a crash of accounting leaves no attempt open unnoticed",
    ),
    Mutant(
        name="ungranted attempts stay open",
        file=ACTOR,
        original="for key in books.ledger.ungranted():",
        mutated="for key in books.ledger.ungranted()[:0]:",
        killers=(f"{CRASHES}::test_a_crash_while_an_intent_is_written_leaves_nothing_open",),
        rule="what nobody was granted is released",
    ),
    Mutant(
        name="a poisonous ending is tried for ever",
        file=ACTOR,
        original="books.in_hand = Doubt(request_id=ending.request_id, attempt=ending.attempt, reason=reason)",
        mutated="books.in_hand = ending",
        killers=(f"{CRASHES}::test_an_ending_that_crashes_its_booking_every_time_is_left_in_doubt",),
        rule="the bound is kept where the exact booking fails",
    ),
    Mutant(
        name="a step that was refused is dropped",
        file=ACTOR,
        original="        self._books.unwritten.append(record)\n        return self._write_owed()",
        mutated="        return self._books.store.append(record)",
        killers=(f"{ASKED}::test_a_settlement_that_cannot_be_written_is_kept_and_tried_again",),
        rule="nothing is lost silently on a full disk",
    ),
    Mutant(
        name="new calls pile up on what is owed",
        file=ACTOR,
        original="        owed = self._write_owed() if books.unwritten else None\n",
        mutated="        owed = None\n",
        killers=(f"{ASKED}::test_nothing_new_is_admitted_while_the_store_owes_a_record",),
        rule="what is owed to the disk is bounded (P10)",
    ),
    Mutant(
        name="a grant outlives its asker",
        file=ACTOR,
        original="        if envelope.answered:\n            return self._give_up(key)",
        mutated="        if False:\n            return self._give_up(key)",
        killers=(f"{ASKED}::test_a_reservation_whose_asker_left_is_released",),
        rule="every open attempt has somebody who will end it",
    ),
    Mutant(
        name="dispatches go unnoted while accounting is down",
        file=ACTOR,
        original="presume_dispatched(self._now_unix_s()):",
        mutated="presume_dispatched(self._now_unix_s())[:0]:",
        killers=(f"{CRASHES}::test_while_nobody_keeps_the_books_what_was_granted_counts_as_sent",),
        rule="what may have been sent is never released by inference (P8)",
    ),
    Mutant(
        name="a refused intent stays in the books",
        file=ACTOR,
        original="                books.ledger.withdraw(intent.key)\n",
        mutated="",
        killers=(f"{ASKED}::test_an_intent_that_cannot_be_written_refuses_the_call",),
        rule="reserved = open + settled + released + in doubt",
    ),
    Mutant(
        name="an unconfirmed call goes ahead",
        file=ACTOR,
        original="        self._release(key, reason)\n        return Denied",
        mutated="        return Denied",
        killers=(f"{ASKED}::test_a_call_whose_intent_is_not_confirmed_in_time_is_refused",),
        rule="a refused call leaves nothing open",
    ),
    Mutant(
        name="durable is said before it is so",
        file=ACTOR,
        original="            return msgspec.structs.replace(booked, durable=not owed)",
        mutated="            return booked",
        killers=(f"{ASKED}::test_a_settlement_that_cannot_be_written_is_kept_and_tried_again",),
        rule="durable means durable (P1)",
    ),
    Mutant(
        name="the store's word is acted on in the store's callback",
        file=ACTOR,
        original="pending.then(lambda kept: self._hear(lambda: confirmation.settle(kept)))",
        mutated="pending.then(confirmation.settle)",
        killers=(f"{CRASHES}::test_an_error_after_a_confirmation_is_the_actors_crash_and_not_the_loops",),
        rule="a bug in an actor is its own crash and nobody else's",
    ),
    Mutant(
        name="the second ending holds",
        file=LEDGER,
        original='            return self._ended_before(key, "released")',
        mutated='            return _failed("it has ended")',
        killers=(BOOKS,),
        rule="an attempt ends once",
    ),
    Mutant(
        name="a usage that nobody stands for is settled",
        file=LEDGER,
        original='        if settle.usage.source not in ("reported", "estimated"):',
        mutated='        if settle.usage.source == "bound":',
        killers=(f"{BOOKS}::test_counts_that_nobody_stands_for_leave_an_attempt_in_doubt",),
        rule="zero is not missing (P7)",
    ),
    Mutant(
        name="a doubt costs the ordinary price",
        file=LEDGER,
        original="        bound_cost = worst_cost_nano_usd(reserve.price, reserve.bound)\n",
        mutated="        bound_cost = reserve.price.cost_nano_usd(reserve.bound)\n",
        killers=(f"{BOOKS}::test_a_doubt_costs_the_dearest_that_the_bound_can_meet",),
        rule="the bound covers whatever was billed",
    ),
    Mutant(
        name="an orphan that was sent is released",
        file=ROWS,
        original='    if row.state == "intent" and certain:',
        mutated="    if certain:",
        killers=(f"{DEAD}::test_a_dead_run_is_booked_and_its_files_are_gone",),
        rule="what was sent and not settled is in doubt (P8)",
    ),
    Mutant(
        name="an orphan of a damaged journal is released",
        file=ROWS,
        original='    if row.state == "intent" and certain:',
        mutated='    if row.state == "intent":',
        killers=(f"{DEAD}::test_damage_puts_everything_open_in_doubt_and_the_journal_aside",),
        rule="nothing is inferred from a journal that is not whole",
    ),
    Mutant(
        name="another boot is taken for this one",
        file=DEAD_RUNS,
        original='head.boot_id == current_boot_id() != ""',
        mutated="True",
        killers=(f"{DEAD}::test_after_the_machine_went_down_no_intent_is_taken_for_unsent",),
        rule="a page cache does not survive the machine",
    ),
    Mutant(
        name="gaps between segments are overlooked",
        file=DEAD_RUNS,
        original="    whole = bool(numbers) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))",
        mutated="    whole = bool(numbers)",
        killers=(f"{DEAD}::test_a_gap_in_the_segments_puts_everything_open_in_doubt",),
        rule="nothing is inferred from a journal that is not whole",
    ),
    Mutant(
        name="the living are robbed",
        file=FILES,
        original="        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        mutated="        pass",
        killers=(f"{DEAD}::test_a_living_run_is_left_alone",),
        rule="a live intent is no orphan",
    ),
    Mutant(
        name="a removed lock file still counts",
        file=FILES,
        original="    return os.path.samestat(found, os.fstat(fd))",
        mutated="    return True",
        killers=(f"{FILE_TESTS}::test_a_lock_whose_file_was_replaced_meanwhile_counts_for_nothing",),
        rule="one owner per run",
    ),
    Mutant(
        name="a forked child writes on",
        file=FILES,
        original="        if os.getpid() != self._pid:",
        mutated="        if False:",
        killers=(f"{FILE_TESTS}::test_a_forked_child_cannot_tear_its_parents_journal",),
        rule="one writer per journal",
    ),
    Mutant(
        name="a failed sync is trusted again",
        file=THREADS,
        original="                self._journal.distrusted = True",
        mutated="                pass",
        killers=(f"{DISK}::test_a_sync_that_fails_is_not_confirmed_and_the_next_record_goes_elsewhere",),
        rule="power durability does not lie after an I/O error",
    ),
    Mutant(
        name="a segment goes before its last record is in SQLite",
        file=THREADS,
        original="            self._journal.remove_before(number)",
        mutated="            self._journal.remove_before(number + 1)",
        killers=(f"{DISK}::test_no_segment_goes_before_sqlite_has_all_of_it",),
        rule="files are deleted after their rows are committed",
    ),
    Mutant(
        name="segments are kept for ever",
        file=THREADS,
        original="            self._journal.remove_before(number)",
        mutated="            pass",
        killers=(f"{DISK}::test_segments_go_once_sqlite_has_them",),
        rule="the journal is bounded (P10)",
    ),
    Mutant(
        name="a question overtakes what was appended before it",
        file=THREADS,
        original="            asked = len(self._jobs)\n            self._fill()\n",
        mutated="            self._fill()\n            asked = len(self._jobs)\n",
        killers=(f"{DISK}::test_a_question_sees_all_that_was_appended_before_it",),
        rule="totals cover all that was told",
    ),
    Mutant(
        name="the log grows without end",
        file=THREADS,
        original="            self._bound_log()\n            number",
        mutated="            number",
        killers=(f"{DISK}::test_readers_in_the_way_do_not_let_the_log_grow_without_end",),
        rule="every file is bounded (P10)",
    ),
    Mutant(
        name="records pile up before a locked SQLite",
        file=STORE,
        original="            if self._filler.backlog >= self._policy.backlog_max:",
        mutated="            if False:",
        killers=(f"{DISK}::test_while_sqlite_is_locked_calls_go_on_up_to_the_backlog_and_nothing_is_lost",),
        rule="every queue is bounded (P10)",
    ),
    Mutant(
        name="endings have no room kept for them",
        file=STORE,
        original="            room_bytes = (len(self._open) + 1) * ENDING_BYTES_MAX",
        mutated="            room_bytes = 1",
        killers=(f"{DISK}::test_on_a_disk_that_has_filled_up_what_was_admitted_can_still_be_booked",),
        rule="what was admitted can be booked, whatever the disk does",
    ),
    Mutant(
        name="an end deletes what SQLite has not got",
        file=STORE,
        original="        self._journal.close(remove=self._filler.clean)",
        mutated="        self._journal.close(remove=True)",
        killers=(f"{DISK}::test_an_end_that_sqlite_does_not_let_happen_is_recovered_by_the_next_start",),
        rule="files are deleted after their rows are committed",
    ),
    Mutant(
        name="a row changes after its end",
        file=ROWS_IN_SQLITE,
        original='    + " WHERE attempts.ended_unix_s IS NULL"\n',
        mutated="",
        killers=(f"{SQL}::test_a_row_that_has_ended_stays_as_it_is",),
        rule="records may be read in twice",
    ),
    Mutant(
        name="checksums are not compared",
        file=FRAMES,
        original=" or zlib.crc32(payload) != checksum",
        mutated="",
        killers=(f"{TORN}::test_a_flipped_bit_never_changes_a_record_unnoticed",),
        rule="a damaged record is never booked",
    ),
]
