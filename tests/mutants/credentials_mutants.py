"""Lies about credentials: which key is shown, tokens that expire, what the books are told, what is struck out."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

TOKENS = "manus/actors/credentials/tokens.py"
AWS = "manus/actors/credentials/aws.py"
STATIC = "manus/actors/credentials/static.py"
REDACTION = "manus/actors/redaction.py"
CALL = "manus/actors/provider_call.py"
UPSTREAM = "manus/actors/upstream.py"
ATTEMPT = "manus/actors/journey/attempt.py"
CHECKUP = "manus/checkup.py"

T_TOKENS = "tests/actors/test_tokens.py"
T_KEYS = "tests/actors/test_provider_keys.py"
T_DEPLOYMENTS = "tests/actors/test_keys_as_deployments.py"
T_WIRING = "tests/face/test_wiring.py"
T_AWS = "tests/actors/test_aws_credentials.py"
T_REDACTION = "tests/actors/test_redaction.py"
T_AGENTS = "tests/face/test_credentials_of_agents.py"
T_CHECKUP = "tests/face/test_checkup.py"

SHORT_WAIT = "test_429_on_one_key_goes_to_the_next_one_at_once_and_rests_that_model_of_that_key_alone"

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
        name="another key than the one that was named is shown",
        file=UPSTREAM,
        original="        return self.spec.credentials if key is None else self.spec.keys.get(key)",
        mutated="        return self.spec.credentials",
        killers=(f"{T_KEYS}::test_key_that_a_call_names_is_the_one_that_is_shown_and_booked",),
        rule="the router chooses the key",
    ),
    Mutant(
        name="a key that is gone is replaced by the first one",
        file=UPSTREAM,
        original="self.spec.keys.get(key)",
        mutated="self.spec.keys.get(key, self.spec.credentials)",
        killers=(f"{T_KEYS}::test_key_that_the_entry_does_not_have_is_shown_to_nobody_and_replaced_by_none",),
        rule="the router chooses the key",
    ),
    Mutant(
        name="nobody knows which key was refused",
        file=UPSTREAM,
        original='message=f"{failure.message} (key {key})"',
        mutated="message=failure.message",
        killers=(f"{T_KEYS}::test_refused_key_is_named_and_neither_told_nor_tried_again",),
        rule="a failure names the key by its fingerprint",
    ),
    Mutant(
        name="the router hears of one key only",
        file="manus/proving.py",
        original="        for each in entry.api_keys\n    )\n",
        mutated="        for each in entry.api_keys[:1]\n    )\n",
        killers=(
            f"{T_WIRING}::test_several_keys_are_deployments_with_their_own_weights_and_each_is_shown_with_the_headers",
        ),
        rule="each key makes deployments",
    ),
    Mutant(
        name="keys weigh the same whatever the configuration says",
        file="manus/proving.py",
        original=", weight=each.weight",
        mutated="",
        killers=(
            f"{T_WIRING}::test_several_keys_are_deployments_with_their_own_weights_and_each_is_shown_with_the_headers",
        ),
        rule="weights are obeyed",
    ),
    Mutant(
        name="one key is waited for while another is free",
        file="manus/actors/journey/retry.py",
        original="            and not self._has_twin(choice, now)\n",
        mutated="",
        killers=(f"{T_DEPLOYMENTS}::{SHORT_WAIT}",),
        rule="429 on one key goes to the next one at once",
    ),
    Mutant(
        name="an intent does not know its key",
        file="manus/actors/journey/attempts.py",
        original="key_fingerprint=choice.key or ",
        mutated="key_fingerprint=",
        killers=(f"{T_DEPLOYMENTS}::test_intent_names_the_key_before_anything_is_sent",),
        rule="the books name the key at the reservation",
    ),
    Mutant(
        name="the books hold the key that was expected",
        file=CALL,
        original="        delivery.key_fingerprint = authorisation.fingerprint\n",
        mutated="",
        killers=(f"{T_DEPLOYMENTS}::test_books_name_what_was_shown_where_it_was_not_known_before",),
        rule="the books name the key of each attempt",
    ),
    Mutant(
        name="nobody tells the credentials",
        file=UPSTREAM,
        original="        failure = credentials.refused(authorisation, failure)\n",
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
        killers=(f"{T_AGENTS}::test_token_is_renewed_behind_further_headers_too",),
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
