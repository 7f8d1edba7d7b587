"""The demo: the whole agent against four simulated providers over loopback sockets, three of which come to harm.

| file | owns |
|---|---|
| `stage.py` | who plays: the providers, their servers, the configuration, the timetable |
| `callers.py` | the load: callers who ask one question after the other, and what each was told |
| `reporter.py` | what is shown while it happens |
| `audit.py` | the comparison of our books with the providers' bills, call by call |
| `screen.py` | lines, tables and colours on a terminal |
| `play.py` | the acts, in order |
"""
