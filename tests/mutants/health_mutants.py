"""Lies about health: when a breaker opens, who is the probe, how long a rest is, what counts and what never does."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BREAKER = "manus/actors/health/breaker.py"
COOLDOWN = "manus/actors/health/cooldown.py"
COUNTING = "manus/actors/health/counting.py"
FREE = "manus/actors/health/free_probes.py"
HEALTH = "manus/actors/health/health.py"
JUDGING = "manus/actors/health/judging.py"
LATENCY = "manus/actors/health/latency.py"
REGISTRY = "manus/actors/health/registry.py"
REST = "manus/actors/health/rest.py"
TRACKED = "manus/actors/health/tracked.py"
WINDOW = "manus/actors/health/window.py"
PROVIDER = "manus/actors/provider_probe.py"
ATTEMPTS = "manus/actors/attempts.py"
SMALL = "manus/actors/small_exchange.py"

T_BREAKER = "tests/actors/health/test_breaker.py"
T_COUNTING = "tests/actors/health/test_counting.py"
T_HEALTH = "tests/actors/health/test_health.py"
T_MEASURES = "tests/actors/health/test_measures.py"
T_PROBES = "tests/actors/test_health_probes.py"
T_REQUESTS = "tests/actors/test_health_of_requests.py"
T_SEQUENCES = "tests/actors/health/test_health_sequences.py"

HEALTH_MUTANTS = [
    Mutant(
        name="health: any success closes an open breaker",
        file=BREAKER,
        original='    ("open", "probe_succeeded"): "open",',
        mutated='    ("open", "probe_succeeded"): "closed",',
        killers=(f"{T_BREAKER}::test_the_moves_are_a_total_function_and_only_a_probe_leads_back",),
        rule="only a probe closes a breaker",
    ),
    Mutant(
        name="health: a straggler's success counts",
        file=JUDGING,
        original="        elif ticket.epoch == ticket.tracked.breaker.epoch:",
        mutated="        else:",
        killers=(
            f"{T_HEALTH}::test_failures_of_attempts_that_began_before_it_opened_do_not_extend_it",
            f"{T_HEALTH}::test_successes_of_attempts_that_began_before_it_opened_do_not_close_it",
        ),
        rule="what began before it opened neither opens nor closes it",
    ),
    Mutant(
        name="health: two probes at once",
        file=BREAKER,
        original="                return not self.probing",
        mutated="                return True",
        killers=(f"{T_BREAKER}::test_its_probe_may_begin_when_the_rest_is_over_and_only_one",),
        rule="half open is one probe",
    ),
    Mutant(
        name="health: everybody is let in while a probe is under way",
        file=TRACKED,
        original='            elif breaker.state == "half_open" and breaker.probing and',
        mutated='            elif breaker.state == "half_open" and not breaker.probing and',
        killers=(f"{T_SEQUENCES}::test_no_short_history_breaks_a_promise",),
        rule="half open is one probe",
    ),
    Mutant(
        name="health: a caller who leaves takes the probe along",
        file=BREAKER,
        original='        self.probing = False\n        self._move("probe_left", self.why)',
        mutated='        self._move("probe_left", self.why)',
        killers=(f"{T_HEALTH}::test_a_probe_whose_caller_leaves_frees_the_probe",),
        rule="a probe that learns nothing is free again",
    ),
    Mutant(
        name="health: who answered once is trusted at once",
        file=BREAKER,
        original="        self.probe_succeeded(why)\n        self._on_trial = True",
        mutated="        self.probe_succeeded(why)",
        killers=(f"{T_HEALTH}::test_until_something_succeeds_one_failure_opens_it_again_for_longer",),
        rule="a deployment that has begun to answer is closed on trial",
    ),
    Mutant(
        name="health: all wait for the end of the probe's answer",
        file=ATTEMPTS,
        original="            attempt.delivery.on_first_content = partial(self.began, attempt)",
        mutated="            pass",
        killers=(
            f"{T_REQUESTS}::test_nobody_waits_for_the_end_of_the_long_answer_that_shows_that_a_provider_is_well",
        ),
        rule="a probe that is answered lets others follow",
    ),
    Mutant(
        name="health: rests never grow",
        file=BREAKER,
        original="policy.open_s * 2.0**self._openings",
        mutated="policy.open_s * 1.0**self._openings",
        killers=(f"{T_BREAKER}::test_failed_probes_double_the_rest_up_to_its_bound",),
        rule="failed probes double the rest",
    ),
    Mutant(
        name="health: rests grow without bound",
        file=BREAKER,
        original="rest_s = min(policy.open_s * 2.0**self._openings, policy.open_max_s)",
        mutated="rest_s = policy.open_s * 2.0**self._openings",
        killers=(f"{T_BREAKER}::test_failed_probes_double_the_rest_up_to_its_bound",),
        rule="no rest is longer than open_max_s",
    ),
    Mutant(
        name="health: one success proves health",
        file=BREAKER,
        original="        if self._good_in_a_row == self._policy.failures:",
        mutated="        if self._good_in_a_row == 1:",
        killers=(f"{T_BREAKER}::test_one_success_closes_it_but_only_proven_health_makes_rests_short_again",),
        rule="rests are short again after proven health",
    ),
    Mutant(
        name="health: all return together",
        file=REST,
        original="return seconds * (1.0 + policy.jitter * jitter.draw())",
        mutated="return seconds * (1.0 + policy.jitter)",
        killers=(f"{T_BREAKER}::test_those_that_fell_together_do_not_return_together",),
        rule="deployments that fell together do not return together",
    ),
    Mutant(
        name="health: a late failure makes a rest longer",
        file=BREAKER,
        original="        if MOVES[self.state, event] == self.state:",
        mutated="        if False:",
        killers=(f"{T_BREAKER}::test_what_is_not_its_turn_neither_moves_it_nor_makes_its_rest_longer",),
        rule="a failure of a late attempt does not extend a rest",
    ),
    Mutant(
        name="health: old failures are held against it after it closed",
        file=BREAKER,
        original="        self._bad_in_a_row = self._good_in_a_row = 0\n",
        mutated="        self._good_in_a_row = 0\n",
        killers=(f"{T_BREAKER}::test_counts_from_before_it_opened_are_not_held_against_it_afterwards",),
        rule="a closed breaker begins anew",
    ),
    Mutant(
        name="health: three calls are a rate",
        file=BREAKER,
        original="        if calls >= policy.calls_min and bad",
        mutated="        if calls >= 2 and bad",
        killers=(f"{T_BREAKER}::test_a_share_of_failures_opens_it_once_enough_was_seen",),
        rule="a rate is taken of calls_min calls",
    ),
    Mutant(
        name="health: the window never slides",
        file=WINDOW,
        original="                self._bad[passed % SLOTS] = 0",
        mutated="                pass",
        killers=(f"{T_MEASURES}::test_counts_are_those_of_the_window",),
        rule="old failures are forgotten",
    ),
    Mutant(
        name="health: a clock set back shuts a deployment for years",
        file=REST,
        original="return self.since - STEP_BACK_S <= now < self.until + longer_s",
        mutated="return now < self.until + longer_s",
        killers=(f"{T_HEALTH}::test_no_leap_of_the_clock_shuts_a_deployment_for_good",),
        rule="no clock makes a rest endless",
    ),
    Mutant(
        name="health: the last deadline wins",
        file=REST,
        original="        if self.holds(now) and self.until >= now + seconds:",
        mutated="        if False:",
        killers=(f"{T_MEASURES}::test_the_later_deadline_wins",),
        rule="the later deadline wins",
    ),
    Mutant(
        name="health: hints are cut to an hour",
        file=REST,
        original="HINT_MAX_S: Final = 31 * 86_400.0",
        mutated="HINT_MAX_S: Final = 3_600.0",
        killers=(f"{T_HEALTH}::test_quota_that_returns_in_days_rests_for_days_and_tells_so",),
        rule="a hint of days is not lost",
    ),
    Mutant(
        name="health: a 429 is a failure",
        file=COUNTING,
        original='        return "cooling"  # whatever the advice: it is heard, and is no failure',
        mutated='        return "bad"',
        killers=(f"{T_COUNTING}::test_each_kind_says_the_same_in_every_phase",),
        rule="429 is a cooldown, not a failure",
    ),
    Mutant(
        name="health: bad requests count",
        file=COUNTING,
        original='    "invalid_request": "nothing",',
        mutated='    "invalid_request": "bad",',
        killers=(f"{T_COUNTING}::test_advice_can_take_a_failure_back_and_cannot_make_one",),
        rule="one bad request opens no breaker",
    ),
    Mutant(
        name="health: advice is not asked",
        file=COUNTING,
        original='    if not failure.what_to_do.health or failure.timeout == "pool":',
        mutated='    if failure.timeout == "pool":',
        killers=(f"{T_COUNTING}::test_advice_can_take_a_failure_back_and_cannot_make_one",),
        rule="the advice of a failure says whether it counts",
    ),
    Mutant(
        name="health: a short silence counts",
        file=HEALTH,
        original="fair = silent and now - ticket.began_at >= tracked.fair_wait_s(",
        mutated="fair = silent and -1.0 < tracked.fair_wait_s(",
        killers=(f"{T_HEALTH}::test_a_deadline_that_passed_in_silence_counts_when_it_had_waited_long_enough",),
        rule="a caller's short deadline is no fault of the vendor",
    ),
    Mutant(
        name="health: who is slow by nature is thought dead",
        file=TRACKED,
        original="return silent_s if usual_s is None else max(silent_s, UNUSUAL_TIMES * usual_s)",
        mutated="return silent_s",
        killers=(f"{T_HEALTH}::test_a_silence_that_is_usual_for_a_deployment_is_not_held_against_it",),
        rule="a caller's short deadline is no fault of the vendor",
    ),
    Mutant(
        name="health: every 429 of a burst doubles the pause",
        file=COOLDOWN,
        original="            if began_at >= self._asked_at:\n                self._doublings",
        mutated="            if True:\n                self._doublings",
        killers=(f"{T_MEASURES}::test_requests_that_were_under_way_together_are_told_the_same_thing_once",),
        rule="those under way together are told the same thing once",
    ),
    Mutant(
        name="health: a forecast is a refusal",
        file=COOLDOWN,
        original="seconds if refused else min(seconds, self._policy.open_max_s)",
        mutated="seconds",
        killers=(f"{T_MEASURES}::test_a_forecast_is_believed_for_a_while_and_a_refusal_to_its_end",),
        rule="a limit that is used up blocks no traffic for longer than need be",
    ),
    Mutant(
        name="health: any reading is a reason to wait",
        file=COOLDOWN,
        original="            if reading.remaining != 0:",
        mutated="            if reading.remaining is None:",
        killers=(f"{T_MEASURES}::test_what_is_left_of_a_limit_or_names_no_time_is_no_reason_to_wait",),
        rule="only a limit that is used up is waited for",
    ),
    Mutant(
        name="health: a refused key rests one deployment",
        file=REGISTRY,
        original="        for tracked in key.deployments.values():\n            self._show(",
        mutated="        for tracked in list(key.deployments.values())[:1]:\n            self._show(",
        killers=(f"{T_HEALTH}::test_a_refused_key_rests_all_its_deployments_and_each_shows_it",),
        rule="a refused key rests all its deployments",
    ),
    Mutant(
        name="health: a forbidden model takes the key from all others",
        file=JUDGING,
        original="ticket.key_probe or not self._opens_elsewhere(ticket.tracked, now)",
        mutated="True",
        killers=(f"{T_HEALTH}::test_a_key_that_works_elsewhere_is_refused_for_this_model_alone",),
        rule="a key that works elsewhere is refused for this model alone",
    ),
    Mutant(
        name="health: a vendor's hint shortens the rest of a refused key",
        file=JUDGING,
        original="rest_s if hint_s is None else max(hint_s, rest_s)",
        mutated="rest_s if hint_s is None else hint_s",
        killers=(f"{T_HEALTH}::test_quota_that_returns_in_days_rests_for_days_and_tells_so",),
        rule="a refused key rests for long",
    ),
    Mutant(
        name="health: a ticket counts as often as it is handed back",
        file=HEALTH,
        original="        ticket.incarnation = RETURNED\n",
        mutated="",
        killers=(f"{T_HEALTH}::test_a_ticket_counts_once",),
        rule="a ticket counts once",
    ),
    Mutant(
        name="health: a dead router is still heard",
        file=HEALTH,
        original="        if ticket.incarnation != self._incarnation:",
        mutated="        if ticket.incarnation == RETURNED:",
        killers=(f"{T_HEALTH}::test_a_new_incarnation_frees_places_and_probes_and_old_tickets_are_void",),
        rule="tickets of a dead router are void",
    ),
    Mutant(
        name="health: a crash of the router keeps the probe of a key",
        file=HEALTH,
        original="        for key in self._registry.keys.values():\n            key.breaker.lose_probe()",
        mutated="",
        killers=(f"{T_HEALTH}::test_a_probe_of_a_key_lost_with_its_router_is_free_again",),
        rule="a crash of the router frees its probes",
    ),
    Mutant(
        name="health: whoever fails fast is fast",
        file=HEALTH,
        original="            effect = effect_of(failure, silent=fair)\n",
        mutated="            effect = effect_of(failure, silent=fair)\n"
        "            tracked.note_answer(latency_s or 0.0, now, streamed=streamed)\n",
        killers=(f"{T_HEALTH}::test_failing_fast_is_not_being_fast_and_running_out_of_time_is_being_slow",),
        rule="a failure is no reason to think a deployment fast",
    ),
    Mutant(
        name="health: who was given up after a moment was fast",
        file=TRACKED,
        original="        if not fair and (usual_s is None or seconds <= usual_s):",
        mutated="        if not fair and usual_s is None:",
        killers=(f"{T_HEALTH}::test_a_short_wait_in_vain_makes_nobody_look_fast_and_a_long_one_slow",),
        rule="a wait that was cut short says something only where it was longer than what is usual",
    ),
    Mutant(
        name="health: a stall is a slow first token",
        file=TRACKED,
        original="        if not begun:\n            samples.add(seconds)",
        mutated="        if True:\n            samples.add(seconds)",
        killers=(f"{T_HEALTH}::test_a_stream_that_stalls_had_begun_in_time",),
        rule="a stream that stalls had begun in time",
    ),
    Mutant(
        name="health: bad news is averaged",
        file=LATENCY,
        original="        if value is None or seconds >= value:",
        mutated="        if value is None:",
        killers=(f"{T_MEASURES}::test_the_average_believes_bad_news_at_once_and_comes_down_slowly",),
        rule="the average jumps up at once",
    ),
    Mutant(
        name="health: any name may be tracked",
        file=REGISTRY,
        original="        if len(self.deployments) >= TRACKED_MAX:\n            self._forget_one()",
        mutated="        if False:\n            self._forget_one()",
        killers=(
            f"{T_HEALTH}::test_deployments_that_anybody_can_invent_stay_bounded_and_do_not_push_out_what_rests_or_runs",
        ),
        rule="what is tracked is bounded, and newcomers have a place",
    ),
    Mutant(
        name="health: what rests is forgotten for newcomers",
        file=REGISTRY,
        original="if tracked.well and not tracked.in_flight]",
        mutated="]",
        killers=(
            f"{T_HEALTH}::test_deployments_that_anybody_can_invent_stay_bounded_and_do_not_push_out_what_rests_or_runs",
        ),
        rule="what rests or runs is not forgotten",
    ),
    Mutant(
        name="health: a list of models closes a deployment",
        file=FREE,
        original="            tracked.breaker.probe_left()",
        mutated='            tracked.breaker.probe_succeeded("listed")',
        killers=(f"{T_PROBES}::test_a_list_leaves_the_deployment_to_one_request_which_closes_it",),
        rule="a list proves the way there, and not that models answer",
    ),
    Mutant(
        name="health: a list is asked for before the rest is over",
        file=FREE,
        original='if tracked.breaker.state == "open" and tracked.breaker.may_begin(now) and',
        mutated='if tracked.breaker.state == "open" and',
        killers=(f"{T_PROBES}::test_nobody_is_asked_while_all_is_well_or_before_the_rest_is_over",),
        rule="a vendor that is down is asked no sooner by a free probe",
    ),
    Mutant(
        name="health: a list is asked for where quota is used up",
        file=TRACKED,
        original='return self.refused_kind != "quota_exhausted"',
        mutated="return True",
        killers=(f"{T_PROBES}::test_a_rest_for_quota_is_left_to_requests",),
        rule="what a list cannot prove is left to requests",
    ),
    Mutant(
        name="health: requests do not wait for the free probe",
        file=HEALTH,
        original="self._hold_s = min(2.0 * (policy.probe_interval_s or 0.0), HOLD_MAX_S)",
        mutated="self._hold_s = 0.0",
        killers=(f"{T_PROBES}::test_a_vendor_that_stays_down_is_asked_ever_less_and_no_request_has_to_try",),
        rule="no request has to find out where a free probe can",
    ),
    Mutant(
        name="health: a server without a list is down",
        file=PROVIDER,
        original="    if answer.status in NO_LIST:\n        return NOTHING_LEARNT\n",
        mutated="",
        killers=(f"{T_PROBES}::test_a_server_without_a_list_teaches_nothing",),
        rule="a server without a list of models is left to requests",
    ),
    Mutant(
        name="health: a free probe waits for ever",
        file=PROVIDER,
        original="PROBE_S: Final = 5.0",
        mutated="PROBE_S: Final = 500.0",
        killers=(f"{T_PROBES}::test_a_provider_that_hangs_holds_neither_the_breaker_nor_the_drain",),
        rule="a free probe is bounded",
    ),
    Mutant(
        name="health: a list that is cut short is left to the collector",
        file=SMALL,
        original="                    await pieces.aclose()",
        mutated="                    pass",
        killers=(f"{T_PROBES}::test_a_list_that_is_longer_than_wanted_is_a_list",),
        rule="what was opened is closed",
    ),
    Mutant(
        name="health: a slow reader makes a deployment slow",
        file=ATTEMPTS,
        original="            latency_s=now - began_at - delivery.reader_s,",
        mutated="            latency_s=now - began_at,",
        killers=(f"{T_REQUESTS}::test_a_caller_that_reads_slowly_makes_no_deployment_slow",),
        rule="a slow reader slows its own stream and nobody else's",
    ),
    Mutant(
        name="health: a silence in our own queue counts",
        file=ATTEMPTS,
        original='            silent=first is None and delivery.phase != "queued",',
        mutated="            silent=first is None,",
        killers=(f"{T_REQUESTS}::test_a_wait_for_our_own_places_is_no_silence_of_the_vendor",),
        rule="our own queues say nothing of a vendor",
    ),
]
