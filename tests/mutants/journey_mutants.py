"""Lies about one request's journey: routing, retries, delivery, the attempt, the call, the books' share in it."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

RETRY = "manus/actors/journey/retry.py"
SHARE = "manus/actors/journey/traffic_share.py"
DELIVERY = "manus/actors/delivery.py"
METERING = "manus/actors/metering.py"
ATTEMPT = "manus/actors/journey/attempt.py"
ATTEMPTS = "manus/actors/journey/attempts.py"
STORY = "manus/actors/journey/story.py"
RESCUE = "manus/actors/journey/rescue.py"
REQUEST = "manus/actors/journey/request.py"
CALL = "manus/actors/provider_call.py"
UPSTREAM = "manus/actors/upstream.py"
EMBED = "manus/actors/journey/embed_run.py"

T_RETRY = "tests/actors/test_retry.py"
T_DELIVERY = "tests/actors/test_delivery.py"
T_METERING = "tests/actors/test_metering.py"
T_PROVIDER = "tests/actors/test_provider.py"
T_PROVIDER_ENDS = "tests/actors/test_provider_ends.py"
T_FAILOVER = "tests/actors/test_router_failover.py"
T_ENDS = "tests/actors/test_router_ends.py"
T_CRASHES = "tests/actors/test_router_crashes.py"
T_EMBED = "tests/actors/test_embed_run.py"
T_RINGS = "tests/actors/test_request_rings.py"

JOURNEY_MUTANTS = [
    Mutant(
        name="reserve serves any failure",
        file=RETRY,
        original='(choice.use == "any" or self._policy_only or self._least_window):\n                yield choice',
        mutated="choice:\n                yield choice",
        killers=(f"{T_RETRY}::test_reserve_is_not_used_for_any_other_failure",),
        rule="larger siblings are for prompts that were too long",
    ),
    Mutant(
        name="retries cost no budget",
        file=RETRY,
        original="        if not self._budget.spend(retry.choice.provider, now):\n            return None",
        mutated="",
        killers=(f"{T_RETRY}::test_retries_here_stop_when_the_budget_is_spent",),
        rule="retries of one deployment are a share of traffic",
    ),
    Mutant(
        name="one retry budget for all",
        file=SHARE,
        original="        share = self._by_provider.get(provider)\n",
        mutated='        provider = ""\n        share = self._by_provider.get(provider)\n',
        killers=(f"{T_RETRY}::test_a_provider_that_is_down_uses_up_no_budget_but_its_own",),
        rule="faults of one provider change nothing for another",
    ),
    Mutant(
        name="budget never forgets",
        file=SHARE,
        original="            self._spent[passed % SLOTS] = 0",
        mutated="            self._spent[passed % SLOTS] += 0",
        killers=(f"{T_RETRY}::test_budget_is_a_share_of_the_last_minutes_traffic",),
        rule="the budget is of the last minute",
    ),
    Mutant(
        name="attempts are unbounded",
        file=RETRY,
        original="if self._begun >= self._policy.attempts_max:\n            return self._give_up",
        mutated="if self._begun >= 10 * self._policy.attempts_max:\n            return self._give_up",
        killers=(f"{T_RETRY}::test_429_without_a_hint_backs_off_and_is_bounded_by_the_attempts_of_one_request",),
        rule="a plan is finite",
    ),
    Mutant(
        name="hint beyond the deadline is waited for",
        file=RETRY,
        original="if at >= self._deadline:",
        mutated="if at >= self._deadline + 1000.0:",
        killers=(f"{T_RETRY}::test_429_whose_hint_does_not_fit_the_deadline_ends_the_request",),
        rule="429 waits only if Retry-After fits the deadline",
    ),
    Mutant(
        name="lifecycle events commit a stream",
        file=DELIVERY,
        original="            if not assembly.has_content:",
        mutated="            if not events:",
        killers=(f"{T_DELIVERY}::test_lifecycle_events_wait_for_the_first_content_and_come_with_it",),
        rule="lifecycle events do not commit",
    ),
    Mutant(
        name="the decoder's terminal reaches the caller",
        file=DELIVERY,
        original="        if last is Ended or last is StreamFailed:",
        mutated="        if last is Ended:",
        killers=(f"{T_DELIVERY}::test_terminal_of_a_decoder_never_reaches_the_caller",),
        rule="the terminal of a request is its outcome",
    ),
    Mutant(
        name="fence lets events through",
        file=DELIVERY,
        original="        if self._fenced or assembly is None or not events:",
        mutated="        if assembly is None or not events:",
        killers=(f"{T_DELIVERY}::test_fenced_attempt_reaches_nobody_and_changes_no_record",),
        rule="a fenced attempt reaches nobody",
    ),
    Mutant(
        name="what found no room is overtaken",
        file=DELIVERY,
        original="            self._unsent = self._unsent + events",
        mutated="            self._unsent = events + self._unsent",
        killers=(f"{T_DELIVERY}::test_what_waits_for_room_is_not_overtaken_when_there_is_some",),
        rule="streams are gap-free and in order",
    ),
    Mutant(
        name="a pause counts as a stall",
        file=DELIVERY,
        original="if not was_paused and not sink.paused:",
        mutated="if sink is not None:",
        killers=(f"{T_DELIVERY}::test_paused_caller_is_not_stalled",),
        rule="an explicit pause is exempt",
    ),
    Mutant(
        name="counts before a cut pass for the bill",
        file=METERING,
        original="    return assembly.finishing and not any(assembly.uncounted())",
        mutated="    return True",
        killers=(T_METERING,),
        rule="usage is reported only where the answer came to its end",
    ),
    Mutant(
        name="counts before a failure pass for the bill",
        file=METERING,
        original='return finish.reason != "error"',
        mutated="return True",
        killers=(T_METERING,),
        rule="usage is reported only where the answer came to its end",
    ),
    Mutant(
        name="a running count covers what came after it",
        file=METERING,
        original="reported.output + received if",
        mutated="max(reported.output, received) if",
        killers=(T_METERING,),
        rule="what was streamed is counted",
    ),
    Mutant(
        name="pieces are never tokens",
        file=METERING,
        original="        return pieces\n",
        mutated="        return estimated\n",
        killers=(T_METERING,),
        rule="what was streamed is counted, to the token where that can be known",
    ),
    Mutant(
        name="a batch is a token",
        file=METERING,
        original="    return max(pieces, round(ratio * estimated))",
        mutated="    return pieces",
        killers=(T_METERING,),
        rule="what was streamed is counted",
    ),
    Mutant(
        name="a reported zero is missing",
        file=METERING,
        original='return assembly.usage.source == "reported" or (counts is not None and counts.input is not None)',
        mutated="return assembly.usage.input_total > 0",
        killers=(T_METERING,),
        rule="zero is not missing",
    ),
    Mutant(
        name="gateway errors are taken for refusals",
        file=METERING,
        original='return "unknown" if status in GATEWAY_STATUSES else "no"',
        mutated='return "no"',
        killers=(T_METERING,),
        rule="what a gateway says tells nothing of the bill",
    ),
    Mutant(
        name="a closed attempt is not booked",
        file=ATTEMPT,
        original="            self._place.cast(ending)",
        mutated="            self._place.free()",
        killers=(f"{T_ENDS}::test_caller_who_leaves_closes_the_socket_within_a_tick_and_what_was_used_is_booked",),
        rule="every reservation ends in the books",
    ),
    Mutant(
        name="sent and unanswered is released",
        file=ATTEMPT,
        original='if delivery.phase in ("queued", "connecting", "sending"):',
        mutated='if delivery.phase in ("queued", "connecting", "sending", "sent"):',
        killers=(f"{T_ENDS}::test_caller_who_leaves_closes_the_socket_within_a_tick_and_what_was_used_is_booked",),
        rule="what may have been billed is in doubt",
    ),
    Mutant(
        name="dispatch is not told",
        file=ATTEMPT,
        original="        self._accounting.cast(Dispatched(",
        mutated="        str(Dispatched(",
        killers=(f"{T_FAILOVER}::test_whole_answer_is_routed_booked_and_explained",),
        rule="dispatched is in the ledger before the bytes leave",
    ),
    Mutant(
        name="a crash of the router drops the attempt",
        file=REQUEST,
        original="            self._attempts.close()",
        mutated="            self._attempts.open.clear()",
        killers=(f"{T_CRASHES}::test_router_that_crashes_answers_its_callers_and_owes_the_books_nothing",),
        rule="a router's crash owes the books nothing",
    ),
    Mutant(
        name="a stream goes on unasked",
        file=RESCUE,
        original='            case "restart":\n'
        "                return self._start_over(attempt, failure, cursor)\n"
        '            case "auto":\n                return self._take_up(',
        mutated='            case "restart" | "auto":\n'
        "                return self._start_over(attempt, failure, cursor)\n"
        '            case "auto":\n                return self._take_up(',
        killers=(f"{T_FAILOVER}::test_stream_cut_after_content_ends_with_what_the_caller_saw_and_why",),
        rule="a caller who did not ask for it is not started over",
    ),
    Mutant(
        name="a restart is not announced",
        file=RESCUE,
        original="if self._channel.start_over(reset) or await",
        mutated="if reset or await",
        killers=(f"{T_FAILOVER}::test_caller_who_handles_it_is_told_to_start_over",),
        rule="a caller is told to forget",
    ),
    Mutant(
        name="an unbooked call is made",
        file=ATTEMPTS,
        original="                attempt.free()\n                return failure",
        mutated="                attempt.free()\n                return None",
        killers=(f"{T_CRASHES}::test_fault_of_the_store_leaves_one_outcome_and_true_books",),
        rule="nothing is called that the books refused",
    ),
    Mutant(
        name="an answer that is whole expires with its booking",
        file=REQUEST,
        original="if attempt.failure is None and self._completes(attempt):",
        mutated="if False:",
        killers=(f"{T_CRASHES}::test_disk_that_stalls_past_the_deadline_does_not_turn_an_answer_into_an_expiry",),
        rule="a stalled disk does not hold the answer",
    ),
    Mutant(
        name="the partial answer claims to be whole",
        file=STORY,
        original="finish=Finish(reason=reason, raw=partial.finish.raw)",
        mutated='finish=Finish(reason="stop" if reason else reason)',
        killers=(f"{T_FAILOVER}::test_stream_cut_after_content_ends_with_what_the_caller_saw_and_why",),
        rule="a cut answer never says stop",
    ),
    Mutant(
        name="pings feed the idle timer",
        file=CALL,
        original="            if _has_content(events) if streamed else not body_complete(response):",
        mutated="            if events if streamed else not body_complete(response):",
        killers=(f"{T_PROVIDER_ENDS}::test_each_wait_has_a_name_and_ends_the_attempt",),
        rule="pings and keep-alives are not content",
    ),
    Mutant(
        name="no terminal marker is believed",
        file="manus/actors/call_failures.py",
        original="        return assembly.failure\n    return without_evidence() if assembly.ended is None or",
        mutated="        return None\n    return without_evidence() if assembly.ended is None and",
        killers=(f"{T_PROVIDER_ENDS}::test_answer_that_is_cut_is_a_failure_with_what_came",),
        rule="a stream is a success only on evidence",
    ),
    Mutant(
        name="a page passes for an answer",
        file=CALL,
        original='.startswith("text/html"):',
        mutated='.startswith("text/nothing"):',
        killers=(f"{T_PROVIDER_ENDS}::test_page_instead_of_an_answer_is_no_answer",),
        rule="a web page is no answer",
    ),
    Mutant(
        name="error pages are read to their end",
        file=CALL,
        original="if len(self._error) >= self._upstream.spec.bounds.error_bytes:",
        mutated="if len(self._error) < 0:",
        killers=(f"{T_PROVIDER_ENDS}::test_huge_error_page_is_read_as_far_as_the_bound",),
        rule="error bodies are bounded",
    ),
    Mutant(
        name="the answer waits for the end of the body",
        file=CALL,
        original="        self._env.reply(self._ended(None))\n",
        mutated="",
        killers=(f"{T_PROVIDER}::test_answer_does_not_wait_for_the_end_of_the_body",),
        rule="after the terminal marker nothing is waited for",
    ),
    Mutant(
        name="a cut connection is not closed",
        file=CALL,
        original="                with bounded_shield(CLOSE_S):\n                    await self._close(response)",
        mutated="                bounded_shield(CLOSE_S)",
        killers=(f"{T_PROVIDER}::test_asker_who_leaves_has_the_connection_closed_in_the_same_tick",),
        rule="the socket is closed in every case",
    ),
    Mutant(
        name="an attempt that is over may still send",
        file=CALL,
        original="        if self._delivery.fenced:",
        mutated="        if self._delivery is None:",
        killers=(f"{T_CRASHES}::test_wedged_provider_cannot_send_an_attempt_that_is_over",),
        rule="what is booked as released is never sent",
    ),
    Mutant(
        name="a foreign transport is trusted to have sent nothing",
        file=CALL,
        original="            if not reports_phases(transport):",
        mutated="            if reports_phases(transport) is None:",
        killers=(f"{T_PROVIDER}::test_transport_that_tells_no_phases_is_taken_to_have_sent",),
        rule="who does not say when bytes leave may have sent them",
    ),
    Mutant(
        name="a former key is shown again",
        file=UPSTREAM,
        original="encoded.headers, None if authorisation.once else authorisation)",
        mutated="encoded.headers, None)",
        killers=(f"{T_PROVIDER}::test_credentials_may_take_their_time_and_change",),
        rule="headers are remembered per credentials",
    ),
    Mutant(
        name="an attempt keeps itself alive",
        file=DELIVERY,
        original="            self._on_sending = None\n",
        mutated="",
        killers=(f"{T_RINGS}::test_request_is_freed_when_it_is_over",),
        rule="memory is flat without the collector's help",
    ),
    Mutant(
        name="a call keeps itself alive",
        file=CALL,
        original="        self._body = None\n        assert",
        mutated="        assert",
        killers=(f"{T_RINGS}::test_request_is_freed_when_it_is_over",),
        rule="memory is flat without the collector's help",
    ),
    Mutant(
        name="vectors of two models are mixed",
        file=EMBED,
        original="c is not first and c.card.vendor_name == first.card.vendor_name",
        mutated="c is not first",
        killers=(f"{T_EMBED}::test_once_vectors_came_no_other_model_adds_to_them",),
        rule="all vectors of one answer are of one model",
    ),
    Mutant(
        name="the calls of one embedding forget each other",
        file=EMBED,
        original="self._vectors.extend(attempt.ended.answer.vectors)",
        mutated="self._vectors[:0] = attempt.ended.answer.vectors",
        killers=(f"{T_EMBED}::test_more_inputs_than_a_call_takes_are_asked_for_in_turn",),
        rule="vectors come in the order of the inputs, all of them",
    ),
    Mutant(
        name="a batch may be as long as it likes",
        file=EMBED,
        original="for text in inputs[end : start + most]:",
        mutated="for text in inputs[end:]:",
        killers=(f"{T_EMBED}::test_more_inputs_than_a_call_takes_are_asked_for_in_turn",),
        rule="no call holds more inputs than the vendor takes",
    ),
]
