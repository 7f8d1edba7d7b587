"""Own what one provider entry must hold beyond its shape: a type, a URL that is one, what its server needs.
How it proves who calls is in `auth_rules`.

A disabled entry is only checked for what would be wrong in any case, so that an entry can be parked without its key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from manus.config import auth_rules, price_rules
from manus.config.did_you_mean import listing, suggestion
from manus.config.problems import Problem
from manus.config.provider_places import TYPES, parsed_url, type_of
from manus.config.schema import ProviderConfig
from manus.config.wheels import LOCAL_WHEELS, SERVER_WHEEL, is_installed

LOCAL_ONLY: Final = (
    "command",
    "args",
    "health_path",
    "api_path",
    "model_path",
    "threads",
    "start_timeout_s",
)
REMOTE_ONLY: Final = (
    "base_url",
    "api_key",
    "api_keys",
    "organization",
    "project",
    "headers",
    "proxy",
    "ca_file",
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-type"})

EntryRule = Callable[[str, ProviderConfig], Iterator[Problem]]
"""Is given the entry's name and the entry; the paths of its problems start below the entry."""


def problems_of_entry(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """Give everything wrong with one entry."""
    rules = (*ALWAYS, *(ENABLED if entry.enabled else ()))
    for rule in rules:
        yield from rule(name, entry)


def name_can_stand_in_ids(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """An entry's name is part of actor and deployment ids."""
    if not _NAME.fullmatch(name):
        yield Problem(message="a provider's name is 1 to 64 letters, digits, '_', '-' and '.'; rename it")


def type_is_told(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """An entry has a type."""
    if type_of(name, entry) is None:
        yield Problem(
            message=f"needs a type ({listing(TYPES)}), as its name is none of them{suggestion(name, TYPES)}"
            '; a server that speaks the OpenAI API is type = "openai" with a base_url'
        )


def model_names_are_good(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """A model stands once in a list, under a name that can be sent."""
    seen: set[str] = set()
    for index, model in enumerate(entry.models):
        path = f"models[{index}].name"
        if not model.name.strip() or model.name != model.name.strip() or len(model.name) > 256:
            yield Problem(path=path, message="a model's name is 1 to 256 characters without space at either end")
        elif model.name in seen:
            yield Problem(path=path, message="this model stands in the list twice; keep one of the two")
        seen.add(model.name)


def base_url_is_a_url(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """A base URL is scheme, host, port and path; a key in it would leak into every log on the way."""
    if entry.base_url is None:
        return
    url = parsed_url(entry.base_url)
    example = 'expected a URL such as "https://api.openai.com/v1"'
    if url is None or not url.hostname:
        yield Problem(path="base_url", message=f"{example}; this is none")
    elif url.scheme not in ("http", "https"):
        yield Problem(path="base_url", message=f"{example}; only http and https are spoken")
    elif url.username is not None or url.password is not None:
        yield Problem(path="base_url", message="holds a user name or password; use api_key or headers for credentials")
    elif url.query or url.fragment or entry.base_url.endswith(("?", "#")):
        yield Problem(path="base_url", message="has a query or fragment; a key belongs into api_key or headers")


def proxy_is_a_url(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """A proxy is an http or https URL."""
    if entry.proxy is not None:
        url = parsed_url(entry.proxy.reveal())
        if url is None or not url.hostname or url.scheme not in ("http", "https"):
            yield Problem(path="proxy", message='expected a URL such as "http://proxy.example:3128"')


def headers_can_be_sent(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """Extra headers have legal names and do not fight with those we write."""
    for header in entry.headers:
        if not _HEADER.fullmatch(header):
            yield Problem(path="headers", message="a header's name is letters, digits and '-'; one of them is not")
        elif header.lower() in _OURS:
            yield Problem(path=f"headers.{header}", message="this header is written by Manus; remove it")


def keys_fit_the_type(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """Keys of a model server on this machine say nothing about a remote API, and the reverse."""
    kind = type_of(name, entry)
    misplaced = REMOTE_ONLY if kind == "local" else LOCAL_ONLY
    meant = "another type than 'local'" if kind == "local" else 'type = "local"'
    default = ProviderConfig()
    for field in misplaced:
        if getattr(entry, field) != getattr(default, field):
            yield Problem(path=field, message=f"is for {meant}; remove it")


def context_can_be_asked_for(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """Only servers that load a model on demand can be told how large a window to give it."""
    if entry.context is not None and type_of(name, entry) not in ("local", "ollama", None):
        message = 'is for type = "local" or "ollama"; a model\'s own window is models[].context_length'
        yield Problem(path="context", message=message)


def tls_is_checked(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """Switching the check off hands the key to whoever answers."""
    if not entry.verify:
        yield Problem(path="verify", severity="warning", message="is false: any server can pretend to be this provider")


def tls_is_told_one_thing(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """Certificates to trust mean nothing where none is looked at."""
    if entry.ca_file is not None and not entry.verify:
        yield Problem(path="ca_file", message="contradicts verify = false; keep one of the two")


def paths_on_the_server_are_paths(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """Both are asked on the server's own port."""
    for field, example in (("health_path", "/health"), ("api_path", "/v1")):
        path = getattr(entry, field)
        if path is not None and not path.startswith("/"):
            yield Problem(path=field, message=f'expected a path such as "{example}"')


def server_is_told_its_port(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """A server of one's own listens where it is told to, or nobody finds it."""
    if type_of(name, entry) == "local" and entry.command and not any("{port}" in argument for argument in entry.args):
        yield Problem(path="args", message="must tell the server its port: put {port} where it belongs")


def embedded_model_is_installed(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """Without a command of its own, a local entry runs the embedded server, and without a model_path its model."""
    if type_of(name, entry) == "local" and entry.command is None:
        needed = LOCAL_WHEELS if entry.model_path is None else (SERVER_WHEEL,)
        missing = [wheel for wheel in needed if not is_installed(wheel)]
        if missing:
            yield Problem(
                message=f"needs {' and '.join(missing)}, which is not installed: run `make setup`, give command = ... "
                "to run a server of your own, or write enabled = false"
            )


ALWAYS: Final[tuple[EntryRule, ...]] = (
    name_can_stand_in_ids,
    model_names_are_good,
    price_rules.prices_are_whole,
    price_rules.cost_tiers_are_in_order,
    price_rules.services_are_others,
    price_rules.tools_have_names,
    price_rules.cost_areas_exist,
    base_url_is_a_url,
    proxy_is_a_url,
    headers_can_be_sent,
    auth_rules.keys_are_given_once,
    auth_rules.one_way_is_given,
    auth_rules.aws_keys_are_whole,
    auth_rules.entra_is_whole,
    auth_rules.api_version_is_one,
    auth_rules.region_is_one,
    paths_on_the_server_are_paths,
    tls_is_told_one_thing,
)
ENABLED: Final[tuple[EntryRule, ...]] = (
    type_is_told,
    keys_fit_the_type,
    context_can_be_asked_for,
    auth_rules.keys_suit_the_type,
    auth_rules.region_is_known,
    auth_rules.resource_is_known,
    auth_rules.key_is_there,
    auth_rules.finding_credentials_is_possible,
    tls_is_checked,
    server_is_told_its_port,
    embedded_model_is_installed,
)
