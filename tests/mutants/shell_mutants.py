"""Lies about mailboxes, dialogs and incarnations: where messages are lost, answered twice, or not at all."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

MAILBOX = "manus/supervisor/mailbox.py"
ENVELOPE = "manus/supervisor/envelope.py"
SERVING = "manus/supervisor/serving.py"
RUNNER = "manus/supervisor/runner.py"
DIALOG = "manus/supervisor/dialog.py"
SHELL = "manus/supervisor/shell.py"
REF = "manus/supervisor/ref.py"

ASK = "tests/supervisor/test_shell_ask.py"
STREAM = "tests/supervisor/test_shell_dialog.py"
LIVENESS = "tests/supervisor/test_shell_liveness.py"
ONE_END = "tests/supervisor/test_one_end.py"
QUEUE = "tests/supervisor/test_shell_mailbox.py"
RESTARTS = "tests/supervisor/test_shell_restarts.py"
STOP = "tests/supervisor/test_shell_stop.py"
SWEEPS = "tests/supervisor/test_shell_sweeps.py"
TREES = "tests/supervisor/test_shell_trees.py"
RESTS = "tests/supervisor/test_shell_rests.py"

SHELL_MUTANTS = [
    Mutant(
        name="the mailbox dies with its actor",
        file=MAILBOX,
        original="        self.generation = generation\n        self.front = None\n",
        mutated="        self.generation = generation\n        self.front = None\n        self.queue.clear()\n",
        killers=(f"{RESTARTS}::test_a_queued_request_survives_the_crash_and_is_served_by_the_next_incarnation",),
        rule="the slot outlives every incarnation and so does what is queued",
    ),
    Mutant(
        name="a second end of a dialog",
        file=ENVELOPE,
        original="        if self._answer is not PENDING:\n            return\n        self._answer = answer",
        mutated="        self._answer = answer",
        killers=(f"{ONE_END}::test_a_crash_after_the_deadline_does_not_change_the_outcome",),
        rule="a dialog has exactly one end; the first one wins",
    ),
    Mutant(
        name="replying twice is no bug",
        file=ENVELOPE,
        original='        assert not self.replied, f"{self!r} was replied to twice"\n',
        mutated="",
        killers=(f"{ASK}::test_a_second_reply_is_a_bug",),
        rule="a second reply is an assertion",
    ),
    Mutant(
        name="no drain at the stop",
        file=MAILBOX,
        original="        self._retired_for = why\n        self._end_all(self.queue)\n",
        mutated="        self._retired_for = why\n",
        killers=(
            f"{RESTARTS}::test_what_a_stop_finds_in_hand_fails_as_stopped_and_what_it_finds_queued_is_undelivered",
        ),
        rule="at a stop what is queued is answered Undelivered",
    ),
    Mutant(
        name="the in-hand is not answered on a crash",
        file=MAILBOX,
        original="        for envelope in [each for each in self.in_hand.values() if each.generation == generation]:\n",
        mutated="        for envelope in [each for each in self.in_hand.values() if each.generation < 0]:\n",
        killers=(f"{RESTARTS}::test_a_request_in_hand_is_answered_before_the_back_off_begins",),
        rule="what a dead incarnation had in hand is answered at once",
    ),
    Mutant(
        name="a checkpoint between receiving and registering",
        file=SERVING,
        original="            if envelope is not None:\n                return envelope\n",
        mutated=(
            "            if envelope is not None:\n"
            "                del self._slot.in_hand[envelope.id]\n"
            "                await trio.sleep(0)\n"
            "                self._slot._enter(envelope, trio.current_time())\n"
            "                return envelope\n"
        ),
        killers=(f"{SWEEPS}::test_an_actor_struck_at_any_step_loses_no_message",),
        rule="no checkpoint between receiving an envelope and entering it in the ledger",
    ),
    Mutant(
        name="a sent request is safe to retry",
        file=MAILBOX,
        original="safe_to_retry=phase < Phase.SENT",
        mutated="safe_to_retry=phase <= Phase.SENT",
        killers=(f"{RESTARTS}::test_a_crash_is_safe_to_retry_only_before_anything_was_sent",),
        rule="safe_to_retry means not billed",
    ),
    Mutant(
        name="expired work is started",
        file=MAILBOX,
        original="            if envelope.deadline <= now and not envelope.booked:",
        mutated="            if envelope.deadline <= 0.0 and not envelope.booked:",
        killers=(f"{ONE_END}::test_no_work_begins_in_the_very_tick_of_its_deadline",),
        rule="no work starts after its deadline",
    ),
    Mutant(
        name="a message overtakes the queue",
        file=MAILBOX,
        original="front.free > 0 and not self.queue and not self.blocked:",
        mutated="front.free > 0:",
        killers=(f"{ONE_END}::test_an_ask_right_after_a_turn_does_not_overtake_what_the_turn_sent",),
        rule="messages are served first in, first out",
    ),
    Mutant(
        name="the newest waits least",
        file=MAILBOX,
        original="_, envelope = self.queue.popitem(last=False)",
        mutated="_, envelope = self.queue.popitem(last=True)",
        killers=(f"{RESTARTS}::test_order_is_kept_across_restarts",),
        rule="messages are served first in, first out, across restarts",
    ),
    Mutant(
        name="the mailbox has no bound",
        file=MAILBOX,
        original="if envelope.booked or self.room > 0:",
        mutated="if envelope.booked or self.room >= 0:",
        killers=(f"{QUEUE}::test_a_shedding_mailbox_answers_full",),
        rule="every queue has a bound",
    ),
    Mutant(
        name="booked room is given away",
        file=MAILBOX,
        original="return max(0, self.spec.capacity - len(self.queue) - self.booked)",
        mutated="return max(0, self.spec.capacity - len(self.queue))",
        killers=(f"{QUEUE}::test_a_booked_place_has_room_when_the_mailbox_is_full",),
        rule="a booked place always has room",
    ),
    Mutant(
        name="quarantined mailboxes keep their senders waiting",
        file=MAILBOX,
        original="        self._reopens_at = until\n        self._end_all(self.queue)\n",
        mutated="        self._reopens_at = until\n",
        killers=(f"{TREES}::test_an_exhausted_actor_is_quarantined_and_answers_unavailable_at_once",),
        rule="a quarantined child answers Unavailable at once",
    ),
    Mutant(
        name="who rests beneath a supervisor is woken with it",
        file=SHELL,
        original="for slot in ground.slots_to_readmit(child_id):",
        mutated="for slot in ground.slots_beneath(child_id):",
        killers=(f"{RESTS}::test_a_child_that_rests_goes_on_resting_when_the_supervisor_above_it_is_well_again",),
        rule="a mailbox opens only when its own actor is up",
    ),
    Mutant(
        name="the handler of who left works on",
        file=ENVELOPE,
        original="            self._scope.cancel(reason=reason)",
        mutated="            pass",
        killers=(f"{ASK}::test_leaving_cancels_the_handler_within_a_tick",),
        rule="leaving cancels the work in one tick",
    ),
    Mutant(
        name="work for nobody is begun",
        file=SERVING,
        original="            elif envelope.abandoned and (envelope.answered or not self._own_scope):\n",
        mutated="            elif envelope.id < 0:\n",
        killers=(f"{ASK}::test_no_handler_is_begun_for_an_asker_that_left_in_the_same_tick",),
        rule="no work starts after its asker left",
    ),
    Mutant(
        name="work is begun that a crash has answered for",
        file=SERVING,
        original="            if envelope.id not in self._slot.in_hand:\n",
        mutated="            if envelope.id < 0:\n",
        killers=(f"{ONE_END}::test_no_handler_is_begun_for_a_request_that_a_crash_in_the_same_tick_answered",),
        rule="what was answered as safe to retry is not begun after all",
    ),
    Mutant(
        name="more requests at once than places",
        file=SERVING,
        original="        self.free -= 1\n",
        mutated="        self.free -= 0\n",
        killers=(f"{QUEUE}::test_at_most_places_requests_are_worked_on_and_the_rest_wait_in_the_mailbox",),
        rule="at most `places` requests at once",
    ),
    Mutant(
        name="a place once used is lost",
        file=SERVING,
        original="        self.free += 1\n",
        mutated="        self.free += 0\n",
        killers=(f"{QUEUE}::test_a_place_freed_by_one_request_goes_to_the_oldest_that_waits",),
        rule="a finished request frees its place",
    ),
    Mutant(
        name="one poisonous request kills the actor",
        file=SERVING,
        original="        if not self._budget.spend(now):",
        mutated="        if self._budget.spend(now):",
        killers=(f"{RESTARTS}::test_a_crashed_request_spares_its_siblings_until_the_fault_budget_is_spent",),
        rule="a crashed request spares its siblings while the fault budget lasts",
    ),
    Mutant(
        name="askers wait until the dead actor has unwound",
        file=RUNNER,
        original="            if not sentinel.cancelled_caught:\n                self._unwind(None)",
        mutated="            if not sentinel.cancelled_caught:\n                pass",
        killers=(f"{RESTARTS}::test_nobody_waits_for_the_siblings_of_what_crashed_to_clean_up",),
        rule="what is in hand is answered the moment the incarnation begins to unwind",
    ),
    Mutant(
        name="a cancelled incarnation goes on receiving",
        file=SERVING,
        original="        if self._slot.front is not self:\n            raise trio.ClosedResourceError\n",
        mutated="",
        killers=(f"{LIVENESS}::test_a_zombie_takes_nothing_and_answers_for_nothing_that_is_its_successors",),
        rule="an incarnation that is over, or fenced, can take nothing",
    ),
    Mutant(
        name="the outcome overtakes unread items",
        file=DIALOG,
        original="        while not sink._items:\n            if self._envelope.answered:",
        mutated="        while not sink._items or self._envelope.answered:\n            if self._envelope.answered:",
        killers=(f"{STREAM}::test_a_stream_gives_every_item_in_order_and_then_its_outcome",),
        rule="a stream gives all its items first, then its outcome",
    ),
    Mutant(
        name="streams have no bound",
        file=DIALOG,
        original="        if self.closed or len(self._items) >= self._capacity:\n            return False\n",
        mutated="        if self.closed:\n            return False\n",
        killers=(f"{STREAM}::test_a_slow_reader_holds_up_its_own_writer_and_nobody_else",),
        rule="every buffer has a bound",
    ),
    Mutant(
        name="a dialog that is left goes on",
        file=DIALOG,
        original="    envelope.leave()\n    sink._left()",
        mutated="    sink._left()",
        killers=(f"{STREAM}::test_leaving_the_block_cancels_the_handler_and_frees_a_writer_that_waits_for_room",),
        rule="leaving the block cancels the work",
    ),
    Mutant(
        name="a draining actor takes new work",
        file=MAILBOX,
        original="            self.gate = Gate.DRAINING\n        self._end_all(self.blocked)",
        mutated="            pass\n        self._end_all(self.blocked)",
        killers=(f"{STOP}::test_a_draining_actor_refuses_what_comes_and_frees_who_waits_for_room",),
        rule="a drain closes the gate",
    ),
    Mutant(
        name="a late reply is an unseen one",
        file=MAILBOX,
        original="            self._late_replies += 1\n",
        mutated="            pass\n",
        killers=(f"{ONE_END}::test_late_replies_are_in_the_statistics",),
        rule="late replies are counted",
    ),
]
