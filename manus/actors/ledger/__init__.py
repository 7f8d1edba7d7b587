"""Own the books of what was reserved and spent, and the stores that keep them.

| file | owns |
|---|---|
| `ledger.py` | the books of this run: what is open, and how each attempt ended |
| `store.py` | the seam: what a store promises, and the store in memory |
| `records.py`, `frames.py`, `rows.py` | a record per step, its bytes, and what they add up to |
| `journal.py` | the files of one run: its lock, and the journal that outlives it |
| `journaled.py`, `threads.py` | the durable store: a journal written on the loop, SQLite filled from it by a thread |
| `file.py`, `sqlite.py` | the SQLite file, and how records become rows in it |
| `recovery.py`, `opening.py` | what becomes of runs that died; the way to an open store and back |
"""
