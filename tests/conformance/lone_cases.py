"""Own the cases that change what later ones get: they have an agent to themselves, or share one in this order.

What a case asserts holds by itself; what it returns is held against the reference host's.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from tests.conformance.asking import ONLY_FIRST, Case, asking, generating, reading, refused
from tests.conformance.driver import Driver, HostError, Plain
from tests.conformance.records import read_all, response_record, text_in
from tests.conformance.vendors import STEADY, TEXT, Vendors


def tells_of_itself(host: Driver, vendors: Vendors) -> object:
    """How it is, whom it has, what it used and what limits it has is told in the same members everywhere."""
    host.ask("generate", prompt="plain please", **ONLY_FIRST)
    health, summary = host.ask("health"), host.ask("usage.summary", days=1.0, by="provider")
    status = host.ask("providers.status")["providers"]
    assert health["status"] == "ok"
    assert summary["total"]["output_tokens"] > 0
    states = [(name, state["state"], sorted(state)) for name, state in sorted(status.items())]
    told = (health, summary, summary["lines"][0], host.ask("limits"), host.ask("routing.metrics"))
    return [states, *(sorted(each) for each in told)]


def reads_its_configuration_again(host: Driver, vendors: Vendors) -> object:
    """With nothing changed nothing is touched, and a stream under way goes on."""
    stream = host.stream("stream", prompt="steady please", **ONLY_FIRST)
    first = stream.next()
    assert first is not None
    told = host.ask("reload")
    assert told.pop("origin")
    assert first["delta"] + text_in(read_all(stream)) == STEADY
    return told


def falls_back(host: Driver, vendors: Vendors) -> object:
    """When the first provider fails the next one answers, and the route tells."""
    response = host.ask("generate", prompt="switched please")
    assert response["provider"] == "second"
    return response_record(response)


def switches(host: Driver, vendors: Vendors) -> object:
    """The provider that is switched to answers from then on; one that is not there changes nothing."""
    before = host.ask("generate", prompt="hello there")
    host.ask("providers.switch", provider="third", model="sim-small")
    after = host.ask("generate", prompt="hello there")
    wrong = refused(asking(host, "providers.switch", {"provider": "fourth"}))
    still = host.ask("generate", prompt="hello there")
    assert [each["provider"] for each in (before, after, still)] == ["first", "third", "third"]
    return [*(response_record(each) for each in (before, after, still)), wrong["kind"]]


def breaks_off(host: Driver, vendors: Vendors) -> object:
    """A stream that breaks off is an error with what had come, never an answer."""
    stream = host.stream("stream", prompt="cut please", on_interrupt="error", **ONLY_FIRST)
    told = refused(reading(stream))
    assert told["partial"]
    assert TEXT.startswith(told["partial"])
    told["kind"] = told["kind"] in ("incomplete", "network", "protocol")  # how the socket ended is the kernel's to say
    assert told.pop("input_tokens") > 0  # both are estimated, and the estimator learns from every call
    assert told.pop("output_tokens") > 0
    return told


def trouble(host: Driver, vendors: Vendors) -> object:
    """Failures that let a deployment rest, each with its own word and its hint when to come back."""
    told: list[Plain] = []
    for word, provider in (("broken", "first"), ("busy", "second"), ("denied", "third")):
        params = {"prompt": f"{word} please", "provider": provider, "fallback_providers": [], "timeout_s": 20.0}
        told.append(refused(generating(host, params)))
    return told


def ends_with_requests_in_flight(host: Driver, vendors: Vendors) -> object:
    """What can end in the time that shutting down allows does; what cannot gets a definite end, as do later calls."""
    stuck = host.stream("stream", prompt="stall here", **ONLY_FIRST)
    assert stuck.next() is not None
    with ThreadPoolExecutor(4) as threads:
        waiting = threads.submit(_end_of_answer, host, "unheard here")
        vendors.wait_for("unheard here")
        steady = host.stream("stream", prompt="steady please", **ONLY_FIRST)
        first = steady.next()
        assert first is not None
        whole, broken = threads.submit(_text_of_rest, steady), threads.submit(_end_of, stuck)
        host.shut_down()
        assert first["delta"] + whole.result() == STEADY
        ends = [broken.result(), waiting.result()]
    late = refused(generating(host, {"prompt": "too late"}))
    host.shut_down()  # a second time does no harm
    assert not [row for rows in vendors.rows().values() for row in rows if row.prompt.startswith("too late")]
    return ["cancelled" if end in ("cancelled", "stopped") else end for end in ends], late["kind"]


def _text_of_rest(stream: Any) -> str:
    return text_in(read_all(stream))


def _end_of(stream: Any) -> object:
    """Say how a stream ended that could not end well."""
    try:
        read_all(stream)
        return stream.response()["finish_reason"]
    except HostError as error:
        return error.told["kind"]


def _end_of_answer(host: Driver, prompt: str) -> object:
    try:
        return host.ask("generate", prompt=prompt, **ONLY_FIRST)["finish_reason"]
    except HostError as error:
        return error.told["kind"]


ALONE: Final[tuple[Case, ...]] = (
    tells_of_itself,
    reads_its_configuration_again,
    falls_back,
    switches,
    breaks_off,
    trouble,
    ends_with_requests_in_flight,
)
"""In this order they may have one agent together: each leaves what the next one needs as it was."""
