"""The actors of an agent: a router, one per provider, and accounting; and what each of them is made of.

| file or package | owns |
|---|---|
| `router.py`, `router_desk.py` | the router: who is let in, and what its requests share |
| `lanes.py` | its ways to actors, and who keeps to one that a reload replaces |
| `waiting_room.py` | its places: who starts now, who waits, who is shed |
| `health_probes.py` | its asking after deployments that rest |
| `routing/` | the plan of a request: who may answer it, in which order |
| `journey/` | what becomes of a request: attempts, failover, rescue, hedging, drains |
| `health/` | breakers, cooldowns and latency of deployments |
| `estimates/` | what a call may use at most, and is expected to use |
| `provider.py`, `upstream.py` | the actor of one provider, and what its calls share |
| `provider_call.py`, `call_failures.py`, `provider_probe.py` | an attempt at a vendor, its failures, a free probe |
| `dialect.py`, `wire_choice.py`, `codecs/` | what is said to a vendor, and how it is written and read |
| `transport.py`, `transport_errors.py`, `small_exchange.py`, `response_facts.py`, `http1/` | how it gets there |
| `credentials/`, `redaction.py` | what calls show to be let in, and that nobody else sees it |
| `local/` | model servers on this machine |
| `delivery.py`, `assembly.py` | what reaches the caller, and the answer that it adds up to |
| `metering.py` | what an attempt has used when it is over |
| `accounting.py`, `confirmations.py`, `questions.py` | the actor that keeps the books, and what it answers when |
| `entrance.py`, `admission/` | who may call now: limits, budgets, and the line of those who wait |
| `ledger/` | the books and the stores that keep them |
| `validate.py`, `fitness.py`, `shaping.py`, `schema_rules.py`, `documents.py`, `pictures.py` | what may be asked |
| `jitter.py` | chance that depends on nobody else |
"""
