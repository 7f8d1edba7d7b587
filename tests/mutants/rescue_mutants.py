"""Lies about streams that break off: gaps, doubles, other people's words, and bills that nobody pays."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

JOINTS = "tests/actors/test_joints.py"
SPLICE = "tests/actors/test_splice.py"
PREFILL = "tests/actors/test_prefill.py"
PARTS = "tests/actors/test_rescue_parts.py"
CALLERS = "tests/actors/test_rescue_callers.py"
EVERYWHERE = "tests/actors/test_rescue.py::test_stream_cut_at_every_character_is_whole_or_honest"

RESCUE_MUTANTS = [
    Mutant(
        name="a difference is overlooked",
        file="manus/actors/journey/joints.py",
        original="        if not self._shown.startswith(text[:left], self._at):\n",
        mutated="        if False:\n",
        killers=(
            f"{JOINTS}::test_difference_is_told_by_its_place",
            f"{PARTS}::test_first_difference_ends_the_attempt_at_once",
        ),
        rule="P6: a continuation fits to the byte, or does not pass",
    ),
    Mutant(
        name="a shorter answer joins",
        file="manus/actors/journey/joints.py",
        original="        if not self.joined and self.differs is None:\n",
        mutated="        if False:\n",
        killers=(f"{SPLICE}::test_what_does_not_join_says_so_and_nothing_of_it_has_passed_or_will",),
        rule="P6: an answer that ends before what was shown is another one",
    ),
    Mutant(
        name="blanks come twice",
        file="manus/actors/journey/joints.py",
        original="        return text[same:]\n",
        mutated="        return text\n",
        killers=(f"{JOINTS}::test_blanks_are_left_out_as_far_as_the_model_repeats_them",),
        rule="P6: duplicate-free",
    ),
    Mutant(
        name="an answer told again is taken for its rest",
        file="manus/actors/journey/joints.py",
        original='self._held: str | None = None if repeats or len(kept) < REPEAT_CHARACTERS_MIN else ""',
        mutated="self._held: str | None = None",
        killers=(f"{PARTS}::test_target_that_takes_the_beginning_for_history_and_tells_it_again_is_spliced",),
        rule="P6: duplicate-free",
    ),
    Mutant(
        name="a text that repeats itself loses its rest",
        file="manus/actors/journey/joints.py",
        original="        repeats = kept.find(kept[: (len(kept) + 1) // 2], 1) >= 0\n",
        mutated="        repeats = False\n",
        killers=(f"{JOINTS}::test_continuation_gives_exactly_the_rest_whatever_blanks_were_held_back_from_the_model",),
        rule="P6: gap-free",
    ),
    Mutant(
        name="a second thinking is shown",
        file="manus/actors/journey/splice.py",
        original="                self._thought = True\n",
        mutated="                self._thought = True\n                self._content(event, passed)\n",
        killers=(f"{PARTS}::test_thinking_that_was_shown_stays_and_no_second_one_comes",),
        rule="the answer is what was received, with one thinking",
    ),
    Mutant(
        name="new parts take the numbers of shown ones",
        file="manus/actors/journey/splice.py",
        original="        self._next = 0 if last is None else last.index + 1\n",
        mutated="        self._next = 0\n",
        killers=(f"{SPLICE}::test_parts_of_the_new_answer_are_numbered_behind_the_shown_ones",),
        rule="P6: parts keep their numbers",
    ),
    Mutant(
        name="half an answer has its vendor's payload",
        file="manus/actors/assembly.py",
        original="        self._turn = None\n        self.ended = None\n",
        mutated="",
        killers=(f"{SPLICE}::test_payload_of_the_first_attempt_is_forgotten_when_it_is_cut",),
        rule="a turn that goes back to its vendor is one that the vendor said",
    ),
    Mutant(
        name="signed thinking is followed by a stranger",
        file="manus/actors/journey/rescue.py",
        original="        if part.sealed:\n",
        mutated="        if False:\n",
        killers=(
            "tests/actors/test_rescue_wires.py::"
            "test_thinking_that_its_vendor_has_signed_is_never_followed_by_another_answer[anthropic]",
        ),
        rule="never across signed reasoning",
    ),
    Mutant(
        name="a tool call is followed by a stranger",
        file="manus/actors/journey/rescue.py",
        original="        if part.kind is ToolCallStarted:\n",
        mutated="        if False:\n",
        killers=(f"{PARTS}::test_tool_call_that_has_begun_is_followed_by_nobody_elses_answer",),
        rule="never across an emitted tool call",
    ),
    Mutant(
        name="the last failure hides the first",
        file="manus/actors/journey/rescue.py",
        original="        return msgspec.structs.replace(cause, message=message)\n",
        mutated="        return msgspec.structs.replace(failure, message=message)\n",
        killers=(f"{PARTS}::test_everything_failing_ends_with_the_first_cut_and_everything_that_was_shown",),
        rule="the original error is kept when nothing helps",
    ),
    Mutant(
        name="a difference counts against health",
        file="manus/actors/journey/rescue.py",
        original='ELSEWHERE = Advice("no", "yes", False)\n',
        mutated='ELSEWHERE = Advice("no", "yes", True)\n',
        killers=(f"{PARTS}::test_attempt_that_was_ended_for_its_words_says_nothing_of_health",),
        rule="a breaker opens for what its deployment did wrong",
    ),
    Mutant(
        name="after a difference anybody is asked",
        file="manus/actors/journey/rescue.py",
        original='            insist=differs and attempt.role == "splice",\n',
        mutated="            insist=False,\n",
        killers=(f"{PARTS}::test_after_a_difference_only_who_goes_on_is_asked",),
        rule="a rescue costs one attempt to find out, not all of them",
    ),
    Mutant(
        name="a refused beginning is offered again",
        file="manus/actors/journey/rescue.py",
        original="            self._refused.add(attempt.choice.deployment)\n",
        mutated="            pass\n",
        killers=(f"{EVERYWHERE}[refuses-auto]",),
        rule="a fallback that rejects prefill still answers",
    ),
    Mutant(
        name="what had no room is lost at the cut",
        file="manus/actors/delivery.py",
        original="            self._filter = None\n            self._held = []\n",
        mutated=(
            "            self._filter = None\n            self._held = []\n"
            "            if self._channel is not None:\n                self._channel._unsent = None\n"
        ),
        killers=(f"{CALLERS}::test_what_had_no_room_when_the_provider_crashed_is_said_before_what_follows",),
        rule="P6: gap-free",
    ),
    Mutant(
        name="a stream goes on without asking for what is left",
        file="manus/actors/journey/prefill.py",
        original="        bound = max(1, bound - estimate_tokens(begun) - estimate_tokens(spent))\n",
        mutated="        bound = max(1, bound)\n",
        killers=(f"{PREFILL}::test_continued_request_is_the_same_with_one_turn_more_and_what_is_left_of_the_bound",),
        rule="the caller's bound holds over all attempts",
    ),
    Mutant(
        name="tools do not matter on Bedrock",
        file="manus/actors/journey/prefill.py",
        original='    if wire == "bedrock" and _has_tools(request):\n',
        mutated="    if False:\n",
        killers=(f"{PREFILL}::test_history_with_tools_is_in_the_way_on_bedrock",),
        rule="continuation only where the target accepts it",
    ),
    Mutant(
        name="a caller who wants the error gets a rescue",
        file="manus/actors/journey/rescue.py",
        original='            case "error":\n                return GiveUp(reason="the caller has seen',
        mutated='            case "error" if False:\n                return GiveUp(reason="the caller has seen',
        killers=(f"{EVERYWHERE}[goes on-error]",),
        rule="P6: the policy is the caller's",
    ),
    Mutant(
        name="what we ended ourselves is told as the cause",
        file="manus/actors/journey/request.py",
        original="            elif attempt.scope is None or not attempt.scope.cancel_called:",
        mutated="            elif True:",
        killers=(f"{CALLERS}::test_answer_that_differs_is_no_cause_of_an_end_while_the_books_stall",),
        rule="a deadline ends as a deadline",
    ),
]
