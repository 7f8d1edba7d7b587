"""Own how vendors count pictures: by tiles, patches, squares or area, from a size in pixels.

The rules are the vendors' documented ones, read 2026-11: OpenAI's guide to images and vision (tiles of 512 pixels, or
patches of 32), Anthropic's on vision (squares of 28), Amazon's on Nova (a table, which area divided by 660 fits).
The recorded traffic agrees to within a few tokens of markup around the picture.
"""

from __future__ import annotations

from math import ceil
from typing import Final, assert_never

from manus.actors.estimates.families import Family
from manus.messages.content import ImageDetail

TYPICAL_SIDES: Final = (1024, 768)
"""The picture we expect where its size cannot be read: a URL, a file of the vendor's, a format we do not know."""

TYPICAL_TOKENS: Final = 800
"""One such picture where nobody knows by what rule it counts."""

PICTURE_TOKENS_MAX: Final = 50_000
"""One picture at the dearest rate found but for Nova's: gpt-4o-mini, eight tiles of 5,667 and a base of 2,833."""

AREA_SIDE_MAX: Final = 8000
"""The longest side that Nova takes, which counts the whole area."""

AREA_SHAPE_MAX: Final = 9
"""How many times longer than wide a picture can be there: others are brought to this shape."""

PICTURE_SLACK: Final = 64
"""Allowance for markup around a picture; the records show up to 13."""

TILE_PX: Final = 512
TILED_PX: Final = 2048
TILED_SHORT_PX: Final = 768
PATCH_PX: Final = 32
PATCHES_MAX: Final = 1536
SQUARE_PX: Final = 28


def picture_tokens(family: Family, sides: tuple[int, int] | None, detail: ImageDetail) -> int:
    """Expect what a picture of these sides, None where they are not known, counts at a family."""
    width, height = sides or TYPICAL_SIDES
    match family.pictures:
        case "tiles":
            base, each = family.picture
            return int(base if detail == "low" else base + each * _tiles(width, height))
        case "patches":
            (each,) = family.picture
            return ceil(each * min(PATCHES_MAX, ceil(width / PATCH_PX) * ceil(height / PATCH_PX)))
        case "squares":
            side_max, most = family.picture
            return min(int(most), _squares(width, height, side_max))
        case "area":
            return _area(family, width, height)
        case "unknown":
            return TYPICAL_TOKENS
        case never:
            assert_never(never)


def picture_bound(family: Family, sides: tuple[int, int] | None) -> int:
    """Give what a picture cannot exceed at a family, by its vendor's own cap; the dearest found where there is none."""
    if family.picture_max is not None:
        if family.pictures == "squares" and sides is not None:
            # Without the cap's scaling nothing makes a picture larger than its own squares.
            return min(family.picture_max, ceil(sides[0] / SQUARE_PX) * ceil(sides[1] / SQUARE_PX)) + PICTURE_SLACK
        return family.picture_max + PICTURE_SLACK
    if family.pictures == "area":
        side = AREA_SIDE_MAX
        return max(PICTURE_TOKENS_MAX, 2 * _area(family, *(sides or (side, side))))
    return PICTURE_TOKENS_MAX


def _tiles(width: int, height: int) -> int:
    longest, shortest = max(width, height), min(width, height)
    scale = min(1.0, TILED_PX / longest, TILED_SHORT_PX / shortest)
    return ceil(width * scale / TILE_PX) * ceil(height * scale / TILE_PX)


def _squares(width: int, height: int, side_max: float) -> int:
    scale = min(1.0, side_max / max(width, height))
    return ceil(width * scale / SQUARE_PX) * ceil(height * scale / SQUARE_PX)


def _area(family: Family, width: int, height: int) -> int:
    side_min, pixels_per_token = family.picture
    shortest = min(width, height)
    longest = min(max(width, height), AREA_SHAPE_MAX * shortest)
    scale = max(1.0, side_min / shortest)
    return ceil(shortest * longest * scale * scale / pixels_per_token)
