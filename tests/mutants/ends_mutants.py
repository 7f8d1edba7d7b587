"""Lies about how attempts end whose callers leave: what is counted, what is booked, and what is read to its end."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

METERING = "manus/actors/metering.py"
ASSEMBLY = "manus/actors/assembly.py"
DELIVERY = "manus/actors/delivery.py"
CALL = "manus/actors/provider_call.py"
ATTEMPT = "manus/actors/journey/attempt.py"
ATTEMPTS = "manus/actors/journey/attempts.py"
DRAINS = "manus/actors/journey/drains.py"
REQUEST = "manus/actors/journey/request.py"
REF = "manus/supervisor/ref.py"

T_METERING = "tests/actors/test_metering.py"
T_ENDS = "tests/actors/test_every_end.py::test_row_is_what_is_known_of_how_an_attempt_ended"
T_DELIVERY = "tests/actors/test_delivery.py"
T_DRAINS = "tests/actors/test_drains.py"
T_QUESTIONS = "tests/supervisor/test_shell_questions.py"
T_BOUNDARY = "tests/cancel/test_every_boundary.py::test_stream_left_after_any_chunk_has_one_true_row"

AT_ONCE = f"{T_DRAINS}::test_caller_has_its_outcome_at_once_and_the_row_the_vendors_count_at_the_end"
LOSER = f"{T_DRAINS}::test_loser_of_a_race_that_showed_nothing_is_read_to_its_end_and_says_nothing"

ENDS_MUTANTS = [
    Mutant(
        name="a few pieces of a wire that batches pass for tokens",
        file=METERING,
        original="slack = 0 if batched else min(pieces, TOKENWISE_SLACK)",
        mutated="slack = TOKENWISE_SLACK + pieces",
        killers=(T_METERING,),
        rule="what was streamed is counted",
    ),
    Mutant(
        name="empty pieces are tokens",
        file=METERING,
        original="for piece in part if piece]",
        mutated="for piece in part]",
        killers=(T_METERING,),
        rule="what was streamed is counted",
    ),
    Mutant(
        name="a form that is yet to be filled in is a count",
        file=METERING,
        original="return assembly.has_content or (over and",
        mutated="return assembly.has_content or (",
        killers=(T_METERING,),
        rule="what may have been billed is in doubt",
    ),
    Mutant(
        name="a filtered prompt costs nothing anywhere",
        file=METERING,
        original='            return "estimated"  # the prompt was read, and nothing was answered',
        mutated='            return "no"',
        killers=(T_METERING,),
        rule="a failed attempt is released unless it may have been billed",
    ),
    Mutant(
        name="what came before a count is counted again",
        file=ASSEMBLY,
        original="pieces = part.pieces if counted is None else part.pieces[counted:]",
        mutated="pieces = part.pieces",
        killers=(T_METERING,),
        rule="what was streamed is counted once",
    ),
    Mutant(
        name="the name of a call is no token",
        file=ASSEMBLY,
        original="            if counted is None and part.name:",
        mutated="            if counted is not None and part.name:",
        killers=(f"{T_METERING}::test_name_of_a_call_is_counted_once",),
        rule="what was streamed is counted",
    ),
    Mutant(
        name="counts that came with the finish wait for the end",
        file=CALL,
        original="                    self._delivery.finishes()\n",
        mutated="",
        killers=(T_ENDS,),
        rule="usage that came after a finish is used",
    ),
    Mutant(
        name="admission is told when the request has left",
        file=CALL,
        original="        self._delivery.answered()\n",
        mutated='        self._delivery.advance("sent")\n',
        killers=("tests/actors/test_provider.py::test_head_of_a_response_is_told_when_it_is_there",),
        rule="a vendor has counted a request once it answers",
    ),
    Mutant(
        name="admission is told again and again",
        file=DELIVERY,
        original="            self.on_answered = None\n            on_answered()",
        mutated="            on_answered()",
        killers=(f"{T_DELIVERY}::test_head_of_the_response_is_told_once_and_to_nobody_once_it_is_over",),
        rule="an answer begins once",
    ),
    Mutant(
        name="who lost a race is heard after all",
        file=DELIVERY,
        original="        self._channel = None\n        self._filter = None\n",
        mutated="",
        killers=(f"{T_DELIVERY}::test_muted_attempt_reaches_nobody_and_is_taken_down_all_the_same", LOSER),
        rule="an answer is one attempt's",
    ),
    Mutant(
        name="a drain has no end of its own",
        file=DRAINS,
        original="trio.move_on_after(self._policy.drain_s)",
        mutated="trio.move_on_after(1e6)",
        killers=(f"{T_DRAINS}::test_drain_ends_with_its_own_time",),
        rule="a drain is bounded",
    ),
    Mutant(
        name="any number of drains",
        file=DRAINS,
        original="if self.count >= self._policy.drains_max:",
        mutated="if self.count < 0:",
        killers=(f"{T_DRAINS}::test_more_drains_than_may_be_are_broken_off",),
        rule="drains are bounded",
    ),
    Mutant(
        name="drains are never over",
        file=DRAINS,
        original="            self.count -= 1\n",
        mutated="",
        killers=(f"{T_DRAINS}::test_more_drains_than_may_be_are_broken_off",),
        rule="drains are bounded, not rationed",
    ),
    Mutant(
        name="a drain is not booked",
        file=DRAINS,
        original="            attempt.close()\n",
        mutated="            attempt.let_go()\n",
        killers=(AT_ONCE,),
        rule="every reservation ends in the books",
    ),
    Mutant(
        name="what a drain brought is not looked at",
        file=DRAINS,
        original="attempt.judge(await attempt.question.answer())",
        mutated="await attempt.question.answer()",
        killers=(f"{T_DRAINS}::test_caller_has_its_outcome_at_once_and_the_row_the_vendors_count_at_the_end",),
        rule="drained, a call is booked by the vendor's own word",
    ),
    Mutant(
        name="a call is sent for nobody",
        file=ATTEMPT,
        original='and not question.answered and self.delivery.phase in ("sent", "streaming")',
        mutated="and not question.answered",
        killers=(f"{T_DRAINS}::test_call_that_was_not_sent_yet_is_not_sent_for_nobody",),
        rule="a call is drained only where the vendor is at work",
    ),
    Mutant(
        name="a call that nobody waits for runs on",
        file=ATTEMPT,
        original="            self.question.leave()\n",
        mutated="            self.question.answered\n",
        killers=(
            f"{T_DRAINS}::test_deadline_is_no_leave_taking_and_ends_the_call",
            f"{T_DRAINS}::test_drain_ends_with_its_own_time",
        ),
        rule="a call that is over is cancelled",
    ),
    Mutant(
        name="a row that is open is told as ended",
        file=ATTEMPT,
        original='booking="open" if self.draining else',
        mutated="booking=",
        killers=(AT_ONCE,),
        rule="nothing is told before it is so",
    ),
    Mutant(
        name="an attempt that is in doubt is told to have used nothing",
        file=ATTEMPT,
        original='return Booked(state="in_doubt", usage=bound, cost_nano_usd=cost, durable=False)',
        mutated='return Booked(state="in_doubt", usage=NO_USAGE, cost_nano_usd=cost, durable=False)',
        killers=(f"{T_DRAINS}::test_attempt_in_doubt_is_told_with_its_bound",),
        rule="what is in doubt has its upper bound",
    ),
    Mutant(
        name="an attempt is told when its caller leaves, and again",
        file=ATTEMPTS,
        original="        if not attempt.draining:\n",
        mutated="        if attempt is not None:\n",
        killers=(AT_ONCE,),
        rule="an attempt is told once",
    ),
    Mutant(
        name="losers are not drained",
        file=ATTEMPTS,
        original="if attempt.is_open and not self.drain(attempt):",
        mutated="if attempt.is_open:",
        killers=(LOSER,),
        rule="a hedge's loser is drained like any call that nobody waits for",
    ),
    Mutant(
        name="the request does not decide",
        file=REQUEST,
        original="on_cancel=on_cancel or desk.spec.policy.on_cancel,",
        mutated="on_cancel=desk.spec.policy.on_cancel,",
        killers=(f"{T_DRAINS}::test_request_has_the_last_word",),
        rule="a caller's word is above the policy's",
    ),
    Mutant(
        name="who stops waiting for a question takes it back",
        file=REF,
        original="            await self._envelope.wait()\n        return",
        mutated="            try:\n                await self._envelope.wait()\n"
        "            finally:\n                self._envelope.leave()\n        return",
        killers=(f"{T_QUESTIONS}::test_a_question_goes_on_without_the_task_that_asked_it",),
        rule="a question outlives who waits for it",
    ),
    Mutant(
        name="who leaves a question lets the work go on",
        file=REF,
        original='Synchronous; once it is answered, and twice, harmless."""\n        self._envelope.leave()',
        mutated='Synchronous; once it is answered, and twice, harmless."""\n        self._envelope.rouse()',
        killers=(f"{T_QUESTIONS}::test_who_leaves_a_question_cancels_the_work_on_it",),
        rule="nobody works for nobody",
    ),
    Mutant(
        name="an estimate passes for the vendor's word",
        file=METERING,
        original='        output=output,\n        source="estimated",',
        mutated='        output=output,\n        source="reported",',
        killers=(f"{T_BOUNDARY}[openai-by_closing-abort]",),
        rule="an estimate is labelled",
    ),
]
