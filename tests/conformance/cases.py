"""Own the cases: what is asked of every host alike. Each gives a record that has to be the same whoever was asked.

They may run beside each other at one agent, from any number of threads; for those that may not, see `lone_cases`.
What a case asserts holds by itself; what it returns is held against the reference host's.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from tests.conformance.asking import ONLY_FIRST, Case, asking, generating, refused, unique
from tests.conformance.driver import Driver, Plain
from tests.conformance.records import joined, read_all, response_record, route_record, text_in, without_sums
from tests.conformance.vendors import LONG, STALLED, TEXT, Vendors

SCHEMA: Final = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
WEATHER: Final = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tell the weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


# --- one answer ---------------------------------------------------------------------------------------


def generates(host: Driver, vendors: Vendors) -> object:
    """A whole answer, with what it used and what it cost."""
    response = host.ask("generate", prompt="plain please", system_prompt="Be brief.", temperature=0.5, max_tokens=50)
    assert response["content"] == TEXT
    assert response["usage"]["source"] == "reported"
    assert response["usage"]["cost_nano_usd"] > 0
    return response_record(response)


def generates_elsewhere(host: Driver, vendors: Vendors) -> object:
    """The provider that is named answers, over another wire; a list of messages is a prompt too."""
    messages = [{"role": "user", "content": "first"}, {"role": "assistant", "content": "aye"}]
    messages.append({"role": "user", "content": "think hard"})
    response = host.ask("generate", messages=messages, provider="second", reasoning="low", max_tokens=4000)
    assert response["reasoning"] == "The tide is going out."
    return response_record(response)


def gives_data(host: Driver, vendors: Vendors) -> object:
    """An answer of the shape that was asked for comes as data."""
    response = host.ask("generate", prompt="person please", response_format=SCHEMA)
    assert response["parsed"] == {"name": "Ada", "age": 36}
    return response_record(response)


def calls_tools(host: Driver, vendors: Vendors) -> object:
    """A tool is called; its result goes back, and the answer comes."""
    question = {"role": "user", "content": "tool please"}
    asked = host.ask("generate", messages=[question], tools=[WEATHER], **ONLY_FIRST)
    (call,) = asked["tool_calls"]
    assert asked["finish_reason"] == "tool_calls"
    function = {"name": call["name"], "arguments": '{"city": "Zürich"}'}
    said = {"role": "assistant", "tool_calls": [{"id": call["id"], "type": "function", "function": function}]}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "Fog."}
    last = {"role": "user", "content": "plain please"}
    answered = host.ask("generate", messages=[question, said, result, last], tools=[WEATHER], **ONLY_FIRST)
    records = [response_record(asked), response_record(answered)]
    for each in records[0]["tool_calls"]:
        assert each.pop("id")
    return records


def embeds(host: Driver, vendors: Vendors) -> object:
    """Vectors come in the order of their texts."""
    response = host.ask("embed", inputs=["alpha", "beta"], model="sim-embed", provider="first")
    assert len(response["vectors"]) == 2
    return response_record(response)


def tells_beforehand(host: Driver, vendors: Vendors) -> object:
    """The plan and the size of a prompt are told without asking anybody."""
    before = len(vendors.rows_now()["first"])
    plan = host.ask("explain", prompt="explained, not asked")
    size = host.ask("count_tokens", prompt="explained, not asked", exact=False)
    assert 0 < size.pop("tokens") < 30  # the estimator learns from every call
    assert not any(row.prompt.startswith("explained") for row in vendors.rows_now()["first"][before:])
    return [route_record(plan), size, host.ask("providers.list")]


# --- streams ------------------------------------------------------------------------------------------


def streams(host: Driver, vendors: Vendors) -> object:
    """The chunks make up the answer, and the response says the same again."""
    stream = host.stream("stream", prompt="think please", provider="second", reasoning="low", max_tokens=4000)
    chunks = read_all(stream)
    response = stream.response()
    assert text_in(chunks) == response["content"] == TEXT
    return [joined(chunks), response_record(response)]


def streams_much(host: Driver, vendors: Vendors) -> object:
    """A stream of hundreds of chunks loses none, doubles none and keeps their order."""
    stream = host.stream("stream", prompt="long please", **ONLY_FIRST)
    assert text_in(read_all(stream)) == LONG
    return response_record(stream.response())


def streams_tools(host: Driver, vendors: Vendors) -> object:
    """A tool call comes in pieces that make up its arguments."""
    stream = host.stream("stream", prompt="tool please", tools=[WEATHER], **ONLY_FIRST)
    pieces = [chunk["tool_call"] for chunk in read_all(stream) if chunk["kind"] in ("tool_call", "tool_arguments")]
    assert "".join(piece["arguments"] for piece in pieces) == '{"city": "Zürich"}'
    response = response_record(stream.response())
    assert response["tool_calls"][0].pop("id") == pieces[0]["id"]
    return response


def response_alone(host: Driver, vendors: Vendors) -> object:
    """Whoever reads no chunk gets the response all the same."""
    return response_record(host.stream("stream", prompt="plain please").response())


def cancels_midway(host: Driver, vendors: Vendors) -> object:
    """A cancelled stream gives what had come and what it used; the provider is left, and the books have it."""
    key = unique("cancelled")
    stream = host.stream("stream", prompt="stall please", request_key=key, tags=["left"], **ONLY_FIRST)
    text = ""
    while len(text) < len(STALLED):
        chunk = stream.next()
        assert chunk is not None, f"the stream ended after {text!r}"
        text += chunk["delta"]
    response = stream.cancel()
    assert response["content"] == text == STALLED
    assert response["finish_reason"] == "cancelled"
    assert response["usage"]["source"] == "estimated"
    status = host.ask("request.status", request_key=key)
    assert status["state"] == "settled"
    assert status["cost_nano_usd"] == response["usage"]["cost_nano_usd"] > 0
    return without_sums(response_record(response))


def cancels_before_the_first_token(host: Driver, vendors: Vendors) -> object:
    """Cancelled before a word came, a request has an end all the same, and its prompt is owned up to."""
    key = unique("silent")
    stream = host.stream("stream", prompt=f"silent {key}", request_key=key, tags=["left"], **ONLY_FIRST)
    vendors.wait_for(f"silent {key}")
    response = stream.cancel()
    assert (response["content"], response["finish_reason"]) == ("", "cancelled")
    status = host.ask("request.status", request_key=key)
    return [without_sums(response_record(response)), status["state"]]


def leaves(host: Driver, vendors: Vendors) -> object:
    """A stream that is left is broken off at its provider."""
    key = unique("left")
    stream = host.stream("stream", prompt=f"stall {key}", tags=["left"], **ONLY_FIRST)
    assert stream.next() is not None
    stream.abandon()
    states = {row.state for rows in vendors.rows().values() for row in rows if row.prompt == f"stall {key}"}
    assert states == {"disconnected"}
    return sorted(states)


# --- failures -----------------------------------------------------------------------------------------


def refuses(host: Driver, vendors: Vendors) -> object:
    """What cannot be is refused before anybody is asked; what a provider refuses is told in the same words."""
    wrong: list[dict[str, Any]] = [
        {"prompt": "plain please", "temperature": 9.0},
        {"prompt": "plain please", "provider": "fourth"},
        {"prompt": "plain please", "max_tokens": 0},
        {"prompt": ""},
        {"prompt": "bad please", **ONLY_FIRST},
        {"prompt": "toolong please", **ONLY_FIRST},
        {"prompt": "unknown please", **ONLY_FIRST},
    ]
    return [refused(generating(host, params)) for params in wrong]


def runs_out_of_time(host: Driver, vendors: Vendors) -> object:
    """A deadline ends a request that a provider would keep for ever."""
    told = refused(generating(host, {"prompt": "unheard please", "timeout_s": 0.3, "tags": ["left"], **ONLY_FIRST}))
    assert told["attempts"] <= 1  # a loaded machine may not have got as far as that
    assert told["kind"] == "deadline"
    return told["kind"]


# --- conversations ------------------------------------------------------------------------------------


def chats(host: Driver, vendors: Vendors) -> object:
    """A conversation remembers; it can be looked at, and is gone when it was deleted."""
    begun = host.ask("conversation.create", system_prompt="You keep a lighthouse.")
    name = begun["conversation_id"]
    first = host.ask("chat", message="how many?", conversation_id=name)
    second = host.ask("chat", message="and now?", conversation_id=name)
    assert first["conversation_id"] == second["conversation_id"] == name
    assert second["usage"]["input_tokens"] > first["usage"]["input_tokens"], "the history went with it"
    seen = host.ask("conversation.get", conversation_id=name)
    gone = host.ask("conversation.delete", conversation_id=name)
    again = host.ask("conversation.delete", conversation_id=name)
    lost = refused(asking(host, "conversation.get", {"conversation_id": name}))
    return [response_record(first), response_record(second), turns_in(seen), gone, again, lost["kind"]]


def streams_chat(host: Driver, vendors: Vendors) -> object:
    """A streamed turn is a turn like another; a cancelled one leaves no half of a turn behind."""
    name = unique("lighthouse")
    stream = host.stream("chat_stream", message="who is there?", conversation_id=name)
    chunks = read_all(stream)
    response = stream.response()
    assert text_in(chunks) == response["content"]
    broken = host.stream("chat_stream", message="stall please", conversation_id=name, tags=["left"], **ONLY_FIRST)
    assert broken.next() is not None
    assert broken.cancel()["finish_reason"] == "cancelled"
    after = host.ask("chat", message="still there?", conversation_id=name)
    return [
        response_record(response),
        response_record(after),
        turns_in(host.ask("conversation.get", conversation_id=name)),
    ]


def turns_in(conversation: Plain) -> list[tuple[object, object]]:
    """Give role and text of every turn of a conversation."""
    turns = list(conversation["system"])
    for exchange in conversation["exchanges"]:
        turns += [*exchange["asked"], exchange["answer"]]
    return [(turn["role"], "".join(part.get("text", "") for part in turn["parts"])) for turn in turns]


# --- many at once -------------------------------------------------------------------------------------


def answers_many_at_once(host: Driver, vendors: Vendors) -> object:
    """Each of many callers gets the answer to its own question, streamed or whole."""

    def one(number: int) -> str:
        if number % 2:
            return str(host.ask("generate", prompt=f"question {number}", **ONLY_FIRST)["content"])
        return text_in(read_all(host.stream("stream", prompt=f"question {number}", **ONLY_FIRST)))

    with ThreadPoolExecutor(12) as threads:
        return list(threads.map(one, range(12)))


SHARED: Final[tuple[Case, ...]] = (
    generates,
    generates_elsewhere,
    gives_data,
    calls_tools,
    embeds,
    tells_beforehand,
    streams,
    streams_much,
    streams_tools,
    response_alone,
    cancels_midway,
    cancels_before_the_first_token,
    leaves,
    refuses,
    runs_out_of_time,
    chats,
    streams_chat,
    answers_many_at_once,
)
