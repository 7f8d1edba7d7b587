"""Own the strategy that draws chat requests: every part, every option, texts that tear encoders apart."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import strategies as st

from manus.actors.codecs.base import CodecOptions
from manus.messages.content import (
    AnyPart,
    Audio,
    Citation,
    Document,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    VendorTurn,
)
from manus.messages.ids import RequestId
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, OutputFormat, ReasoningOptions, Sampling, Tool, ToolChoice

# Any, throughout this file: JSON of schemas and vendors.

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16
WIRES = ("openai-chat", "openai-responses", "anthropic", "bedrock", "ollama", "azure-chat")
MODELS = (
    "gpt-4o",
    "gpt-5.4",
    "o3",
    "gpt-6",
    "claude-sonnet-4-5",
    "claude-opus-4-7",
    "claude-sonnet-5-5",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "amazon.nova-pro-v1:0",
    "meta.llama3-1-70b-instruct-v1:0",
    "qwen3:8b",
    "mistral-large-latest",
    "a model of one's own",
)

_texts = st.one_of(
    st.sampled_from(
        ["", " ", "\n", "Hi", "水\U0001f600", "\u2028", "\0", "\ud83d", "a\ude00b", "\ud83d\ude00", '"\\', "x" * 300]
    ),
    st.text(max_size=20),
)
_names = st.sampled_from(["f", "get_weather", "a b", "é", "x" * 70, "ns.f", ""])
_ids = st.sampled_from(["call_1", "call_2", "toolu_3", "a.b:c", "x" * 80, "", "é", "call_1"])
_schemas: st.SearchStrategy[Any] = st.sampled_from(
    [
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": {"type": "string", "minLength": 2}}, "required": ["a"]},
        {
            "type": "object",
            "properties": {"a": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/b"}]}},
            "$defs": {"b": {}},
        },
        {"type": "array", "items": {"type": "integer"}},
        {"$ref": "#"},
        {},
    ]
)
_raws = st.one_of(
    st.sampled_from(
        [
            b"null",
            b"{}",
            b"[]",
            b'{"type":"x","text":"y"}',
            b'"\\ud83d"',
            b"[1,2]",
            b"7",
            b'{"a":',
            b"",
            b'{"role":"assistant"}',
        ]
    ),
    _schemas.map(lambda value: json.dumps(value).encode()),
).map(msgspec.Raw)
_arguments = st.sampled_from(
    ['{"a":1}', "{}", "", '{"a":', "[1]", "null", '{"a":"\\ud83d"}', '{"a":NaN}', "x", "[" * 2000]
)
_cache = st.sampled_from([None, None, "short", "long"])
_floats = st.one_of(st.none(), st.floats(-2, 3, allow_nan=False), st.sampled_from([0.0, 1]))
_integers = st.one_of(st.none(), st.integers(0, 5), st.sampled_from([1, 16, 4096, 10**9, 10**30]))
_optional = st.one_of(st.none(), _texts)

_parts: st.SearchStrategy[AnyPart] = st.one_of(
    st.builds(Text, text=_texts, cache=_cache),
    st.builds(
        Image,
        data=st.sampled_from([PNG, b"", b"GIF89a..", b"BM"]),
        media_type=st.sampled_from([None, "image/png", "x"]),
    ),
    st.builds(Image, url=st.sampled_from(["https://a.example/b.png", "data:image/png;base64,AAAA", "x"]), cache=_cache),
    st.builds(Image, file_id=st.just("file_1")),
    st.builds(
        Document,
        data=st.sampled_from([b"%PDF-1.7", b"plain", b"\xff"]),
        name=_texts,
        media_type=st.sampled_from(["application/pdf", "text/plain", "application/msword", "x"]),
    ),
    st.builds(Document, text=_texts, media_type=st.just("text/plain"), name=_names),
    st.builds(Document, url=st.just("https://a.example/b.pdf")),
    st.builds(Document, file_id=st.just("file_1")),
    st.builds(Audio, data=st.just(b"RIFF"), format=st.sampled_from(["wav", "mp3", "x"])),
    st.builds(ToolCall, id=_ids, name=_names, arguments=_arguments, valid=st.booleans(), cache=_cache),
    st.builds(
        ToolResult,
        id=_ids,
        name=st.one_of(st.none(), _names),
        content=st.lists(st.one_of(st.builds(Text, text=_texts), st.just(Image(data=PNG))), max_size=2).map(tuple),
        is_error=st.booleans(),
    ),
    st.builds(
        Reasoning,
        text=_texts,
        signature=st.sampled_from([None, "E"]),
        encrypted=st.sampled_from([None, "gAAA"]),
        redacted=st.sampled_from([None, "AAAA"]),
        id=st.sampled_from([None, "rs_1"]),
        provider=st.sampled_from([None, *WIRES]),
        model=st.sampled_from([None, *MODELS]),
    ),
    st.builds(Refusal, text=_texts),
    st.builds(Citation, title=_optional, url=_optional, raw=_raws),
    st.builds(Opaque, provider=st.sampled_from(WIRES), kind=_names, raw=_raws),
)
_turns = st.builds(
    Turn,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    parts=st.lists(_parts, max_size=3).map(tuple),
    name=st.one_of(st.none(), _names),
    vendor=st.one_of(
        st.none(),
        st.none(),
        st.builds(VendorTurn, provider=st.sampled_from(WIRES), model=st.sampled_from(MODELS), raw=_raws),
    ),
)
_tools = st.builds(
    Tool,
    name=_names,
    description=_texts,
    schema=_schemas.map(lambda value: msgspec.Raw(json.dumps(value).encode())),
    strict=st.booleans(),
)

requests: st.SearchStrategy[ChatRequest] = st.builds(
    ChatRequest,
    request_id=st.just(RequestId("r")),
    turns=st.lists(_turns, min_size=1, max_size=5).map(tuple),
    stream=st.booleans(),
    max_output_tokens=_integers,
    sampling=st.builds(
        Sampling,
        temperature=_floats,
        top_p=_floats,
        top_k=_integers,
        seed=st.one_of(_integers, st.just(-1)),
        stop=st.lists(_texts, max_size=5).map(tuple),
        presence_penalty=_floats,
        frequency_penalty=_floats,
        logprobs=_integers,
    ),
    tools=st.lists(_tools, max_size=2).map(tuple),
    tool_choice=st.one_of(
        st.none(),
        st.builds(ToolChoice, mode=st.sampled_from(["auto", "none", "required"]), parallel=st.booleans()),
        st.builds(ToolChoice, mode=st.just("tool"), name=_names, parallel=st.booleans()),
    ),
    output=st.one_of(
        st.none(),
        st.just(OutputFormat()),
        st.builds(
            OutputFormat,
            schema=_schemas.map(lambda value: msgspec.Raw(json.dumps(value).encode())),
            name=_names,
            strict=st.booleans(),
        ),
    ),
    reasoning=st.one_of(
        st.none(),
        st.builds(
            ReasoningOptions,
            effort=st.sampled_from([None, "off", "minimal", "low", "medium", "high", "xhigh", "max"]),
            budget_tokens=_integers,
            show=st.booleans(),
        ),
    ),
    conversation_id=_optional,
    end_user_id=_optional,
    service_tier=st.sampled_from([None, "auto", "default", "flex"]),
    extra=st.dictionaries(
        st.sampled_from([*WIRES, "entry"]),
        st.sampled_from(
            [msgspec.Raw(b'{"user":"u"}'), msgspec.Raw(b"[]"), msgspec.Raw(b'{"temperature":null,"x":{"y":1}}')]
        ),
        max_size=1,
    ),
)

_known = st.sampled_from([None, True, False])
options: st.SearchStrategy[CodecOptions] = st.builds(
    CodecOptions,
    provider=st.just("entry"),
    card=st.one_of(
        st.none(),
        st.builds(
            ModelCard,
            name=st.sampled_from(MODELS),
            vision=_known,
            documents=_known,
            tools=_known,
            forced_tools=_known,
            parallel_tools=_known,
            json_schema=_known,
            reasoning=_known,
            sampling=_known,
            stop=_known,
            penalties=_known,
            prefill=_known,
            cache_control=_known,
            max_output_tokens=st.sampled_from([None, 1, 4096]),
            base=st.sampled_from([None, *MODELS]),
        ),
    ),
    top_k=st.booleans(),
    reasoning_field=st.sampled_from([None, "reasoning_content", "reasoning"]),
    context_tokens=st.sampled_from([None, 8192]),
    api_version=st.sampled_from([None, "2024-10-21"]),
)
