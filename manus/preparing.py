"""Own how an agent's configuration is read, checked and wired: the same way when it is opened and when it reloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from logging import INFO, WARNING

import msgspec

from manus.actors.credentials.tokens import TokenProvider
from manus.actors.upstream import TransportFactory
from manus.config.dated_facts import dated_warnings
from manus.config.load import Loaded, Source
from manus.config.problems import InvalidConfig
from manus.errors import configuration_error
from manus.event_log import LOGGER, log_event
from manus.loading import load_source, state_directory_of_user
from manus.supervisor.bus import EventBus
from manus.wiring import Wiring, base_of, wire


class Preparation:
    """What a program gave to `open_agent` beside the configuration; it holds whatever is configured later.

    Args:
        transports, tokens: the program's own, by provider.
        keep_books: False keeps nothing beyond the process, whatever is configured.
        now_unix_s: the wall clock.
    """

    __slots__ = ("_keep_books", "_now_unix_s", "_tokens", "_transports")

    def __init__(
        self,
        *,
        transports: Mapping[str, TransportFactory] | None,
        tokens: Mapping[str, TokenProvider] | None,
        keep_books: bool,
        now_unix_s: Callable[[], float],
    ) -> None:
        self._transports = transports
        self._tokens = tokens
        self._keep_books = keep_books
        self._now_unix_s = now_unix_s

    def prepared(self, source: Source) -> tuple[Loaded, Wiring]:
        """Read, check and wire a configuration. Nothing is started by that, and no checkpoint passed.

        Raises:
            ConfigurationError: it cannot be used; it lists every problem.
        """
        loaded = load_source(source)
        try:
            wiring = wire(
                loaded.config,
                base=base_of(loaded),
                state=state_directory_of_user(),
                transports=self._transports,
                tokens=self._tokens,
            )
        except InvalidConfig as invalid:
            raise configuration_error(invalid) from None
        loaded = msgspec.structs.replace(loaded, notes=(*loaded.notes, *self._dated(loaded, wiring)))
        return loaded, wiring if self._keep_books else _in_memory(wiring)

    def say(self, loaded: Loaded, wiring: Wiring, bus: EventBus) -> None:
        """Have events logged, or not, as is configured, and say aloud what the configuration wants said."""
        bus.remove_listener(log_event)
        if not loaded.config.enable_logging:
            return
        bus.add_listener(log_event)
        dated = self._dated(loaded, wiring)
        for note in loaded.notes:
            LOGGER.log(WARNING if note in dated else INFO, "%s", note)

    def _dated(self, loaded: Loaded, wiring: Wiring) -> tuple[str, ...]:
        today = datetime.fromtimestamp(self._now_unix_s(), UTC).date()
        return tuple(dated_warnings(wiring.policies, today=today, price_age_days=loaded.config.price_age_warning_days))


def _in_memory(wiring: Wiring) -> Wiring:
    """Keep nothing beyond the process."""
    return msgspec.structs.replace(
        wiring,
        ledger=msgspec.structs.replace(wiring.ledger, path=None),
        conversations=msgspec.structs.replace(wiring.conversations, path=None),
    )
