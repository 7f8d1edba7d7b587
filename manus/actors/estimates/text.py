"""Own what a text is worth in tokens: a number that it cannot exceed, and one that costs microseconds.

The *bound* is the text's bytes of UTF-8: no tokenizer in use makes more tokens than that, and of a tokenizer nobody
knows nothing better can be said. The *estimate* weighs classes of characters, in tokens of OpenAI's `o200k_base`; what
other vocabularies make of the same text is a family's ratio to it (`families`).

The weights are fitted to half of the recorded traffic, this project's own sources and `benchmarks.estimate_samples`;
`python -m benchmarks estimates` prints their errors on the other half.
"""

from __future__ import annotations

from typing import Final

SAMPLE_CHARS: Final = 4096
"""Texts longer than `SAMPLES` of these are estimated from evenly spaced pieces."""

SAMPLES: Final = 8

EXACT_CHARS: Final = 262_144
"""Longer texts that are not ASCII are bounded by four bytes a character instead of being encoded."""

_LOWER: Final = 0.18
"""Tokens per small letter: the words that are written with them are five letters long, and most are one token."""

_UPPER: Final = 0.28
"""Per capital letter: words begin with them, and names of constants break."""

_DIGIT: Final = 0.9
"""Per digit: three of a number are one token, but times, ids and versions break after each group."""

_SPACE: Final = 0.25
"""Per space or tab: a word takes the one before it along, and indentation is one token a line."""

_LINE: Final = 0.46

_SIGN: Final = 0.4
"""Per sign of ASCII: pairs such as `":` and `),` are one token."""

_WIDE: Final = (
    (b"L", 1.4, 2),  # accented Latin letters and signs, by what they add to the word they break
    (b"C", 0.34, 2),  # Greek, Cyrillic, Hebrew, Arabic
    (b"I", 0.4, 3),  # scripts of India and Thailand
    (b"J", 0.885, 3),  # Chinese characters and kana
    (b"K", 0.69, 3),  # Hangul
    (b"S", 2.2, 3),  # dashes, quotes, arrows and whatever else is rare
    (b"E", 1.37, 4),  # emoji
)
"""Class, tokens per character of it, and its bytes."""


def _class_of(byte: int) -> bytes:
    """Sort a leading byte of UTF-8."""
    if byte < 0x80:
        character = chr(byte)
        if character.isupper():
            return b"U"
        if character.isdigit():
            return b"0"
        return b"s" if character in " \t" else b"n" if character == "\n" else b"."
    if byte < 0xE0:
        return b"L" if byte < 0xCA else b"C"
    if byte == 0xE0:
        return b"I"
    if 0xE3 <= byte < 0xEA:
        return b"J"
    if 0xEA <= byte < 0xEE:
        return b"K"
    return b"S" if byte < 0xF0 else b"E"


_CLASSES: Final = b"".join(_class_of(byte) for byte in range(256))
_UNWEIGHED: Final = bytes(range(ord("a"), ord("z") + 1)) + bytes(range(0x80, 0xC0))
"""What is not counted by class: small letters, which are what is left over, and continuation bytes."""


def bound_tokens(text: str) -> int:
    """Give a number of tokens that `text` cannot exceed."""
    if text.isascii():
        return len(text)
    if len(text) > EXACT_CHARS:
        return 4 * len(text)
    return len(text.encode("utf-8", "surrogatepass"))


def estimate_tokens(text: str) -> int:
    """Expect a number of tokens for `text`, as `o200k_base` would count them."""
    return -int(-weigh(text)[0] // 1)


def weigh(text: str) -> tuple[float, int]:
    """Give both at once: the tokens expected, unrounded, and the bound."""
    if len(text) <= SAMPLES * SAMPLE_CHARS:
        data = text.encode("utf-8", "surrogatepass")
        return _weigh(data, len(data) == len(text)), len(data)
    step = len(text) // SAMPLES
    sample = "".join(text[start : start + SAMPLE_CHARS] for start in range(0, step * SAMPLES, step))
    data = sample.encode("utf-8", "surrogatepass")
    return _weigh(data, len(data) == len(sample)) * len(text) / len(sample), bound_tokens(text)


def weigh_bytes(data: bytes) -> tuple[float, int]:
    """Do the same for JSON and the like, which comes as UTF-8; what is long is taken to be ASCII in between."""
    if len(data) > SAMPLES * SAMPLE_CHARS:
        step = len(data) // SAMPLES
        sample = b"".join(data[start : start + SAMPLE_CHARS] for start in range(0, step * SAMPLES, step))
        return _weigh(sample, sample.isascii()) * len(data) / len(sample), len(data)
    return _weigh(data, data.isascii()), len(data)


def _weigh(data: bytes, ascii_only: bool) -> float:
    rest = data.translate(_CLASSES, _UNWEIGHED)
    small = len(data) - len(rest)
    count = rest.count
    tokens = (
        _UPPER * count(b"U") + _DIGIT * count(b"0") + _SPACE * count(b"s") + _LINE * count(b"n") + _SIGN * count(b".")
    )
    if not ascii_only:
        for kind, weight, width in _WIDE:
            if number := count(kind):
                tokens += number * weight
                small -= number * (width - 1)
        small = max(0, small)
    return tokens + small * _LOWER
