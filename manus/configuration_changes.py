"""Own the comparison of two configurations by value: which entries differ, and in what it matters to whom.

Pure. Secrets are compared, and never shown.
"""

from __future__ import annotations

from typing import Final

import msgspec

from manus.actors.upstream import ProviderSpec
from manus.config.load import Loaded
from manus.config.policies import timeouts_of
from manus.config.problems import child_path
from manus.config.schema import General, LLMConfig, ProviderConfig
from manus.wiring import Wiring, base_of

NOT_THE_WAY: Final = {
    field: getattr(ProviderConfig(), field)
    for field in (
        "priority",
        "api_keys",
        "key_order",
        "models",
        "any_model",
        "on_unsupported",
        "limits",
        "budgets",
        "concurrency",
        "weight",
        "tags",
    )
}
"""Keys of an entry that say nothing of how its vendor is reached: what is known of its health stays true.
Several keys make deployments of their own, and are looked at one by one."""

WHOSE: Final = ("type", "base_url", "region", "api_version", "command", "args", "model_path", "api_path")
"""Keys of an entry behind which another server may stand once they change, whose models count tokens otherwise."""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two configurations.

    Args:
        changed, added, removed, unchanged: entries of providers; one that is switched off is not there.
        settings: what else: tables (`limits`), or keys of `[general]`.
        proven: entries and keys (None: the only one) that are reached as before.
        replaced: entries behind which another server may stand now.
    """

    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    proven: frozenset[tuple[str, str | None]] = frozenset()
    replaced: tuple[str, ...] = ()


def changes_between(old: Loaded, old_wiring: Wiring, new: Loaded, new_wiring: Wiring) -> Changes:
    """Compare what is in force with what is to be."""
    before = {spec.name: _Entry(spec, old, old_wiring) for spec in old_wiring.providers}
    after = {spec.name: _Entry(spec, new, new_wiring) for spec in new_wiring.providers}
    both = [name for name in after if name in before]
    same = [name for name in both if before[name].whole == after[name].whole]
    return Changes(
        changed=tuple(name for name in both if name not in same),
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        unchanged=tuple(same),
        settings=_settings(old.config, new.config),
        proven=frozenset((name, key) for name in both for key in _proven_keys(before[name], after[name])),
        replaced=tuple(name for name in both if before[name].whose != after[name].whose),
    )


def needs_restart(old: Wiring, new: Wiring) -> tuple[str, ...]:
    """Name the keys that differ and that an agent cannot change while it runs: where things are kept, and how long."""
    pairs = (
        ("ledger.path", old.ledger.path, new.ledger.path),
        ("ledger.durability", old.ledger.durability, new.ledger.durability),
        ("ledger.keep_days", old.ledger.keep_days, new.ledger.keep_days),
        ("conversations.path", old.conversations.path, new.conversations.path),
    )
    return tuple(name for name, before, after in pairs if before != after)


class _Entry:
    """One entry in the light of what matters to whom."""

    def __init__(self, spec: ProviderSpec, loaded: Loaded, wiring: Wiring) -> None:
        entry, base, policy = loaded.config.providers[spec.name], base_of(loaded), spec.policy
        files = tuple(None if each is None else (base / each).absolute() for each in (entry.ca_file, entry.model_path))
        surroundings = (timeouts_of(spec.name, loaded.config), files)
        self.key = wiring.shown.get(spec.name)
        self.keys = {key.name for key in policy.keys}
        self.way = (msgspec.structs.replace(entry, **NOT_THE_WAY), surroundings)
        self.whole = (entry, surroundings, self.key, policy.models, policy.on_unsupported)
        self.whose = tuple(getattr(entry, field) for field in WHOSE)


def _proven_keys(before: _Entry, after: _Entry) -> tuple[str | None, ...]:
    """Name the keys under which an entry is reached as before."""
    if before.way != after.way:
        return ()
    if before.keys or after.keys:
        return tuple(sorted(before.keys & after.keys))
    return (None,) if before.key == after.key else ()


def _settings(old: LLMConfig, new: LLMConfig) -> tuple[str, ...]:
    general = General.__struct_fields__
    return tuple(
        child_path("general", field) if field in general else field
        for field in LLMConfig.__struct_fields__
        if field != "providers" and getattr(old, field) != getattr(new, field)
    )
