"""Own the step from a configuration to a tree: which actors there are, what each is handed, who may talk to whom.

```
root ── accounting
     ── providers ── provider/NAME ...
     ── router              asks provider/* and accounting
     ── conversations       asks the router
     ── adapters            empty until somebody serves (`manus.ipc.serve`); stops first
```
Nothing runs here: it makes specs. Behind it nobody knows that there was a configuration.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import httpx
import msgspec

from manus.actors.accounting import accounting_child
from manus.actors.codecs.base import CodecOptions
from manus.actors.conversations.actor import conversations_child
from manus.actors.conversations.store import ConversationStore, MemoryStore
from manus.actors.credentials import fingerprint_of
from manus.actors.credentials.tokens import TokenProvider
from manus.actors.ledger.store import LedgerStore
from manus.actors.local.server import LocalServer
from manus.actors.provider import provider_child
from manus.actors.redaction import redactor
from manus.actors.router import router_child
from manus.actors.router_desk import RouterSpec
from manus.actors.transport import make_transport
from manus.actors.upstream import ProviderCounters, ProviderSpec, TransportFactory
from manus.config.limit_policies import admission_policy
from manus.config.load import Loaded
from manus.config.policies import (
    concurrency_of,
    conversation_policy,
    ledger_policy,
    local_policy,
    provider_policy,
    router_policy,
    timeouts_of,
)
from manus.config.problems import InvalidConfig, Problem, child_path
from manus.config.provider_places import base_url_of, is_openai, type_of
from manus.config.schema import LLMConfig, ProviderConfig
from manus.config.secrets import Secret
from manus.messages.conversations import ConversationPolicy
from manus.messages.limits import AdmissionPolicy
from manus.messages.policy import Bounds, LedgerPolicy, ProviderPolicy
from manus.messages.routing_policy import RouterPolicy
from manus.proving import betas_of, credentials_of, key_policies, keys_of, secrets_of_entry
from manus.reports import ProviderState
from manus.supervisor.spec import Intensity, SupervisorSpec

WIRES: Final = {
    "openai": "openai-chat",
    "anthropic": "anthropic",
    "bedrock": "bedrock",
    "ollama": "ollama",
    "azure": "azure-chat",
    "local": "openai-chat",
}
"""Which codec speaks to which type; where a vendor has two wires, the one that `wire_choice` starts from."""

ROOT_INTENSITY: Final = Intensity(max_restarts=5, period_s=60.0)
"""The root gives up early: what its children cannot mend, a restart of the program may."""


ADAPTERS: Final = SupervisorSpec(id="adapters", restart="transient", ordered=False)
"""Where what serves hosts of other processes is added; the last child of the root, so that it stops before all else."""


class Wiring(msgspec.Struct, frozen=True, kw_only=True):
    """What a tree is made of, before its ledger is open.

    Args:
        providers: one spec per enabled entry, in the order of the file.
        disabled: the entries that are switched off.
        shown: the names in the books of the keys that the entries show, as far as they were known when this was made.
        actors: the ids of the entries' actors, where they are not `provider/<name>`: those that a reload has replaced.
    """

    providers: tuple[ProviderSpec, ...]
    disabled: tuple[ProviderState, ...]
    router: RouterPolicy
    ledger: LedgerPolicy
    admission: AdmissionPolicy = AdmissionPolicy()
    shown: dict[str, str | None] = {}
    actors: dict[str, str] = {}
    conversations: ConversationPolicy = ConversationPolicy()

    @property
    def servers(self) -> tuple[LocalServer, ...]:
        """The model servers that this tree may start; whoever runs the tree closes them after it."""
        return tuple(each.server for each in self.providers if isinstance(each.server, LocalServer))

    def actor_of(self, name: str) -> str:
        """Name the actor of an entry."""
        return self.actors.get(name) or f"provider/{name}"

    @property
    def policies(self) -> tuple[ProviderPolicy, ...]:
        """What the router knows of each provider."""
        return tuple(provider.policy for provider in self.providers)


def wire(
    config: LLMConfig,
    *,
    base: Path,
    state: Path | None,
    transports: Mapping[str, TransportFactory] | None = None,
    tokens: Mapping[str, TokenProvider] | None = None,
) -> Wiring:
    """Turn a checked configuration into what its actors are handed.

    Args:
        config: the configuration.
        base: where its relative paths start.
        state: the user's state directory, for a ledger whose place is not configured.
        transports: transports of the caller's own, by provider; each is called once per incarnation with the base URL.
        tokens: the caller's own sources of bearer tokens, by provider, in place of the keys of the configuration.

    Raises:
        InvalidConfig: what the checks could not see: certificates or a host name that cannot be used.
    """
    router = router_policy(config)
    providers = tuple(
        _provider(name, config, base=base, transports=transports or {}, tokens=tokens or {})
        for name, entry in config.providers.items()
        if entry.enabled
    )
    return Wiring(
        providers=providers,
        shown={provider.name: provider.credentials.fingerprint for provider in providers},
        disabled=tuple(_disabled(name, entry) for name, entry in config.providers.items() if not entry.enabled),
        router=router,
        ledger=ledger_policy(config, base=base, state=state),
        admission=admission_policy(config, fingerprint_of),
        conversations=conversation_policy(config, base=base),
    )


def base_of(loaded: Loaded) -> Path:
    """Say where the relative paths of a configuration start."""
    return Path() if loaded.path is None else loaded.path.parent


def router_spec(wiring: Wiring) -> RouterSpec:
    """Say what the router needs to know."""
    fingerprints = {provider.name: provider.credentials.fingerprint for provider in wiring.providers}
    return RouterSpec(
        policy=wiring.router,
        providers=wiring.policies,
        actors=wiring.actors,
        disabled=tuple(state.name for state in wiring.disabled),
        fingerprints={name: fingerprint for name, fingerprint in fingerprints.items() if fingerprint is not None},
        wires={provider.name: provider.wire for provider in wiring.providers},
        confirm_s=wiring.ledger.confirm_s,
    )


def tree_spec(
    wiring: Wiring,
    store: LedgerStore,
    *,
    memory: ConversationStore | None = None,
    counters: Mapping[str, ProviderCounters] | None = None,
    now_unix_s: Callable[[], float] = time.time,
) -> SupervisorSpec:
    """Describe the tree, over an open ledger store. Children start in this order and stop in reverse.

    `memory` keeps conversations; None keeps them for as long as the tree lives. `counters` are what is counted with at
    each entry, where others count on with them.
    """
    router = router_spec(wiring)
    providers = SupervisorSpec(
        id="providers",
        ordered=False,
        children=tuple(
            provider_child(provider, counters=(counters or {}).get(provider.name)) for provider in wiring.providers
        ),
    )
    accounting = accounting_child(store, wiring.ledger, now_unix_s=now_unix_s, admission=wiring.admission)
    conversations = conversations_child(memory or MemoryStore(), wiring.conversations, now_unix_s=now_unix_s)
    return SupervisorSpec(
        id="manus",
        intensity=ROOT_INTENSITY,
        children=(accounting, providers, router_child(router), conversations, ADAPTERS),
    )


def secrets_of(config: LLMConfig) -> tuple[Secret, ...]:
    """List every secret of a configuration, so that texts from outside can be cleaned of them."""
    return tuple(secret for entry in config.providers.values() for secret in secrets_of_entry(entry))


def _provider(
    name: str,
    config: LLMConfig,
    *,
    base: Path,
    transports: Mapping[str, TransportFactory],
    tokens: Mapping[str, TokenProvider],
) -> ProviderSpec:
    entry = config.providers[name]
    provide = tokens.get(name)
    policy = provider_policy(name, entry, config.on_unsupported)
    if provide is None:
        policy = msgspec.structs.replace(policy, keys=key_policies(entry), key_order=entry.key_order)
    is_local = policy.type == "local"
    concurrency = concurrency_of(policy.type, entry)
    spec = ProviderSpec(
        name=name,
        wire=WIRES[policy.type],
        policy=policy,
        credentials=credentials_of(name, policy.type, entry, provide=provide),
        keys={} if provide is not None else keys_of(policy.type, entry),
        transport_factory=transports.get(name) or _stock(name, config, base=base, connections_max=concurrency),
        base_url=None if is_local else base_url_of(policy.type, entry),
        server=LocalServer(local_policy(entry, base=base)) if is_local else None,
        options=_codec_options(policy.type, entry),
        timeouts=timeouts_of(name, config),
        concurrency=concurrency,
        redact=redactor(secret.reveal() for secret in secrets_of_entry(entry)),
    )
    if spec.base_url is not None and name not in transports:
        _try(name, spec.transport_factory, spec.base_url)
    return spec


def _disabled(name: str, entry: ProviderConfig) -> ProviderState:
    return ProviderState(
        name=name,
        type=type_of(name, entry) or "unknown",
        state="disabled",
        priority=entry.priority,
        models=tuple(model.name for model in entry.models),
    )


def _stock(name: str, config: LLMConfig, *, base: Path, connections_max: int) -> TransportFactory:
    entry = config.providers[name]
    timeouts = timeouts_of(name, config)
    verify = entry.verify if entry.ca_file is None else str(base / entry.ca_file)

    # A function and no `partial`: that would show the proxy's password to whoever prints a spec.
    def connect_to(base_url: str) -> httpx.AsyncBaseTransport:
        return make_transport(
            base_url,
            timeouts=timeouts,
            bounds=Bounds(),
            connections_max=connections_max,
            proxy=None if entry.proxy is None else entry.proxy.reveal(),
            verify=verify,
        )

    return connect_to


def _try(name: str, factory: TransportFactory, base_url: str) -> None:
    """Make a transport for nothing: what is wrong with it must stop the start, not crash the actor again and again."""
    place = child_path("providers", name)
    try:
        factory(base_url)
    except OSError as error:
        message = f"its certificates cannot be read: {error.strerror or 'no certificates'}"
        raise InvalidConfig([Problem(path=f"{place}.ca_file", message=message)]) from None
    except (ValueError, httpx.InvalidURL, httpx.UnsupportedProtocol):
        message = "cannot be used as the address of a server; check its host, and the proxy if there is one"
        raise InvalidConfig([Problem(path=f"{place}.base_url", message=message)]) from None


def _codec_options(kind: str, entry: ProviderConfig) -> CodecOptions:
    options = CodecOptions(
        **msgspec.structs.asdict(entry.wire),
        betas=betas_of(kind, entry),
        api_version=None if entry.api_version == "v1" else entry.api_version,
        context_tokens=entry.context if kind == "ollama" else None,
    )
    if options.api == "auto" and kind != "azure" and not is_openai(base_url_of(kind, entry)):
        options = msgspec.structs.replace(options, api="chat")
    if kind != "local":
        return options
    # llama.cpp's server: the older spelling, and sampling options that OpenAI does not take.
    return msgspec.structs.replace(options, max_tokens_field="max_tokens", system_role="system", top_k=True)
