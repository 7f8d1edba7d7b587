"""Own what is learnt of each model from the tokens its vendor reports: how far our estimates are off, and by what.

Prompts are learnt of by kind (plain text, with tools or a schema, texts to embed) and size, in steps of two: what a
gateway puts before every prompt weighs on short ones alone, and a denser vocabulary on all, and neither has to be told
from the other. Where nothing of a size was seen its nearest neighbour speaks for it, within reason.

Pure and synchronous, part of the router's durable cell: it survives a crash of the router. Bounded by `MODELS_MAX`
models, the least recently used of which is forgotten. A lookup costs about a microsecond, an observation a few.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from manus.actors.estimates.families import family_of
from manus.actors.estimates.measure import Measured
from manus.actors.estimates.prompt import prompt_tokens

MODELS_MAX: Final = 1024
"""Models that are learnt of at once; an entry that takes any model name could invent more."""

STEPS: Final = 22
"""Sizes that are told apart, each up to twice the one before: the last one is of two million tokens and more."""

KEPT: Final = 0.97
"""What an observation leaves of those before it: some 33 calls are remembered."""

DOUBT: Final = 2.0
"""How many calls tell half of what is learnt in the end: one prompt may have been of a kind of its own."""

SURPRISE: Final = 2.0
"""A prompt that is off by more than this factor counts as if it were off by it, once the first few have been seen."""

FIRST_FEW: Final = 3

ADDED_ABOVE: Final = 2.0
"""From this ratio on it is a text nobody showed us that is counted, which is as long whatever we see."""

NEIGHBOUR_MIN: Final = 0.7
NEIGHBOUR_MAX: Final = 1.5
"""What one size may tell of another: a vocabulary's ratio, and no more."""

EVERY_UNTIL: Final = 32
EVERY: Final = 8
"""Every prompt teaches until `EVERY_UNTIL`; from then on, and of answers always, one in so many."""

ANSWER_RATIO_MIN: Final = 0.4
ANSWER_RATIO_MAX: Final = 2.5
"""No vocabulary in use lies outside; an answer that does was counted with something that was not shown."""

ANSWER_STEP_MAX: Final = 0.35

ANSWER_TOKENS_MIN: Final = 40
"""Shorter answers tell more of end tokens than of the vocabulary."""


class Calibration:
    """What is known of all models of one router."""

    __slots__ = ("_models",)

    def __init__(self) -> None:
        self._models: OrderedDict[tuple[str, str], _Model] = OrderedDict()

    def __len__(self) -> int:
        """Tell how many models are known."""
        return len(self._models)

    def knows(self, provider: str, model: str) -> bool:
        """Whether anything was learnt of a model."""
        return (provider, model) in self._models

    def forget(self, provider: str) -> None:
        """Unlearn an entry behind which somebody else may answer from now on."""
        for name in [name for name in self._models if name[0] == provider]:
            del self._models[name]

    def prompt_tokens(self, provider: str, model: str, base: str, measured: Measured) -> int:
        """Expect the tokens of a prompt at a model, `base` being its vendor's name for it."""
        estimate = prompt_tokens(measured, family_of(base))
        known = self._models.get((provider, model))
        return estimate if known is None else known.prompts[_kind_of(measured)].corrected(estimate)

    def output_ratio(self, provider: str, model: str, base: str) -> float:
        """Tell how many tokens a model counts for each that is estimated of an answer's text."""
        known = self._models.get((provider, model))
        ratio = family_of(base).ratio
        return ratio if known is None else ratio * known.answer_ratio

    def observe_prompt(self, provider: str, model: str, base: str, measured: Measured, reported: int) -> None:
        """Learn from a prompt of which the vendor reported all tokens, cached ones included."""
        if reported <= 0 or not measured.is_plain:
            return
        known = self._model(provider, model)
        known.prompts_seen += 1
        if known.prompts_seen <= EVERY_UNTIL or known.prompts_seen % EVERY == 0:
            known.prompts[_kind_of(measured)].learn(prompt_tokens(measured, family_of(base)), reported)

    def wants_output(self, provider: str, model: str) -> bool:
        """Whether the answer at hand should be weighed, which costs more than all the rest of this."""
        known = self._model(provider, model)
        known.answers_seen += 1
        return known.answers_seen % EVERY == 1

    def observe_output(self, provider: str, model: str, base: str, estimated: int, reported: int) -> None:
        """Learn from a whole answer, all of whose tokens were shown and reported."""
        if estimated >= ANSWER_TOKENS_MIN and reported > 0:
            self._model(provider, model).learn_answer(reported / (estimated * family_of(base).ratio))

    def _model(self, provider: str, model: str) -> _Model:
        key = (provider, model)
        known = self._models.get(key)
        if known is None:
            known = self._models[key] = _Model()
            if len(self._models) > MODELS_MAX:
                self._models.popitem(last=False)
        else:
            self._models.move_to_end(key)
        return known


def _kind_of(measured: Measured) -> int:
    if not measured.turns:
        return 2
    return 1 if measured.tools or measured.calls or measured.form_bytes else 0


class _Model:
    __slots__ = ("answer_ratio", "answers_seen", "prompts", "prompts_seen")

    def __init__(self) -> None:
        self.prompts_seen = 0
        self.answers_seen = 0
        self.answer_ratio = 1.0
        self.prompts = (Sizes(), Sizes(), Sizes())

    def learn_answer(self, ratio: float) -> None:
        """Move towards a ratio, by a step that no outlier makes longer than an honest surprise."""
        if ANSWER_RATIO_MIN <= ratio <= ANSWER_RATIO_MAX:
            step = ratio - self.answer_ratio
            self.answer_ratio += max(-ANSWER_STEP_MAX, min(ANSWER_STEP_MAX, step)) / 4


class Sizes:
    """What is learnt of prompts of one kind, by their size."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: dict[int, tuple[float, float, float]] = {}
        """Per size: how many prompts, the sum of their estimates and the sum of what was reported, all fading."""

    def corrected(self, estimate: int) -> int:
        """Put an estimate right, as far as is known."""
        if not self._steps:
            return estimate
        size = _step_of(estimate)
        known = self._steps.get(size)
        if known is None:
            return max(1, round(estimate * self._neighbours_ratio(size)))
        number, estimates, reports = known
        trust = number / (number + DOUBT)
        if reports > ADDED_ABOVE * estimates:
            return max(1, round(estimate + trust * (reports - estimates) / number))
        return max(1, round(estimate * (1 + trust * (reports / estimates - 1))))

    def learn(self, estimate: int, reported: int) -> None:
        """Take one more prompt into account."""
        estimate = max(1, estimate)
        size = _step_of(estimate)
        number, estimates, reports = self._steps.get(size, (0.0, 0.0, 0.0))
        told: float = reported
        if number >= FIRST_FEW - 1:
            expected = self.corrected(estimate)
            told = max(expected / SURPRISE, min(expected * SURPRISE, told))
        self._steps[size] = (number * KEPT + 1, estimates * KEPT + estimate, reports * KEPT + told)

    def _neighbours_ratio(self, size: int) -> float:
        """Give what the nearest size tells of this one; of two, the larger."""
        number, estimates, reports = self._steps[min(self._steps, key=lambda step: (abs(step - size), -step))]
        ratio = 1 + number / (number + DOUBT) * (reports / estimates - 1)
        return max(NEIGHBOUR_MIN, min(NEIGHBOUR_MAX, ratio))


def _step_of(estimate: int) -> int:
    return min(estimate.bit_length(), STEPS)
