"""Own how near estimates are: `python -m benchmarks estimates` holds them against what vendors reported.

The recorded traffic beside the checkout (`../shared/wire`) is what is held against; half of it (by a checksum of each
record's id) the figures were fitted to, the other half they never saw. Without it the samples of the
tests are all there is. Errors are shares of what was reported; signed ones are positive where too much was expected.
"""

from __future__ import annotations

import statistics
import time
import tomllib
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.recorded_requests import NOT_AS_SENT, WIRE, Recorded, recorded
from manus.actors.estimates.bound import bound_of
from manus.actors.estimates.calibration import Calibration
from manus.actors.estimates.counting import count_exactly
from manus.actors.estimates.families import UNKNOWN, family_of
from manus.actors.estimates.measure import Measured, measure
from manus.actors.estimates.prompt import prompt_tokens
from manus.actors.estimates.text import estimate_tokens
from manus.actors.estimates.tokenizer import is_installed
from manus.messages.policy import ModelCard

KNOWN_AFTER: Final = 3
"""Calls after which a model counts as learnt."""

SAMPLES: Final = Path(__file__).resolve().parent.parent / "tests" / "actors" / "estimates" / "samples.toml"

REPEATS: Final = 2_000

Errors = list[float]
Read = tuple[Recorded, Measured]


def print_estimates(rounds: int, wire: Path = WIRE) -> None:
    """Hold everything against everything; `rounds` are those of the timing."""
    print_samples()
    if not wire.is_dir():
        print("\nno recorded traffic: it stands beside the checkout, in ../shared/wire")
        return
    print(f"\nleft out, since their recorded prompts are not what was sent: {', '.join(sorted(NOT_AS_SENT))}")
    read = [(each, measure(each.request)) for each in recorded(wire)]
    plain = [pair for pair in read if pair[0].is_plain]
    print_prompts(plain)
    print_learning(plain)
    print_answers(plain)
    print_exact(plain)
    print_bounds(read)
    print_costs(read, rounds)


def held_out(each: Recorded) -> bool:
    """Whether a record is of the half that nothing was fitted to."""
    return zlib.crc32(each.id.encode()) % 2 == 1


def error_of(expected: float, reported: float) -> float:
    """Give the share of what was reported by which an expectation is off."""
    return expected / reported - 1


# -- what is printed


def print_samples() -> None:
    """Show the texts whose tokens stand beside them."""
    samples = tomllib.loads(SAMPLES.read_text(encoding="utf-8"))
    errors = {name: error_of(estimate_tokens(each["text"]), each["tokens"]) for name, each in samples.items()}
    print("texts of one kind each, against o200k_base")
    for name, error in sorted(errors.items(), key=lambda pair: abs(pair[1])):
        print(f"    {name:<28}{100 * error:+8.0f} %")
    _print_head("texts of one kind each")
    _print_row("all", list(errors.values()))


def print_prompts(plain: Sequence[Read]) -> None:
    """Show how near prompts are expected to what their vendors count, before anything is learnt of a model."""

    def by_classes(pair: Read) -> float:
        return error_of(prompt_tokens(pair[1], UNKNOWN), pair[0].prompt_tokens)

    def by_family(pair: Read) -> float:
        return error_of(prompt_tokens(pair[1], family_of(pair[0].model)), pair[0].prompt_tokens)

    _print_head("prompts, by family: with pictures, whose sizes cannot be read from URLs, and without")
    _print_groups(plain, by_family, lambda pair: "text and tools" if pair[1].is_plain else "with pictures")
    plain = [pair for pair in plain if pair[1].is_plain]
    _print_head("text and tools, by one set of figures for everybody: by vendor")
    _print_groups(plain, by_classes, lambda pair: pair[0].vendor)
    _print_head("text and tools, by family: by vendor")
    _print_groups(plain, by_family, lambda pair: pair[0].vendor)
    _print_head("text and tools, by family: the half that was fitted to, and the one held out")
    _print_groups(plain, by_family, lambda pair: "held out" if held_out(pair[0]) else "fitted to")
    _print_head("text and tools, by family: each family, held-out half")
    _print_groups([pair for pair in plain if held_out(pair[0])], by_family, lambda pair: family_of(pair[0].model).name)


def print_learning(plain: Sequence[Read]) -> None:
    """Show what calibration makes of the same prompts, once a few of a model's were reported."""
    before: dict[str, Errors] = defaultdict(list)
    after: dict[str, Errors] = defaultdict(list)
    calibration, seen = Calibration(), defaultdict[tuple[str, str], int](int)
    for each, measured in plain:
        if not measured.is_plain:
            continue
        key = (each.vendor, each.model)
        if seen[key] >= KNOWN_AFTER:
            expected = calibration.prompt_tokens(*key, each.model, measured)
            for group in (each.vendor, "all"):
                before[group].append(error_of(prompt_tokens(measured, family_of(each.model)), each.prompt_tokens))
                after[group].append(error_of(expected, each.prompt_tokens))
        calibration.observe_prompt(*key, each.model, measured, each.prompt_tokens)
        seen[key] += 1
    for title, groups in (("before", before), ("after", after)):
        _print_head(f"text and tools, of models asked {KNOWN_AFTER} times or more, {title} calibration")
        for name in sorted(groups, key=lambda name: (name == "all", name)):
            _print_row(name, groups[name])


