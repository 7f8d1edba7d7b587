"""Own the lies about the border between a program and its runtime, and about the words of the protocol."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BORDER = "manus/hosts/border.py"
STREAM = "manus/hosts/hosted_stream.py"
RUNTIME = "manus/hosts/runtime_thread.py"
FRAMES = "manus/ipc/protocol/frames.py"
JSON_TEXT = "manus/ipc/protocol/json_text.py"
CALLS = "manus/ipc/calls.py"

ASYNCIO = "tests/hosts/test_asyncio_host.py"
ASYNCIO_STREAMS = "tests/hosts/test_asyncio_streams.py"
ENDS = "tests/hosts/test_ends.py"
SLOW_HOSTS = "tests/ipc/test_slow_hosts.py"
CONFORMANCE = "tests/conformance/test_conformance.py::test_a_host_gives_the_outcome_of_the_reference"

HOSTS_MUTANTS = [
    Mutant(
        name="a cancelled task leaves its call running (hosts)",
        file=BORDER,
        original="            if not call.done:\n                self.post_quietly(call.cancel)\n",
        mutated="",
        killers=(f"{ASYNCIO}::test_a_cancelled_task_cancels_the_call_upstream_and_what_it_used_is_settled",),
        rule="an asyncio task that is cancelled cancels its call upstream",
    ),
    Mutant(
        name="a stream that is dropped is read on (hosts)",
        file=STREAM,
        original="of this package.\n        self._leave()\n",
        mutated="of this package.\n        return\n",
        killers=(f"{ASYNCIO_STREAMS}::test_an_abandoned_stream_cancels_the_call_upstream",),
        rule="the last reference gone is a cancel upstream",
    ),
    Mutant(
        name="chunks are piled up for who does not read (hosts)",
        file=BORDER,
        original="RELAY_ITEMS: Final = 64\n",
        mutated="RELAY_ITEMS: Final = 10**9\n",
        killers=(f"{ASYNCIO_STREAMS}::test_an_unread_stream_holds_its_provider_back_and_nobody_else",),
        rule="P10: a slow reader slows its own stream; every queue has a bound",
    ),
    Mutant(
        name="a call forgets its caller's context variables (hosts)",
        file=BORDER,
        original="self._context = contextvars.copy_context()",
        mutated="self._context = contextvars.Context()",
        killers=(f"{ASYNCIO}::test_a_call_runs_with_its_callers_context_variables",),
        rule="context variables cross the border",
    ),
    Mutant(
        name="a pause outside is none inside (hosts)",
        file=STREAM,
        original="self._border.post_quietly(self._pump.pause, True)",
        mutated="self._border.post_quietly(self._pump.pause, False)",
        killers=(f"{ASYNCIO_STREAMS}::test_a_pause_is_no_stall",),
        rule="an explicit pause is exempt from the stall's time",
    ),
    Mutant(
        name="a raised error is held by the frame that raised it (hosts)",
        file=BORDER,
        original="            del error  # its traceback",
        mutated="            pass  # its traceback",
        killers=(f"{ASYNCIO}::test_an_error_that_was_raised_keeps_nothing_alive",),
        rule="P10: memory stays flat",
    ),
    Mutant(
        name="an opening that nobody waits for goes on (hosts)",
        file=RUNTIME,
        original="            if not awaited:  # also where it is open by now",
        mutated="            if not awaited and self._agent is None:  # lied",
        killers=(
            "tests/hosts/test_runtime_thread.py"
            "::test_an_opening_that_is_interrupted_at_the_last_moment_leaves_no_runtime",
        ),
        rule="P13: no thread is left behind",
    ),
    Mutant(
        name="an interpreter that ends forgets its runtimes (hosts)",
        file=RUNTIME,
        original="atexit.register(_stop_all)\n",
        mutated="",
        killers=(f"{ENDS}::test_a_program_that_forgets_its_agent_ends_with_its_books_in_order",),
        rule="P13: the books are settled and closed, however a program ends",
    ),
    Mutant(
        name="the reply goes before the last events (hosts)",
        file=CALLS,
        original="                await self._until(flow, 0, deadline)",
        mutated="                pass",
        killers=(f"{SLOW_HOSTS}::test_a_host_without_credit_is_told_that_it_stalled",),
        rule="P6: the events of a stream are whole before its reply",
    ),
    Mutant(
        name="a cancelled stream does not say what had come (hosts)",
        file="manus/responses.py",
        original="        outcome.partial or Answer(),\n",
        mutated="        Answer(),\n",
        killers=(f"{CONFORMANCE}[trio-cancels_midway]",),
        rule="P7: a cancelled stream keeps its text and its usage",
    ),
    Mutant(
        name="true is an id (protocol)",
        file=FRAMES,
        original="    if type(value) is int:\n        return -ID",
        mutated="    if isinstance(value, int):\n        return -ID",
        killers=("tests/ipc/test_frames.py",),
        rule="every peer must be able to read an id back as it was",
    ),
    Mutant(
        name="a request may have members that nobody knows (protocol)",
        file=FRAMES,
        original="        if name not in _JSON_RPC_MEMBERS:\n",
        mutated="        if name not in _JSON_RPC_MEMBERS and False:\n",
        killers=("tests/ipc/test_frames.py",),
        rule="P12: a mistyped member is told, not passed over",
    ),
    Mutant(
        name="a member may stand twice in an object (protocol)",
        file=JSON_TEXT,
        original="    if len(made) != len(pairs):\n",
        mutated="    if len(made) > len(pairs):\n",
        killers=("tests/ipc/test_json_text.py",),
        rule="two readers never take the same line for different things",
    ),
    Mutant(
        name="lines may be nested without end (protocol)",
        file=JSON_TEXT,
        original="depth + _STEP[byte], initial=0)) > NESTING_MAX:\n",
        mutated="depth + _STEP[byte], initial=0)) > 10**9:\n",
        killers=("tests/ipc/test_json_text.py",),
        rule="P10, P12: deep nesting is the documented error",
    ),
    Mutant(
        name="a second request under an id is told under that id (protocol)",
        file="manus/ipc/dialects/json_rpc.py",
        original="None if isinstance(error, DuplicateId) else self._id",
        mutated="self._id",
        killers=(
            "tests/ipc/test_dialects.py::test_a_second_request_with_an_id_in_flight_cannot_be_taken_for_the_first",
        ),
        rule="P1: exactly one reply for each id in flight",
    ),
]
