"""Own who may call now: limits and budgets, all at once or not at all, and the line of those who wait for room.

Pure: no clock, no I/O. Times of the loop's clock and of the wall's are arguments.

| file | owns |
|---|---|
| `admission.py` | the decision: what an attempt falls under, taken all or none; what its end gives back |
| `line.py`, `groups.py` | those who wait: in which order they are served, and whom an ending wakes |
| `gauge.py` | what is asked of one bound of one scope, whatever it bounds |
| `flows.py`, `windows.py` | requests and tokens per sliding minute, calls at once |
| `budgets.py`, `budget_accounts.py`, `periods.py`, `budget_words.py` | sums per period or rolling window, and words |
| `learning.py` | what vendors' headers say remains |
| `succession.py` | which gauge follows which when limits and budgets change |
| `rules.py` | the gauges by scope, and the path through them of each kind of attempt |
| `needs.py` | what an attempt takes, and how it ended |
"""
