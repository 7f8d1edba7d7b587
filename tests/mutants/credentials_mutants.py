"""Lies about credentials: keys that rotate, tokens that expire, what the books are told, what is struck out."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

TOKENS = "manus/actors/credentials/tokens.py"
ROTATION = "manus/actors/credentials/rotation.py"
AWS = "manus/actors/credentials/aws.py"
STATIC = "manus/actors/credentials/static.py"
REDACTION = "manus/actors/redaction.py"
CALL = "manus/actors/provider_call.py"
UPSTREAM = "manus/actors/upstream.py"
ATTEMPT = "manus/actors/attempt.py"
CHECKUP = "manus/checkup.py"

T_TOKENS = "tests/actors/test_tokens.py"
T_ROTATION = "tests/actors/test_key_rotation.py"
T_AWS = "tests/actors/test_aws_credentials.py"
T_REDACTION = "tests/actors/test_redaction.py"
T_AGENTS = "tests/face/test_credentials_of_agents.py"
T_CHECKUP = "tests/face/test_checkup.py"

CREDENTIALS_MUTANTS = [
    Mutant(
        name="everybody fetches a token",
        file=TOKENS,
        original="if self._done is None and trio.current_time() >= self._paused_until:",
        mutated="if trio.current_time() >= self._paused_until:",
        killers=(f"{T_TOKENS}::test_thirty_calls_at_once_fetch_one_token",),
        rule="one fetch for all who wait",
    ),
    Mutant(
        name="a token is renewed only when it has expired",
        file=TOKENS,
        original="        refresh_s = REFRESH_SHARE * life_s\n",
        mutated="        refresh_s = life_s\n",
        killers=(f"{T_TOKENS}::test_old_token_is_used_while_the_next_one_is_fetched",),
        rule="a token is renewed before anybody has to wait",
    ),
    Mutant(
        name="an expired token is shown",
        file=TOKENS,
        original="                if held.is_usable(unix_s):\n",
        mutated="                if held.value is not None:\n",
        killers=(f"{T_TOKENS}::test_token_that_expired_is_waited_for_and_never_shown",),
        rule="an expired token is never shown",
    ),
    Mutant(
        name="a token's end is known by the wall clock alone",
        file=TOKENS,
        original="        return unix_s < self._usable_until_unix_s and trio.current_time() < self._usable_until\n",
        mutated="        return unix_s < self._usable_until_unix_s\n",
        killers=(f"{T_TOKENS}::test_no_expired_token_is_shown_when_the_wall_clock_is_set",),
        rule="an expired token is never shown, whoever sets the clock",
    ),
    Mutant(
        name="a failing source is hammered",
        file=TOKENS,
        original="            self._paused_until = trio.current_time() + self._pause_s\n",
        mutated="",
        killers=(f"{T_TOKENS}::test_during_the_pause_after_a_failure_nobody_is_asked_and_after_it_one_is",),
        rule="a source that fails is left in peace for a while",
    ),
    Mutant(
        name="a fresh token is renewed for ever",
        file=TOKENS,
        original="        if now - self._yielded_at < AGAIN_S:\n            return False\n",
        mutated="",
        killers=(f"{T_TOKENS}::test_refused_token_is_renewed_once_and_the_call_is_advised_to_ask_again",),
        rule="refresh once",
    ),
    Mutant(
        name="tokens are fetched for nobody",
        file=UPSTREAM,
        original="        self.spec.credentials.let_go()\n",
        mutated="",
        killers=(f"{T_AGENTS}::test_nothing_is_fetched_any_more_when_the_agent_is_closed",),
        rule="nothing is left running",
    ),
    Mutant(
        name="a dead key lives on",
        file=ROTATION,
        original="            key.dead_of, key.on_probation = failure.kind, False\n",
        mutated="",
        killers=(f"{T_ROTATION}::test_refused_key_rests_while_the_others_go_on_and_the_call_is_asked_again",),
        rule="a dead key is quarantined",
    ),
    Mutant(
        name="a late refusal lengthens the quarantine",
        file=ROTATION,
        original="            if key.dead_of is None or key.on_probation:",
        mutated="            if True:",
        killers=(f"{T_ROTATION}::test_calls_that_were_under_way_when_a_key_died_do_not_lengthen_its_rest",),
        rule="only probation doubles a quarantine",
    ),
    Mutant(
        name="an old answer revives a dead key",
        file=ROTATION,
        original="        if key is not None and key.on_probation:",
        mutated="        if key is not None:",
        killers=(f"{T_ROTATION}::test_long_answer_that_began_before_a_key_died_does_not_revive_it",),
        rule="only probation proves that a key lives",
    ),
    Mutant(
        name="the books hold the key that was expected",
        file=CALL,
        original="        delivery.key_fingerprint = authorisation.fingerprint\n",
        mutated="",
        killers=(f"{T_AGENTS}::test_dead_key_is_followed_by_the_next_one_and_the_books_name_the_key_of_each_attempt",),
        rule="the books name the key of each attempt",
    ),
    Mutant(
        name="nobody tells the credentials",
        file=CALL,
        original="            failure = credentials.refused(authorisation, failure)\n",
        mutated="",
        killers=(f"{T_AGENTS}::test_token_of_the_program_is_renewed_when_it_is_refused",),
        rule="a refused token is renewed and the call tried once more",
    ),
    Mutant(
        name="one signature serves all requests",
        file=UPSTREAM,
        original="        if authorisation.once:\n            headers.update(authorisation.headers)\n",
        mutated="",
        killers=(f"{T_AGENTS}::test_requests_to_bedrock_are_signed_each_for_itself",),
        rule="a signature is of one request",
    ),
    Mutant(
        name="further headers hide whose key was refused",
        file=STATIC,
        original="return failure if authorisation.inner is None else self._inner.refused(authorisation.inner, failure)",
        mutated="return failure",
        killers=(f"{T_AGENTS}::test_keys_rotate_behind_further_headers_too",),
        rule="the inner credentials hear of their refusals",
    ),
    Mutant(
        name="the clock of a signature is the machine's",
        file=AWS,
        original="time.gmtime(self._now())",
        mutated="time.gmtime()",
        killers=(f"{T_AWS}::test_request_is_signed_as_it_goes_out_at_the_clocks_time",),
        rule="the wall clock is handed in",
    ),
    Mutant(
        name="what was shown is quoted",
        file=CALL,
        original="                failure = redacted(failure, self._authorisation.strike_out)\n",
        mutated="                pass\n",
        killers=(f"{T_AGENTS}::test_token_of_the_program_is_struck_out_as_well",),
        rule="no secret leaves",
    ),
    Mutant(
        name="keys that begin alike give each other away",
        file=REDACTION,
        original="max(_alike(text, begin, secret) for secret in known)",
        mutated="_alike(text, begin, known[0])",
        killers=(f"{T_REDACTION}::test_secrets_are_struck_out",),
        rule="no secret leaves",
    ),
    Mutant(
        name="a clock that is off is well",
        file=CHECKUP,
        original="    if signs and abs(skew_s) >= SKEW_MAX_S:",
        mutated="    if signs and skew_s >= SKEW_MAX_S:",
        killers=(f"{T_CHECKUP}::test_a_clock_is_judged_by_what_depends_on_it",),
        rule="signatures are judged by the clock, whichever way it is off",
    ),
]
