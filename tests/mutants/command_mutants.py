"""Lies about the commands: what a line is, what Ctrl-C ends, what a probe is told, what is served."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

LINES = "manus/cli/chat_lines.py"
SIGNALS = "manus/cli/chat_signals.py"
HEALTH = "manus/cli/health.py"
SERVE = "manus/cli/serve.py"

ENTERED = "tests/cli/test_chat_lines.py"
INTERRUPTED = "tests/cli/test_chat_session.py"
PROBED = "tests/cli/test_health_command.py"
ARGUMENTS = "tests/cli/test_serve_arguments.py"

COMMAND_MUTANTS = [
    Mutant(
        name="Ctrl-C that clears a line counts towards the end",
        file=LINES,
        original="in_a_row = 0 if self._gathering or self._lines.unsent() else in_a_row + 1",
        mutated="in_a_row += 1",
        killers=(f"{ENTERED}::test_only_two_in_a_row_count",),
        rule="what was begun is broken off, and nothing else",
    ),
    Mutant(
        name="a signal that ends the program is taken for Ctrl-C at the prompt",
        file=LINES,
        original="if not self._at_prompt or type(stop) is not KeyboardInterrupt:",
        mutated="if not self._at_prompt:",
        killers=(f"{ENTERED}::test_a_signal_that_ends_the_program_is_not_taken_for_ctrl_c",),
        rule="SIGTERM ends the program",
    ),
    Mutant(
        name="the rest of a line that is too long is the next message",
        file=LINES,
        original='while content and not content.endswith(b"\\n"):',
        mutated="while False:",
        killers=(f"{ENTERED}::test_a_bad_entry_is_named_and_the_next_one_is_read",),
        rule="a bad line spoils itself alone",
    ),
    Mutant(
        name="what stands between quotes may be a command",
        file=LINES,
        original="        if first.startswith(QUOTES):\n",
        mutated="        if first.startswith(QUOTES) and False:\n",
        killers=(f"{ENTERED}::test_lines_become_messages",),
        rule="a block is one message",
    ),
    Mutant(
        name="Ctrl-C before there is an answer is lost",
        file=SIGNALS,
        original="        if self._count:  # it came",
        mutated="        if False:  # it came",
        killers=(f"{INTERRUPTED}::test_ctrl_c_before_there_is_an_answer_cancels_it_all_the_same",),
        rule="Ctrl-C ends an answer",
    ),
    Mutant(
        name="Ctrl-C ends an answer where nobody sits at a prompt, and the next line is asked",
        file=SIGNALS,
        original="ends = name != signal.SIGINT or not self.at_prompt",
        mutated="ends = name != signal.SIGINT",
        killers=(f"{INTERRUPTED}::test_a_signal_that_ends_the_program_lets_the_answer_be_told_first",),
        rule="Ctrl-C ends a program in a pipeline",
    ),
    Mutant(
        name="a degraded server is reported as failed",
        file=HEALTH,
        original="return exits.DEGRADED if arguments.strict else exits.OK",
        mutated="return exits.DEGRADED",
        killers=(f"{PROBED}::test_the_exit_status_tells_a_probe_whether_to_act",),
        rule="a probe does not end a server that works",
    ),
    Mutant(
        name="the greeting is taken for the health",
        file=HEALTH,
        original='case {"id": 2, "result": {"status": str()} as health}:',
        mutated='case {"result": dict() as health}:',
        killers=(f"{PROBED}::test_notifications_before_the_answer_are_passed_over",),
        rule="no answer but the one that was asked for",
    ),
    Mutant(
        name="a server that hangs is waited for as long as each of its words takes",
        file=HEALTH,
        original="        if left_s <= 0:\n            raise TimeoutError\n        connection.settimeout(left_s)\n",
        mutated="        connection.settimeout(3600.0)\n",
        killers=(f"{PROBED}::test_a_server_that_drips_is_given_up_in_time_too",),
        rule="a probe never hangs",
    ),
    Mutant(
        name="a server that is gone is wrong usage",
        file=HEALTH,
        original="except (FileNotFoundError, ConnectionRefusedError):",
        mutated="except ChildProcessError:",
        killers=(f"{PROBED}::test_a_server_that_is_gone_is_unavailable",),
        rule="nobody there is unavailable",
    ),
    Mutant(
        name="a socket without a name is served at",
        file=SERVE,
        original='if arguments.unix == "":',
        mutated="if False:",
        killers=(f"{ARGUMENTS}::test_arguments_that_make_no_sense_are_refused_on_one_line",),
        rule="clear refusals",
    ),
]
