"""Own conversations: one ordered line each, a history of whole exchanges, and the store that keeps them.

| file | owns |
|---|---|
| `actor.py` | the actor: what it is asked, and what it answers at once |
| `turn.py` | one turn's life: its place in line, the router's answer, and whether it becomes history |
| `fitting.py` | how much of the history a turn is sent with, found out by asking the router |
| `history.py` | what one conversation holds, as immutable data |
| `trimming.py` | where a history may be cut, and how far it has to be |
| `line.py` | whose turn it is in one conversation |
| `shelf.py` | all conversations within their bounds: the durable cell |
| `store.py` | the seam: what a store promises, and the store in memory |
| `file.py`, `writer.py`, `opening.py` | the SQLite file, the thread that writes it, the way to it and back |
"""
