"""Own the books of what was reserved and spent, and the stores that keep them.

| file | owns |
|---|---|
| `ledger.py` | the books of this run: what is open, and how each attempt ended |
| `store.py` | the seam: what a store promises, and the store in memory |
| `records.py`, `frames.py`, `rows.py` | a record per step, its bytes, and what they add up to |
| `sums.py`, `spans.py` | what rows add up to, by any dimension; how a span of time is cut into pieces that have sums |
| `journal.py` | the files of one run: its lock, and the journal that outlives it |
| `journaled.py`, `threads.py` | the durable store: a journal written on the loop, SQLite filled from it by a thread |
| `file.py`, `schema.py` | the SQLite file: how it is opened, its tables and their versions |
| `sqlite.py`, `sqlite_sums.py`, `sqlite_spent.py` | how records become rows in it; totals; spending, for budgets |
| `recovery.py`, `opening.py` | what becomes of runs that died; the way to an open store and back |
| `retention.py` | what leaves the file, and when |
"""
