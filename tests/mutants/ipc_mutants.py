"""Lies about what a connection owes its host: order, bounds, one answer to each request, whole lines, definite ends."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

SLOW_HOSTS = "tests/ipc/test_slow_hosts.py"
CONNECTION_ENDS = "tests/ipc/test_connection_ends.py"
QUEUES = "tests/ipc/test_flow_and_outbox.py"

IPC_MUTANTS = [
    Mutant(
        name="a crashed session leaves its requests open (ipc)",
        file="manus/ipc/connection.py",
        original="        buried = session.bury()\n",
        mutated="        buried = 0\n",
        killers=(f"{CONNECTION_ENDS}::test_a_crashed_session_answers_every_open_id_and_reads_on",),
        rule="P3: what was in a crashed actor's hands is answered at once",
    ),
    Mutant(
        name="a line half written is begun anew (ipc)",
        file="manus/ipc/outbox.py",
        original="return memoryview(self._batch)[self._sent :] if self._batch else None",
        mutated="return memoryview(self._batch) if self._batch else None",
        killers=(f"{QUEUES}::test_a_line_is_never_torn_however_little_is_written_at_once",),
        rule="the next incarnation finishes the line that the last one began",
    ),
    Mutant(
        name="answers that nobody reads are piled up (ipc)",
        file="manus/ipc/connection.py",
        original="            await outbox.wait_room()\n            await session.wait_places()\n",
        mutated="            await session.wait_places()\n",
        killers=(f"{SLOW_HOSTS}::test_a_flood_of_pings_to_a_host_that_does_not_read_holds_no_more_than_its_bound",),
        rule="P10: every buffer has a bound",
    ),
    Mutant(
        name="refusals in their turn are piled up (ipc)",
        file="manus/ipc/connection.py",
        original="            await outbox.wait_room()\n            await session.wait_places()\n",
        mutated="            await outbox.wait_room()\n",
        killers=(f"{SLOW_HOSTS}::test_a_flood_without_ids_behind_a_slow_request_is_not_read_further",),
        rule="P10: every buffer has a bound",
    ),
    Mutant(
        name="a window is not counted down (ipc)",
        file="manus/ipc/flow.py",
        original="            self._credits -= 1\n",
        mutated="            self._credits -= 0\n",
        killers=(f"{QUEUES}::test_no_more_events_go_than_there_is_credit_for",),
        rule="no more than `window` events are in flight",
    ),
    Mutant(
        name="the events of one stream go before all others (ipc)",
        file="manus/ipc/outbox.py",
        original="                del self._flows[flow]\n                if not flow.empty and flow.has_credit:\n",
        mutated="                if flow.empty:\n"
        "                    del self._flows[flow]\n"
        "                while (more := flow.take(now)) is not None:\n"
        "                    lines.append(more)\n"
        "                if not flow.empty and flow.has_credit:\n",
        killers=(f"{QUEUES}::test_streams_have_their_turns",),
        rule="fair among streams",
    ),
    Mutant(
        name="the rest of an oversized line is a line (ipc)",
        file="manus/ipc/framing.py",
        original="            self._skipping = True\n",
        mutated="            self._skipping = False\n",
        killers=("tests/ipc/test_framing.py::test_an_oversized_line_is_refused_before_its_end_has_come",),
        rule="resynchronisation at the next line end",
    ),
    Mutant(
        name="a host that takes nothing is waited for without end (ipc)",
        file="manus/ipc/calls.py",
        original="                until = max(since, flow.moved_at) + stall_s\n",
        mutated="                until = max(since, flow.moved_at) + 1000 * stall_s\n",
        killers=(f"{SLOW_HOSTS}::test_a_host_without_credit_is_told_that_it_stalled",),
        rule="P4: every wait on the outside has a bound",
    ),
    Mutant(
        name="a pipe that is read slowly is a stalled one (ipc)",
        file="manus/ipc/calls.py",
        original="until = max(since, flow.moved_at, outbox.wrote_at) + stall_s",
        mutated="until = since + stall_s",
        killers=(f"{SLOW_HOSTS}::test_a_slow_reader_is_no_stalled_one",),
        rule="a slow reader slows its own streams, and is not thrown out",
    ),
    Mutant(
        name="an end of input drops what is in flight (ipc)",
        file="manus/ipc/connection.py",
        original='                self.end("eof", session.policy.drain_s)\n',
        mutated='                self.end("eof", 0.0)\n',
        killers=(f"{CONNECTION_ENDS}::test_the_end_of_input_lets_what_is_in_flight_finish",),
        rule="P13: orderly end",
    ),
    Mutant(
        name="a socket that is served is taken for dead (ipc)",
        file="manus/ipc/unix_socket.py",
        original="    if _is_served(path):\n",
        mutated="    if False:\n",
        killers=("tests/ipc/test_unix_socket.py::test_a_live_servers_socket_is_never_stolen",),
        rule="a live server's socket is never stolen",
    ),
    Mutant(
        name="everybody may connect for a moment (ipc)",
        file="manus/ipc/unix_socket.py",
        original="        new.chmod(MODE)\n        listener.listen(BACKLOG)\n",
        mutated="        new.chmod(0o666)\n        listener.listen(BACKLOG)\n        new.chmod(MODE)\n",
        killers=("tests/ipc/test_unix_socket.py::test_it_has_its_mode_before_anybody_can_connect",),
        rule="mode 0600, without a race",
    ),
]
