"""Lies about conversations: what becomes history, whose turn it is, what is left out, what the file may do."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ROOM = "manus/actors/conversations"
TURN_ORDER = "tests/actors/conversations/test_turn_order.py"
TRIMMED = "tests/actors/conversations/test_trimmed_turns.py"
SWEEPS = "tests/actors/conversations/test_turn_sweeps.py::test_blow_at_every_step_leaves_the_history_that_was_told"
FILE = "tests/actors/conversations/test_file.py"

CONVERSATION_MUTANTS = [
    Mutant(
        name="an answer that nobody was given becomes history",
        file=f"{ROOM}/turn.py",
        original="        if not self._ticket.deleted and not self._env.answered:\n",
        mutated="        if not self._ticket.deleted:\n",
        killers=(f"{SWEEPS}[the actor crashes-fair-None]", f"{SWEEPS}[the caller leaves-fair-None]"),
        rule="the history has what was told",
    ),
    Mutant(
        name="what the disk took is not taken back when its caller has gone",
        file=f"{ROOM}/turn.py",
        original="                if not told and not self._ticket.deleted:\n",
        mutated="                if told and self._ticket.deleted:\n",
        killers=(f"{SWEEPS}[the actor crashes-fair-3]",),
        rule="the history has what was told",
    ),
    Mutant(
        name="a turn runs as soon as its task does",
        file=f"{ROOM}/turn.py",
        original="                await trio.lowlevel.checkpoint()\n                if not line.take",
        mutated="                if not line.take",
        killers=(f"{TURN_ORDER}::test_turns_asked_in_one_moment_run_in_the_order_of_asking",),
        rule="one ordered line",
    ),
    Mutant(
        name="nobody is called when a turn ends",
        file=f"{ROOM}/desk.py",
        original="            following.called.set()\n",
        mutated="            pass\n",
        killers=(f"{TURN_ORDER}::test_a_full_line_refuses_at_once_and_disturbs_nobody",),
        rule="one ordered line",
    ),
    Mutant(
        name="deleting lets the running turn go on",
        file=f"{ROOM}/desk.py",
        original='            ticket.scope.cancel(reason="the conversation was deleted")\n',
        mutated="            pass\n",
        killers=(f"{TURN_ORDER}::test_deleting_cancels_the_turn_that_runs_and_those_in_line",),
        rule="deleting while a turn runs",
    ),
    Mutant(
        name="a turn that has yet to come to its line outlives the deletion",
        file=f"{ROOM}/turn.py",
        original="        if self._desk.is_deleted(self._id, self._ticket.number):\n",
        mutated="        if False:\n",
        killers=(
            f"{TURN_ORDER}::test_an_answer_that_was_whole_when_its_conversation_was_deleted_is_given_and_not_kept",
        ),
        rule="deleting while a turn runs",
    ),
    Mutant(
        name="a cancelled turn does not wait for what it cost",
        file=f"{ROOM}/turn.py",
        original="        if question is not None and not self._env.answered:\n",
        mutated="        if False and question is not None:\n",
        killers=(f"{TURN_ORDER}::test_a_cancelled_turn_gives_the_routers_last_word_and_leaves_no_trace",),
        rule="cancelled requests keep their usage",
    ),
    Mutant(
        name="a call may be cut from its result",
        file=f"{ROOM}/trimming.py",
        original="        stays = min(stays, needs[cut])\n",
        mutated="        stays = min(stays, cut)\n",
        killers=("tests/actors/conversations/test_trimming.py::test_cuts_are_all_those_that_part_no_pair",),
        rule="a call stays with its result",
    ),
    Mutant(
        name="no room is kept for the answer",
        file=f"{ROOM}/fitting.py",
        original="        limit = window - min(answer, window // 2)\n",
        mutated="        limit = window\n",
        killers=("tests/actors/conversations/test_fitting.py::test_room_is_kept_for_the_answer",),
        rule="the prompt leaves room",
    ),
    Mutant(
        name="a stream of which something was shown is begun again",
        file=f"{ROOM}/turn.py",
        original='failure=Failed(kind="context_length"), partial=None)',
        mutated='failure=Failed(kind="context_length"))',
        killers=(f"{TRIMMED}::test_a_stream_of_which_something_was_shown_is_not_begun_again",),
        rule="whole streams",
    ),
    Mutant(
        name="a file of another kind is taken over",
        file=f"{ROOM}/file.py",
        original="    if tables and application != APPLICATION_ID:\n",
        mutated="    if tables and application == 0:\n",
        killers=(f"{FILE}::test_a_ledger_is_refused",),
        rule="never overwritten",
    ),
    Mutant(
        name="secrets are written as they stand",
        file=f"{ROOM}/file.py",
        original="    return body if redact(text) == text else",
        mutated="    return body if text else",
        killers=(f"{FILE}::test_a_configured_secret_is_struck_out_of_what_is_written",),
        rule="no secret leaves",
    ),
]
