"""Own the units of the configuration: the bounded numbers that its keys hold, and what all its tables have in common.

Descriptions in `Meta` are what an error says was expected.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0, le=86_400, description="seconds, more than 0 and at most a day (86400)")]
SecondsOrNone = Annotated[float, Meta(ge=0, le=86_400, description="seconds, 0 or more and at most a day (86400)")]
UsdPerMillionTokens = Annotated[float, Meta(ge=0, le=1e6, description="USD per million tokens, 0 or more")]
Usd = Annotated[float, Meta(ge=0, le=1e9, description="an amount of USD, 0 or more")]
Count = Annotated[int, Meta(ge=1, le=10**12, description="a whole number, 1 or more")]
CountOrNone = Annotated[int, Meta(ge=0, le=10**12, description="a whole number, 0 or more")]
InFlight = Annotated[int, Meta(ge=1, le=1024, description="a whole number from 1 to 1024")]
Share = Annotated[float, Meta(ge=0, le=1, description="a share from 0 to 1")]
ShareAboveNone = Annotated[float, Meta(gt=0, le=1, description="a share, more than 0 and at most 1")]
Weight = Annotated[float, Meta(ge=0, le=1e6, description="a number, 0 or more")]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """What all tables of the file have in common: immutable, by keyword."""
