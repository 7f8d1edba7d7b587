"""Own what is known of a model at an entry, before its configuration speaks: catalogue facts and the limits of its API.

The limits on pictures and documents are the API's, so they hold for models that no catalogue has, too; but not for
servers that only speak the same wire, of which nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, get_args
from urllib.parse import urlsplit

import msgspec

from manus.config.catalogue import Catalogue, Found, packaged_catalogue, place_of
from manus.config.catalogue_file import Row
from manus.config.wheels import LOCAL_MODEL
from manus.messages.policy import ModelCard
from manus.messages.requests import Effort
from manus.messages.usage import FREE, UNKNOWN_PRICE

PICTURES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""What all the large vendors take (canonical.md, section 6)."""

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

_FIVE_MIB_OF_BASE64: Final = 5 * 1024 * 1024 // 4 * 3
"""Raw bytes whose base64 is 5 MiB: Anthropic's bound on one picture; Bedrock says 3.75 MB, which is the same."""

LIMITS: Final[dict[str, ModelCard]] = {
    # anthropic.md, section 8; documents are bounded by the request's 32 MB.
    "anthropic": ModelCard(
        name="",
        image_types=PICTURES,
        image_bytes_max=_FIVE_MIB_OF_BASE64,
        images_max=100,
        image_side_max=8000,
        image_side_max_many=2000,
        document_types=("application/pdf", "text/plain"),
        document_bytes_max=32 * 1024 * 1024 // 4 * 3,
    ),
    # bedrock.md, section 2.1.
    "bedrock": ModelCard(
        name="",
        image_types=PICTURES,
        image_bytes_max=_FIVE_MIB_OF_BASE64,
        images_max=20,
        image_side_max=8000,
        document_bytes_max=int(4.5 * 1024 * 1024),
        documents_max=5,
    ),
    # openai.md, section 2.1; the counts and sizes told of it are unverified, so it has none here.
    "openai": ModelCard(name="", image_types=PICTURES, schema_rules="openai"),
    "azure": ModelCard(name="", image_types=PICTURES, schema_rules="openai"),
}
"""What an API takes of pictures, documents and schemas, by vendor. The empty name is nobody's."""

_LIMIT_FIELDS: Final = (
    "image_types",
    "image_bytes_max",
    "images_max",
    "image_side_max",
    "image_side_max_many",
    "document_types",
    "document_bytes_max",
    "documents_max",
    "schema_rules",
)

EMBEDDED: Final = ModelCard(name=LOCAL_MODEL, vision=False, documents=False, audio=False, prefill=True, tier=1)
"""The model that comes along: no vendor's, so the catalogue has nothing of it. That its server goes on from a last turn
of the assistant has been seen: in a stream it sends the rest alone."""

_EFFORTS: Final = frozenset(get_args(Effort))


class CardFinder(msgspec.Struct, frozen=True, kw_only=True):
    """Describes models of one entry by name: of type `kind`, whose API lives at `base_url`."""

    kind: str
    base_url: str | None = None

    def __call__(self, model: str) -> ModelCard:
        """Describe a model that goes by its vendor's own name."""
        card = known_card(self.kind, self.base_url, model)
        return msgspec.structs.replace(card, price=FREE) if is_unbilled(self.kind, self.base_url, model) else card


def is_unbilled(kind: str, base_url: str | None, model: str) -> bool:
    """Tell whether nobody bills a model, because it runs on the user's own machine.

    A local Ollama also forwards names ending in `cloud` to its vendor.
    """
    if kind == "local":
        return True
    host = urlsplit(base_url or "").hostname
    return kind == "ollama" and host in LOOPBACK and not model.endswith("cloud")


def known_card(
    kind: str,
    base_url: str | None,
    name: str,
    *,
    base: str | None = None,
    area: str | None = None,
    catalogue: Catalogue | None = None,
) -> ModelCard:
    """Say what is known of a model; what is not stays None, which is permitted.

    Args:
        kind: the entry's type.
        base_url: where the entry's API lives.
        name: what the model is asked for by.
        base: the vendor's own model behind that name. An Azure deployment may be called anything, so without it only
            what a model of that name could do is believed, and not what it costs.
        area: whose prices hold, where the name does not say it: that of an Azure data zone.
        catalogue: where to look; None for the one in the package.
    """
    place = place_of(kind, base_url)
    if place is None:
        known = EMBEDDED if kind == "local" and (base or name) == LOCAL_MODEL else ModelCard(name=name)
        return msgspec.structs.replace(known, name=name, base=base)
    table = packaged_catalogue() if catalogue is None else catalogue
    if area is not None:
        place = msgspec.structs.replace(place, area=area)
    found = table.find(place, base or name)
    card = ModelCard(name=name, base=base) if found is None else _card(name, base, found, table)
    if kind == "azure" and base is None:
        card = msgspec.structs.replace(card, price=UNKNOWN_PRICE, service_prices={})
    return _with_limits(card, place.vendor)


def catalogue_cards(vendor: str, catalogue: Catalogue) -> Iterator[tuple[Row, ModelCard]]:
    """Give every model of a vendor as its row and as the card it makes."""
    for row in catalogue.rows(vendor):
        yield row, _with_limits(_card(row.id, None, catalogue.listed(row), catalogue), vendor)


def _card(name: str, base: str | None, found: Found, table: Catalogue) -> ModelCard:
    row = found.row
    flags = {**dict.fromkeys(row.can.split(), True), **dict.fromkeys(row.cannot.split(), False)}
    card = ModelCard(
        name=name,
        base=base,
        price=found.price,
        service_prices=found.service_prices,
        context_tokens=row.context,
        prompt_tokens=row.prompt,
        max_output_tokens=row.output,
        efforts=_efforts(row.efforts),
        tier=row.tier,
        as_of=table.as_of,
        retires=row.retires,
    )
    return msgspec.structs.replace(card, **flags)


def _efforts(words: str) -> tuple[Effort, ...] | None:
    if not words:
        return None
    # `none` alone is a model without the field, which is no effort at all.
    return tuple(word for word in words.split() if word in _EFFORTS)  # type: ignore[misc]


def _with_limits(card: ModelCard, vendor: str) -> ModelCard:
    limits = LIMITS.get(vendor)
    if limits is None:
        return card
    return msgspec.structs.replace(card, **{field: getattr(limits, field) for field in _LIMIT_FIELDS})
