"""Lies that chaos must find out by itself, in random trees and in the whole agent: the harness bites, and not only
single tests do.
"""

from __future__ import annotations

import msgspec

from tests.mutants.mutant import Mutant
from tests.mutants.shell_mutants import SHELL_MUTANTS

CHAOS = "tests/sim/test_supervisor_chaos.py::test_every_rule_holds_for_the_fixed_seeds_and_everything_was_met"

FOUND_BY_CHAOS = (
    "the mailbox dies with its actor",
    "no drain at the stop",
    "the in-hand is not answered on a crash",
    "a checkpoint between receiving and registering",
    "the newest waits least",
    "work for nobody is begun",
    "a sent request is safe to retry",
    "the outcome overtakes unread items",
)

CHAOS_MUTANTS: list[Mutant] = [
    msgspec.structs.replace(mutant, name=f"{mutant.name} (chaos)", killers=(CHAOS,))
    for mutant in SHELL_MUTANTS
    if mutant.name in FOUND_BY_CHAOS
]

AGENT_CHAOS = "tests/sim/test_chaos.py::test_every_promise_holds_for_the_fixed_seeds"
OUTCOMES = "tests/sim/test_sim_outcomes.py::test_a_fault_is_told_as_what_it_is"

AGENT_MUTANTS = [
    Mutant(
        name="a token is shown after its end (chaos)",
        file="manus/actors/credentials/tokens.py",
        original="            self.usable_until = expires_at - min(MARGIN_S, 0.1 * life_s)\n",
        mutated="            self.usable_until = expires_at + 3.0\n",
        killers=(f"{AGENT_CHAOS}[0]",),
        rule="no request shows what has expired",
    ),
    Mutant(
        name="what Bedrock wrote to its cache is free (chaos)",
        file="manus/actors/codecs/bedrock_decode.py",
        original="            cache_write_short=max(0, written - long),\n",
        mutated="            cache_write_short=0,\n",
        killers=(f"{AGENT_CHAOS}[0]",),
        rule="reported usage is what the vendor bills, in all of its parts",
    ),
    Mutant(
        name="a Responses item that is no JSON is an empty one",
        file="manus/actors/codecs/responses_output.py",
        original="        except MALFORMED_ERRORS:\n            return None\n",
        mutated="        except MALFORMED_ERRORS:\n            return Item()\n",
        killers=(f"{OUTCOMES}[openai-responses-latin1-body-whole]",),
        rule="a success is a whole answer",
    ),
    Mutant(
        name="a frame's checksum is not looked at (chaos)",
        file="manus/actors/codecs/event_stream.py",
        original="        if crc32(frame[8:payload_end], prelude_crc) != _unpack_crc(frame, payload_end)[0]:\n",
        mutated="        if payload_end < 0:\n",
        killers=(f"{AGENT_CHAOS}[20]",),
        rule="an undecodable event is an interruption",
    ),
]
