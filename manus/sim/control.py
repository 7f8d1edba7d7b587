"""Own the control endpoint of a simulated provider on sockets: faults switched and bills read at run time.

| request | gives |
|---|---|
| `GET /_sim/behaviour` | the behaviour as JSON |
| `PUT` or `POST /_sim/behaviour` | takes a `Behaviour` as JSON, from the next request on |
| `POST /_sim/fault/NAME` | keeps the behaviour, and lets every answer meet the fault of that spelling |
| `DELETE /_sim/fault` | keeps the behaviour, without any fault |
| `GET /_sim/faults` | every fault that has a name and exists on this provider's wire |
| `GET /_sim/bill` | totals and rows |
| `GET /_sim/limits` | how the provider's own limits stand, and how many calls they refused |
| `PUT` or `POST /_sim/limits` | takes `VendorLimits` as JSON, with nothing used up |
| `DELETE /_sim/limits` | serves whatever comes |

Requests to it are on nobody's bill. It exists only where `serve_sim` serves, which is loopback.
"""

from __future__ import annotations

from urllib.parse import unquote

import msgspec

from manus.sim.behaviour import Behaviour
from manus.sim.faults import fault_named, faults_of
from manus.sim.provider import SimProvider
from manus.sim.quota import VendorLimits
from manus.sim.wire import Reply, SimRequest, encode_json

CONTROL_PREFIX = "/_sim/"


def control(provider: SimProvider, request: SimRequest) -> Reply | None:
    """Answer a control request, or give None for every other request."""
    if not request.path.startswith(CONTROL_PREFIX):
        return None
    match request.method, request.path.removeprefix(CONTROL_PREFIX).split("/", 1):
        case "GET", ["bill"]:
            return _json(200, {"totals": provider.bill.totals(), "rows": provider.bill.rows()})
        case "GET", ["limits"]:
            return _limits(provider)
        case (("PUT" | "POST"), ["limits"]):
            return _set_limits(provider, request.body)
        case "DELETE", ["limits"]:
            provider.limit(None)
            return _limits(provider)
        case "GET", ["faults"]:
            return _json(200, faults_of(provider.wire.name))
        case "GET", ["behaviour"] if isinstance(provider.behaviour, Behaviour):
            return _json(200, provider.behaviour)
        case (("PUT" | "POST"), ["behaviour"]):
            return _set_behaviour(provider, request.body)
        case "POST", ["fault", spelling]:
            return _set_fault(provider, unquote(spelling))
        case "DELETE", ["fault"]:
            return _set_fault(provider, None)
        case _:
            text = f"no {request.method} {request.path}; see manus.sim.control for what there is"
            return _json(404, {"error": text})


def _limits(provider: SimProvider) -> Reply:
    quota = provider.quota
    if quota is None:
        return _json(200, {"limits": None})
    told = {"limits": quota.limits, "readings": quota.readings(provider.now_s()), "refused": quota.refused}
    return _json(200, {**told, "in_flight": quota.in_flight, "overruns": quota.overruns()})


def _set_limits(provider: SimProvider, body: bytes) -> Reply:
    try:
        provider.limit(msgspec.json.decode(body, type=VendorLimits))
    except msgspec.DecodeError as error:
        return _json(400, {"error": f"no limits: {error}"})
    return _limits(provider)


def _set_behaviour(provider: SimProvider, body: bytes) -> Reply:
    try:
        behaviour = msgspec.json.decode(body, type=Behaviour)
    except msgspec.DecodeError as error:
        return _json(400, {"error": f"not a behaviour: {error}"})
    return _behave(provider, behaviour)


def _behave(provider: SimProvider, behaviour: Behaviour) -> Reply:
    try:
        provider.behave(behaviour)
    except ValueError as error:
        return _json(400, {"error": str(error)})
    return _json(200, behaviour)


def _set_fault(provider: SimProvider, spelling: str | None) -> Reply:
    usual = provider.behaviour
    if not isinstance(usual, Behaviour):
        return _json(409, {"error": "this provider is scripted by a function; set a behaviour first"})
    try:
        fault = None if spelling is None else fault_named(spelling)
    except ValueError as error:
        return _json(400, {"error": str(error)})
    script = msgspec.structs.replace(usual.script, fault=fault)
    behaviour = msgspec.structs.replace(usual, script=script, first=(), fault_rate=0.0, faults=())
    return _behave(provider, behaviour)


def _json(status: int, value: object) -> Reply:
    return Reply(status=status, body=encode_json(value), headers=(("content-type", "application/json"),))