def print_answers(plain: Sequence[Read]) -> None:
    """Show how near the text of whole answers comes to the output that was billed for it."""
    groups: dict[str, Errors] = defaultdict(list)
    for each, _ in plain:
        shown = each.output_tokens - (each.reasoning_tokens or 0)
        if each.says_it_all and shown >= 20:
            expected = sum(estimate_tokens(piece) for piece in each.answer) * family_of(each.model).ratio
            for group in (each.vendor, "all"):
                groups[group].append(error_of(expected, shown))
    _print_head("answers of 20 tokens and more, text alone")
    for name in sorted(groups, key=lambda name: (name == "all", name)):
        _print_row(name, groups[name])


def print_exact(plain: Sequence[Read]) -> None:
    """Show how near exact counts are, where they are called so, and the estimates that are counted."""
    if not is_installed():
        print("\nexact counts: the extra manus-llm[tokens] is not installed")
        return
    groups: dict[str, Errors] = defaultdict(list)
    for each, measured in plain:
        counted = count_exactly(each.request, family_of(each.model)) if measured.is_plain else None
        if counted is not None:
            known = "family unknown" if family_of(each.model) is UNKNOWN else "family known"
            name = "exact" if counted.kind == "exact" else f"estimated, {known}"
            groups[name].append(error_of(counted.tokens, each.prompt_tokens))
    _print_head("text and tools, counted by a vocabulary")
    for name in sorted(groups):
        _print_row(name, groups[name])


def print_bounds(read: Sequence[Read]) -> None:
    """Show that nothing that was reported is above its bound, and how far below it is."""
    above = 0
    used_by_model: list[float] = []
    used_by_none: list[float] = []
    for each, measured in read:
        for card, used in ((ModelCard(name=each.model), used_by_model), (None, used_by_none)):
            bound = bound_of(measured, each.request, card)
            above += each.prompt_tokens > bound.input_total or each.output_tokens > bound.output
            used.append(each.prompt_tokens / bound.input_total)
    print(f"\nbounds: {above} of {len(read)} records above theirs")
    for name, used in (("model known by name", used_by_model), ("unknown model", used_by_none)):
        print(f"    {name:<28}prompt reported / bound: median {statistics.median(used):.3f}, most {max(used):.3f}")


def print_costs(read: Sequence[Read], rounds: int) -> None:
    """Show what a typical and a long prompt cost, in microseconds."""
    ordered = sorted(read, key=lambda pair: pair[1].text_bytes)
    print("\ncost in microseconds (best of the rounds)")
    for name, (each, measured) in (("median prompt", ordered[len(ordered) // 2]), ("longest prompt", ordered[-1])):
        family, card = family_of(each.model), ModelCard(name=each.model)
        timed: dict[str, Callable[[], object]] = {
            "measure": partial(measure, each.request),
            "estimate": partial(prompt_tokens, measured, family),
            "bound": partial(bound_of, measured, each.request, card),
        }
        told = ", ".join(f"{what} {_best_us(call, rounds):.1f}" for what, call in timed.items())
        print(f"    {name:<16}({measured.text_bytes} bytes of text): {told}")


# -- the making of rows


def _print_groups(pairs: Sequence[Read], error: Callable[[Read], float], group: Callable[[Read], str]) -> None:
    groups: dict[str, Errors] = defaultdict(list)
    for pair in pairs:
        groups[group(pair)].append(error(pair))
    for name in sorted(groups):
        _print_row(name, groups[name])
    _print_row("all", [each for errors in groups.values() for each in errors])


def _print_head(title: str) -> None:
    print(f"\n{title}\n    {'':<28}{'n':>5}   signed p10    p50    p90   absolute p50    p90")


def _print_row(name: str, errors: Iterable[float]) -> None:
    signed = sorted(errors)
    absolute = sorted(abs(error) for error in signed)
    p10, p50, p90 = (f"{100 * _percentile(signed, share):+.0f}%" for share in (0.1, 0.5, 0.9))
    a50, a90 = (f"{100 * _percentile(absolute, share):.0f}%" for share in (0.5, 0.9))
    print(f"    {name:<28}{len(signed):>5}{p10:>13}{p50:>7}{p90:>7}{a50:>15}{a90:>7}")


def _percentile(ordered: Sequence[float], share: float) -> float:
    """Give the nearest rank."""
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def _best_us(call: Callable[[], object], rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        began_ns = time.process_time_ns()
        for _ in range(REPEATS):
            call()
        best = min(best, (time.process_time_ns() - began_ns) / REPEATS / 1000)
    return best
