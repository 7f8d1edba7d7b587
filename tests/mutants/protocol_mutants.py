"""Lies about the wire: what is read in two ways, answered in another's name, or told with something missing."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

READING = "tests/ipc/test_json_text.py"
FRAMES = "tests/ipc/test_frames.py"
PARAMS = "tests/ipc/test_reading_params.py"
LINES = "tests/ipc/test_lines.py"
DIALECTS = "tests/ipc/test_dialects.py"

PROTOCOL_MUTANTS = [
    Mutant(
        name="a flood of values is read (protocol)",
        file="manus/ipc/protocol/json_text.py",
        original='    if outside.count(b",") + len(brackets) // 2 > VALUES_MAX:\n',
        mutated='    if outside.count(b"\\n") > VALUES_MAX:\n',
        killers=(f"{READING}::test_a_line_that_is_refused_for_its_size_costs_little_more_than_itself",),
        rule="P10: every buffer has a bound",
    ),
    Mutant(
        name="an id may be a surrogate (protocol)",
        file="manus/ipc/protocol/frames.py",
        original='    return value.isascii() or not any("\\ud800" <= character <= "\\udfff" for character in value)\n',
        mutated="    return True\n",
        killers=(f"{FRAMES}::test_what_is_no_message_is_told_why",),
        rule="every reply bears the id that the host knows",
    ),
    Mutant(
        name="both prompt and messages are taken (protocol)",
        file="manus/ipc/protocol/reading_params.py",
        original="(read.prompt is None) == (read.messages is None)",
        mutated="(read.prompt is None) and (read.messages is None)",
        killers=(f"{PARAMS}::test_wrong_params_are_named_with_their_path",),
        rule="P12: no part of a request is silently dropped",
    ),
    Mutant(
        name="a lone surrogate leaves (protocol)",
        file="manus/ipc/protocol/plain_words.py",
        original='.decode("utf-16-le", "replace")\n',
        mutated='.decode("utf-16-le", "surrogatepass")\n',
        killers=(f"{LINES}::test_any_text_leaves_as_valid_utf8_with_nothing_lost_but_lone_surrogates",),
        rule="every line is valid UTF-8",
    ),
    Mutant(
        name="a defect tells its text (protocol)",
        file="manus/ipc/protocol/errors.py",
        original="ended the request ({type(error).__name__});",
        mutated="ended the request ({error});",
        killers=(f"{LINES}::test_every_other_error_has_its_own",),
        rule="P11: no secret leaves",
    ),
    Mutant(
        name="the engine's sum goes on after a reset (protocol)",
        file="manus/ipc/dialects/engine.py",
        original='            self._accumulated = ""\n        if not',
        mutated="            pass\n        if not",
        killers=(f"{DIALECTS}::test_a_stream_that_began_anew_is_summed_up_anew",),
        rule="P6: what a host adds up is the answer",
    ),
    Mutant(
        name="a commandless line jumps the queue (protocol)",
        file="manus/ipc/dialects/reading.py",
        original="voice=voice, ordered=key is None, refused=refused)",
        mutated="voice=voice, ordered=key is None and refused is None, refused=refused)",
        killers=(f"{DIALECTS}::test_a_command_that_is_none_is_refused_in_its_turn",),
        rule="answers without an id come in the order of their requests",
    ),
]
