"""Lies about connections: sockets left behind, answers out of step, requests done twice, tasks that starve."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

CONNECTION = "manus/actors/http1/connection.py"
POOL = "manus/actors/http1/pool.py"
REQUEST = "manus/actors/http1/request.py"
RESPONSE = "manus/actors/http1/response.py"
SOCKETS = "manus/actors/http1/sockets.py"
TLS = "manus/actors/http1/tls.py"
HEAD = "manus/actors/http1/head.py"
HTTPTOOLS = "manus/actors/http1/parser_httptools.py"
H11 = "manus/actors/http1/parser_h11.py"
ENCODING = "manus/actors/http1/encoding.py"
TRANSPORT = "manus/actors/transport.py"
ERRORS = "manus/actors/transport_errors.py"

CANCELLED = "tests/actors/test_transport_cancellation.py"
POOLED = "tests/actors/test_transport_pool.py"
RESENT = "tests/actors/test_transport_resend.py"
HEADS = "tests/actors/test_transport_heads.py"
ORACLE = "tests/actors/test_transport_oracle.py"
REQUESTS = "tests/actors/test_transport_requests.py"
TIMEOUTS = "tests/actors/test_transport_timeouts.py"
ADDRESSES = "tests/actors/test_transport_addresses.py"
ENCRYPTED = "tests/actors/test_transport_tls.py"
FAILURES = "tests/actors/test_transport_errors.py"
CHOICE = "tests/actors/test_transport_choice.py"

TRANSPORT_MUTANTS = [
    Mutant(
        name="a failed exchange keeps its socket",
        file=TRANSPORT,
        original="                if connection is not None:\n                    self._pool.forget(connection)\n"
        "                self._pool.free_slot()",
        mutated="                self._pool.free_slot()",
        killers=(f"{CANCELLED}::test_cancelled_requests_leave_no_socket_behind[200-waiting for headers]",),
        rule="a cancelled request closes its socket at once",
    ),
    Mutant(
        name="a failed exchange keeps its slot",
        file=TRANSPORT,
        original="                self._pool.free_slot()",
        mutated="                pass",
        killers=(f"{CANCELLED}::test_requests_cancelled_while_connecting_leave_no_socket_behind[200]",),
        rule="a cancelled request leaves the transport usable",
    ),
    Mutant(
        name="a cancelled read keeps its connection",
        file=RESPONSE,
        original="            if not received:\n                self.close()",
        mutated="            if not received:\n                pass",
        killers=(f"{CANCELLED}::test_a_socket_is_closed_by_the_time_the_cancelled_request_has_unwound",),
        rule="a cancelled request closes its socket at once",
    ),
    Mutant(
        name="a connect that is cancelled keeps its socket",
        file=SOCKETS,
        original="        if not connected:\n            _close(connecting)",
        mutated="        if not connected:\n            connecting.detach()",
        killers=(f"{CANCELLED}::test_requests_cancelled_while_connecting_leave_no_socket_behind[200]",),
        rule="a cancelled request closes its socket at once",
    ),
    Mutant(
        name="a handshake that is cancelled keeps its socket",
        file=TRANSPORT,
        original="            if not shaken:\n                raw.close()",
        mutated="            if not shaken:\n                pass",
        killers=(f"{ENCRYPTED}::test_cancelled_in_the_middle_of_a_handshake_closes_what_is_beneath",),
        rule="a cancelled request closes its socket at once",
    ),
    Mutant(
        name="who leaves the line takes the slot along",
        file=POOL,
        original="        elif turn.connection is None:\n            self.free_slot()",
        mutated="        elif turn.connection is None:\n            pass",
        killers=(f"{POOLED}::test_a_failed_slot_given_to_a_request_that_left_goes_on_to_the_next",),
        rule="a slot handed over in the tick of a cancellation is not lost",
    ),
    Mutant(
        name="the line is served from its end",
        file=POOL,
        original="        turn = self._turns.popleft()\n        turn.given = True",
        mutated="        turn = self._turns.pop()\n        turn.given = True",
        killers=(f"{POOLED}::test_no_more_connections_than_allowed_and_first_come_first_served",),
        rule="first come, first served",
    ),
    Mutant(
        name="one connection too many",
        file=POOL,
        original="        if self._slots_taken >= self._connections_max:",
        mutated="        if self._slots_taken > self._connections_max:",
        killers=(f"{POOLED}::test_no_more_connections_than_allowed_and_first_come_first_served",),
        rule="connections_max is honoured",
    ),
    Mutant(
        name="stale connections are used",
        file=POOL,
        original="            if not connection.is_stale():\n                return connection",
        mutated="            if not connection.closed:\n                return connection",
        killers=(f"{RESENT}::test_an_idle_connection_that_has_ended_is_not_used",),
        rule="an idle connection is looked at before it is used",
    ),
    Mutant(
        name="old connections are used",
        file=POOL,
        original="        while idle and idle[0].idle_since < oldest_kept:",
        mutated="        while idle and idle[0].idle_since < -oldest_kept:",
        killers=(f"{POOLED}::test_the_connection_used_last_is_used_first_and_old_ones_are_closed",),
        rule="a connection idle for longer than keepalive_s is not used",
    ),
    Mutant(
        name="a connection out of step is kept",
        file=CONNECTION,
        original="body.complete and not body.surplus and not self._rest",
        mutated="body.complete",
        killers=(f"{POOLED}::test_a_connection_is_kept_only_where_it_is_in_step",),
        rule="bytes after the end of an answer must not become the next answer",
    ),
    Mutant(
        name="a connection that is owed half a request is kept",
        file=CONNECTION,
        original="self._keep_alive and framing.keep_alive and not self._unsent",
        mutated="self._keep_alive and framing.keep_alive",
        killers=(f"{POOLED}::test_a_refusal_ends_the_sending_and_is_read",),
        rule="after an early answer the connection is closed",
    ),
    Mutant(
        name="a post is resent that may have been read",
        file=CONNECTION,
        original="        if self._unsent or wire.idempotent:\n            return True",
        mutated="        if self._unsent or wire.idempotent or self._end_seen:\n            return True",
        killers=(f"{RESENT}::test_a_post_that_may_have_been_read_is_not_resent",),
        rule="what may have been billed is not done twice",
    ),
    Mutant(
        name="a request is resent though an answer began",
        file=CONNECTION,
        original="        if self._answer_begun:\n            return False",
        mutated="        if self.closed:\n            return False",
        killers=(f"{RESENT}::test_an_idempotent_request_is_resent_unless_an_answer_began",),
        rule="nothing is resent after a byte of an answer",
    ),
    Mutant(
        name="a post is never resent",
        file=CONNECTION,
        original="        return acknowledged is not None and acknowledged <= self._sent_before",
        mutated="        return acknowledged is not None and acknowledged < 0",
        killers=(f"{RESENT}::test_a_post_is_resent_once_where_the_server_cannot_have_read_it",),
        rule="a request that crossed the server's goodbye is sent again",
    ),
    Mutant(
        name="an early success ends the sending",
        file=CONNECTION,
        original='            if early[0][9:10] == b"2":\n                return\n',
        mutated='            if early[0][9:10] == b"1":\n                return\n',
        killers=(f"{POOLED}::test_an_early_success_does_not_end_the_sending",),
        rule="only a refusal ends the sending",
    ),
    Mutant(
        name="writing has one deadline for all bytes",
        file=CONNECTION,
        original="                        scope.deadline = trio.current_time() + write_s\n",
        mutated="",
        killers=(f"{TIMEOUTS}::test_writing_goes_on_as_long_as_bytes_move",),
        rule="write_s is the wait for one byte of progress",
    ),
    Mutant(
        name="bodies are not bounded",
        file=CONNECTION,
        original="            if self._body_bytes_left < 0:",
        mutated="            if self._body_bytes_left < -1_000_000:",
        killers=(f"{POOLED}::test_a_body_is_bounded_unless_the_reader_bounds_it",),
        rule="every body has a bound",
    ),
    Mutant(
        name="chunk extensions may go on for ever",
        file=CONNECTION,
        original="            fruitless_bytes += len(received)",
        mutated="            fruitless_bytes += 0",
        killers=(f"{POOLED}::test_what_comes_without_a_byte_of_body_is_bounded",),
        rule="every header, trailer and extension has a bound",
    ),
    Mutant(
        name="a fast sender starves the others",
        file=SOCKETS,
        original="            elif waited:\n",
        mutated="            elif not self._eager_reads:\n",
        killers=(f"{ADDRESSES}::test_a_fast_sender_leaves_other_tasks_their_turn",),
        rule="reading yields to other tasks",
    ),
    Mutant(
        name="the first address may use up all the time",
        file=SOCKETS,
        original="    return now + (trio.current_effective_deadline() - now) / shares",
        mutated="    return now + (trio.current_effective_deadline() - now)",
        killers=(f"{ADDRESSES}::test_an_address_that_swallows_packets_does_not_use_up_the_time_of_the_next",),
        rule="each address gets a share of the wait",
    ),
    Mutant(
        name="the end of TLS comes before its last record",
        file=TLS,
        original="            if data or self._ended:\n                return data",
        mutated="            if data or self._ended:\n                return b'' if self._ended else data",
        killers=(f"{ENCRYPTED}::test_the_end_comes_after_the_last_record_with_or_without_goodbye",),
        rule="all that arrived is given before the end",
    ),
    Mutant(
        name="the goodbye of TLS is not heard",
        file=TLS,
        original="                    self._ended = True\n                    break",
        mutated="                    break",
        killers=(f"{ENCRYPTED}::test_a_goodbye_is_the_end_though_the_connection_stays_open",),
        rule="a peer that said goodbye is not waited for",
    ),
    Mutant(
        name="a line break in a header value",
        file=REQUEST,
        original='    if head.count(b"\\n") != len(lines) + 1 or not _HEAD.fullmatch(head):',
        mutated="    if not _HEAD.fullmatch(head):",
        killers=(f"{REQUESTS}::test_an_illegal_header_is_refused_without_being_quoted",),
        rule="no header value can write a header of its own",
    ),
    Mutant(
        name="both framings are believed",
        file=HEAD,
        original="    if coding is not None and (length is not None or http_minor == 0):",
        mutated="    if coding is not None and http_minor == 0:",
        killers=(f"{ORACLE}::test_differs_from_the_stock_transport_only_on_purpose[content-length beside chunked]",),
        rule="what two readers could read differently is refused",
    ),
    Mutant(
        name="h11 folds equal lengths into one",
        file=H11,
        original='        if len(self.headers) != head.count(b"\\r\\n") - 2:',
        mutated='        if len(self.headers) > head.count(b"\\r\\n"):',
        killers=(f"{ORACLE}::test_differs_from_the_stock_transport_only_on_purpose[the same content-length twice]",),
        rule="what two readers could read differently is refused",
    ),
    Mutant(
        name="trailers become headers",
        file=HTTPTOOLS,
        original="        self.headers, self.seen = self.seen, []",
        mutated="        self.headers = self.seen",
        killers=(f"{HEADS}::test_trailers_are_no_headers",),
        rule="what comes after the body is no header",
    ),
    Mutant(
        name="a compressed body may end in the middle",
        file=ENCODING,
        original="        if self._first_bytes and not self._inflate.eof:",
        mutated="        if self._first_bytes and self._inflate.unconsumed_tail:",
        killers=(f"{ORACLE}::test_differs_from_the_stock_transport_only_on_purpose",),
        rule="a cut answer does not pass for a whole one",
    ),
    Mutant(
        name="a sent request passes for unbilled",
        file=ERRORS,
        original='_UNSENT: frozenset[Phase] = frozenset(("queued", "connecting", "sending"))',
        mutated='_UNSENT: frozenset[Phase] = frozenset(("queued", "connecting", "sending", "sent"))',
        killers=(f"{FAILURES}::test_a_failure_says_what_happened_and_whether_it_can_have_been_billed",),
        rule="safe_to_retry means not billed",
    ),
    Mutant(
        name="any exception is a failed call",
        file=ERRORS,
        original='            raise TypeError(f"{type(error).__name__} is no failure of a transport") from error',
        mutated='            return _failed("network", "The connection broke.", phase)',
        killers=(f"{FAILURES}::test_a_bug_does_not_pass_for_a_failed_call",),
        rule="a bug is a crash",
    ),
    Mutant(
        name="a key may go to another origin",
        file=TRANSPORT,
        original="        if url.netloc != self._netloc or url.raw_scheme != self._scheme:",
        mutated="        if url.raw_scheme != self._scheme:",
        killers=(f"{CHOICE}::test_a_request_for_another_origin_is_not_sent",),
        rule="one transport, one origin",
    ),
]
