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
| `counting.py`, `quota.py` | limits that the provider counts and keeps itself: the ground truth of every test of ours |
| `limits.py`, `errors_limits.py`, `limited.py` | what headers say of them, the vendor's 429, and a call under them |
| `steps.py` | what a serving has to do, one step after the other |
| `wire.py` | what all wires have in common: what is asked, what is said, and the protocol between them |
| `wire_*.py` | the vendors' true formats: OpenAI's two, Azure, Anthropic, Bedrock, Ollama |
| `asked_*.py` | how a vendor reads a request, and which ones it refuses, where that is long |
| `errors_*.py` | what a vendor and the edge before it answer instead of a completion |
| `embeddings.py` | vectors that depend on the text alone |
| `speech.py`, `shapes.py` | what is said to one request: words, thinking, calls; JSON that fits a schema |
| `plan.py` | from a script and a fault to steps |
| `provider.py` | the simulated provider: reads a request, chooses a script, plans, bills |
| `memory.py` | the serving in memory |
| `server.py`, `connection.py` | the serving on sockets: the door, and one client's connection |
| `control.py` | switching faults and reading bills at run time, over HTTP |
| `serve.py` | a process that does nothing else, until a signal |
| `determinism.py` | one schedule per seed |
| `chaos_plan.py`, `chaos_world.py` | plans drawn from seeds, and the world that they strike |
| `chaos_bugs.py`, `chaos_keys.py` | bugs of ours on purpose; keys and tokens that are refused and expire |
| `chaos_books.py`, `chaos_limits.py` | what must hold of rows, bills and sums; of limits and budgets |
| `chaos_books_draw.py` | limits, budgets and drains, drawn from seeds |
| `chaos_invariants.py`, `chaos.py` | the promises that every run must keep; runs, verdicts and replays |

A fault meets a request in one of four ways: it is in the script or the behaviour; the request names the
model `sim-<fault>` (`sim-429`, `sim-stall`); it carries the header `x-sim-fault: <fault>`; or a control
request switched it on for all. Each fault is spelt as in `faults.FAULTS`, with its fields after a colon. A
fault that a vendor cannot have (`faults.exists_on`) is refused there and never played.
"""
