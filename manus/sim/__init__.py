"""Simulated providers that keep their own bill, and what drives the whole agent against them.

One behaviour, written once, without IO, in `provider.py`; two ways to serve it: `memory.py`, an httpx
transport under a virtual clock, and `server.py`, HTTP on loopback sockets. Both only *play* the steps
that the provider plans, so that the same script gives the same bytes either way.

| file | owns |
|---|---|
| `words.py` | what a simulated model says, and how its tokens are counted |
| `faults.py` | the closed set of things that go wrong, and how they are spelt |
| `behaviour.py` | scripts: what is answered, at which pace, with which fault, for which request |
| `bill.py` | the provider's own ledger: the ground truth of every test of our books |
| `steps.py` | what a serving has to do, one step after the other |
| `wire.py`, `wire_openai.py`, `wire_ollama.py` | the vendors' true wire formats |
| `errors_openai.py` | what OpenAI and the edge before it answer instead of a completion |
| `plan.py` | from a script and a fault to steps |
| `provider.py` | the simulated provider: reads a request, chooses a script, plans, bills |
| `memory.py` | the serving in memory |
| `server.py`, `connection.py` | the serving on sockets: the door, and one client's connection |
| `control.py` | switching faults and reading bills at run time, over HTTP |
| `serve.py` | a process that does nothing else, until a signal |
| `determinism.py` | one schedule per seed |
| `chaos*.py` | plans drawn from seeds, the world they strike, and the promises it must keep |

A fault meets a request in one of four ways: it is in the script or the behaviour; the request names the
model `sim-<fault>` (`sim-429`, `sim-stall`); it carries the header `x-sim-fault: <fault>`; or a control
request switched it on for all. Each fault is spelt as in `faults.FAULTS`, with its fields after a colon.
"""
