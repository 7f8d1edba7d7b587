"""Own what is learnt of each model from the tokens its vendor reports: how far our estimates are off, and by what.

Two numbers a model: a ratio (its vocabulary, against the one in which we weigh) and an offset (what stands in every
prompt that nobody sees: a vendor's preamble, a gateway's own system prompt). They are the least squares of recent
calls, held towards "as estimated" by a few imaginary ones, so that one call tells little and a hundred tell all.

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

KEPT: Final = 0.97
"""What an observation leaves of those before it: some 33 calls are remembered."""

PRIOR: Final = 1.0
"""How many calls the imaginary ones count that say "as estimated"."""

OFFSET_SCALE_TOKENS: Final = 3000
"""How large an offset is about as surprising as a ratio of 2."""

RATIO_MIN: Final = 0.4
RATIO_MAX: Final = 2.5
"""No vocabulary in use lies outside; what does was counted by rules that we do not know."""

SURPRISE: Final = 0.35
"""A call that is off by more than this share counts by so much less: it may be one of another kind."""

SMALL_TOKENS: Final = 64
"""Errors on prompts below this are weighed as if they were so long, for a template's few tokens are half of them."""

EVERY_UNTIL: Final = 32
EVERY: Final = 8
"""Every prompt teaches until `EVERY_UNTIL`; from then on, and of answers always, one in so many."""

OUTPUT_TEXT_MIN: Final = 40
"""Answers shorter than so many tokens tell more of end tokens than of the vocabulary."""


class Calibration:
    """What is known of all models of one router."""

    __slots__ = ("_models",)

    def __init__(self) -> None:
        self._models: OrderedDict[tuple[str, str], _Model] = OrderedDict()

    def __len__(self) -> int:
        """Tell how many models are known."""
        return len(self._models)

    def prompt_tokens(self, provider: str, model: str, base: str, measured: Measured) -> int:
        """Expect the tokens of a prompt at a model, `base` being its vendor's name for it."""
        estimate = prompt_tokens(measured, family_of(base))
        known = self._models.get((provider, model))
        return estimate if known is None else known.prompt.corrected(estimate)

    def output_ratio(self, provider: str, model: str, base: str) -> float:
        """Tell how many tokens a model counts for each that is estimated of an answer's text."""
        known = self._models.get((provider, model))
        ratio = family_of(base).ratio
        return ratio if known is None else ratio * known.output_ratio

    def observe_prompt(self, provider: str, model: str, base: str, measured: Measured, reported: int) -> None:
        """Learn from a prompt of which the vendor reported all tokens, cached ones included."""
        if reported <= 0 or not measured.is_plain:
            return
        known = self._model(provider, model)
        known.prompts += 1
        if known.prompts <= EVERY_UNTIL or known.prompts % EVERY == 0:
            known.prompt.learn(prompt_tokens(measured, family_of(base)), reported)

    def wants_output(self, provider: str, model: str) -> bool:
        """Whether the answer at hand should be weighed, which costs more than all the rest of this."""
        known = self._model(provider, model)
        known.answers += 1
        return known.answers % EVERY == 1

    def observe_output(self, provider: str, model: str, base: str, estimated: int, reported: int) -> None:
        """Learn from a whole answer, all of whose tokens were shown and reported."""
        if estimated >= OUTPUT_TEXT_MIN and reported > 0:
            self._model(provider, model).learn_output(reported / (estimated * family_of(base).ratio))

    def factors(self, provider: str, model: str) -> tuple[float, float, float] | None:
        """Tell the ratio and offset of prompts and the ratio of answers; None for a model nobody asked yet."""
        known = self._models.get((provider, model))
        return None if known is None else (known.prompt.ratio, known.prompt.offset, known.output_ratio)

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


class _Model:
    __slots__ = ("answers", "output_ratio", "prompt", "prompts")

    def __init__(self) -> None:
        self.prompts = 0
        self.answers = 0
        self.output_ratio = 1.0
        self.prompt = Line()

    def learn_output(self, ratio: float) -> None:
        """Move towards a ratio, by a step that no outlier makes longer than an honest surprise."""
        if RATIO_MIN <= ratio <= RATIO_MAX:
            step = max(-SURPRISE, min(SURPRISE, ratio - self.output_ratio))
            self.output_ratio += step / 4


class Line:
    """A ratio and an offset, learnt from pairs of an estimate and what was reported."""

    __slots__ = ("_uu", "_uy", "_xu", "_xx", "_xy", "offset", "ratio")

    def __init__(self) -> None:
        self.ratio = 1.0
        self.offset = 0.0
        # Sums over the calls remembered, of estimate x and report y as shares of the prompt's size, and u = 1 / size.
        self._xx = 0.0
        self._xu = 0.0
        self._uu = 0.0
        self._xy = 0.0
        self._uy = 0.0

    def corrected(self, estimate: int) -> int:
        """Put an estimate right, as far as is known."""
        return max(1, round(self.offset + self.ratio * estimate))

    def learn(self, estimate: int, reported: int) -> None:
        """Take one more pair into account. Errors count by their share of the prompt, not by tokens."""
        size = max(SMALL_TOKENS, estimate, reported)
        miss = abs(self.offset + self.ratio * estimate - reported) / size
        weight = 1.0 if miss <= SURPRISE else SURPRISE / miss
        x, y, u = estimate / size, reported / size, 1 / size
        self._xx = self._xx * KEPT + weight * x * x
        self._xu = self._xu * KEPT + weight * x * u
        self._uu = self._uu * KEPT + weight * u * u
        self._xy = self._xy * KEPT + weight * x * y
        self._uy = self._uy * KEPT + weight * u * y
        # The least squares of ratio and offset, with the imaginary calls on the diagonal.
        xx, uu, xy = self._xx + PRIOR, self._uu + PRIOR / OFFSET_SCALE_TOKENS**2, self._xy + PRIOR
        ratio = (xy * uu - self._uy * self._xu) / (xx * uu - self._xu * self._xu)
        self.ratio = max(RATIO_MIN, min(RATIO_MAX, ratio))
        self.offset = (self._uy - self.ratio * self._xu) / uu
