"""Own how a new text joins one that was shown: as its continuation, or as the same text told again from its beginning.

Pure, over any chunking. Neither guesses at overlaps: a text that is neither the rest nor the whole does not join.
"""

from __future__ import annotations

REPEAT_CHARACTERS_MIN = 32
"""So much of the shown text, told again from its beginning, is no chance: the model did not go on, it began anew."""


class Retold:
    """The new text must begin, to the byte, with all of `shown`; what follows is new."""

    __slots__ = ("_at", "_shown", "differs")

    whole = True

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._at = 0
        self.differs: str | None = None

    @property
    def joined(self) -> bool:
        """Whether all that was shown has been told again."""
        return self._at == len(self._shown)

    def take(self, text: str) -> str:
        """Hold `text` against what was shown, and give what goes beyond."""
        left = len(self._shown) - self._at
        if left == 0:
            return text
        if self.differs is not None:
            return ""
        if not self._shown.startswith(text[:left], self._at):
            same = self._at + _same(self._shown, self._at, text)
            self.differs = f"its answer differs from what was shown after {same} of {len(self._shown)} characters"
            return ""
        self._at += min(left, len(text))
        return text[left:]

    def close(self) -> str:
        """No more text comes: it has to be as long as what was shown, at least."""
        if not self.joined and self.differs is None:
            self.differs = f"its answer is over after {self._at} of the {len(self._shown)} characters that were shown"
        return ""


class Continued:
    """The new text goes on from `kept`, which was shown with `blanks` behind it that the model was not told of.

    Where it begins with these blanks, they are left out. Where it begins with all of `kept`, the model took its own
    beginning for history, or its server tells the beginning again: then it is an answer from its beginning, and joins
    where `kept` ends. A text that repeats itself is never taken for that: nobody could tell one from the other.
    """

    __slots__ = ("_blanks", "_held", "_kept", "_retold", "differs")

    def __init__(self, kept: str, blanks: str) -> None:
        self._kept = kept
        self._blanks = blanks
        repeats = kept.find(kept[: (len(kept) + 1) // 2], 1) >= 0
        self._held: str | None = None if repeats or len(kept) < REPEAT_CHARACTERS_MIN else ""
        self._retold = False
        self.differs: str | None = None

    @property
    def joined(self) -> bool:
        """Whether it has been decided how the text goes on."""
        return self._held is None and not self._blanks

    @property
    def whole(self) -> bool:
        """Whether the text began anew, with all of `kept`."""
        return self._retold

    def take(self, text: str) -> str:
        """Give what of `text` the caller has not seen. As long as it may be told again, it is held back."""
        held = self._held
        if held is None:
            return self._without_blanks(text) if self._blanks else text
        if self.differs is not None:
            return ""
        left = len(self._kept) - len(held)
        if self._kept.startswith(text[:left], len(held)):
            if len(text) < left:
                self._held = held + text
                return ""
            self._held, self._retold = None, True
            return self._without_blanks(text[left:])
        same = len(held) + _same(self._kept, len(held), text)
        if same >= REPEAT_CHARACTERS_MIN:
            self.differs = f"it began anew, and differs from what was shown after {same} characters"
            return ""
        self._held = None
        return self._without_blanks(held + text)

    def close(self) -> str:
        """No more text comes: what was held back is the continuation, unless it is too much to be one by chance."""
        if self.differs is not None:
            return ""
        held, self._held = self._held or "", None
        if len(held) >= REPEAT_CHARACTERS_MIN:
            self.differs = f"it began anew, and was over after {len(held)} of {len(self._kept)} characters"
            return ""
        text = self._without_blanks(held)
        self._blanks = ""
        return text

    def _without_blanks(self, text: str) -> str:
        """Leave out the blanks that the caller has, as far as `text` begins with them."""
        same = _same(self._blanks, 0, text)
        self._blanks = self._blanks[same:] if same == len(text) else ""
        return text[same:]


def _same(shown: str, at: int, text: str) -> int:
    """Count the characters of `text` that stand in `shown` from `at` on, up to the first that does not."""
    length = min(len(shown) - at, len(text))
    return next((place for place in range(length) if shown[at + place] != text[place]), length)
