"""Own the plan of a request: which deployments may answer it, in which order and why. Pure.

| file | owns |
|---|---|
| `table.py` | the routing table: a request goes in, a plan or a refusal comes out |
| `needs.py` | what a request needs of a model |
| `entries.py`, `targets.py` | what a name means; which targets a request considers, in the order of the configuration |
| `pooling.py`, `pool.py` | who is able, and what is prepared once for a kind of request |
| `ordering.py`, `strategies.py` | by what candidates are ordered, and how |
| `criteria.py`, `context_fit.py`, `expected_cost.py` | caps on cost and time; windows; expected costs |
| `drafting.py`, `plan.py` | the making of one plan, and the plan |
| `affinity.py`, `standing.py` | what planning remembers; what it may know besides the configuration |
| `candidates.py`, `no_candidate.py` | what people are told of a plan, and of a refusal |
"""
