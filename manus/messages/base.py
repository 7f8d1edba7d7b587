"""Own the shape all messages share: frozen, tagged, keyword-only data."""

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="msg", omit_defaults=True):
    """What one actor says to another. Pure data; `msg` tells the kinds apart on a wire."""
