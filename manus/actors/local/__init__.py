"""Own model servers on this machine.

| file | owns |
|---|---|
| `server.py` | a server started on demand, healthy before it is called, restarted when it dies |
| `command.py`, `port.py` | what is run, and on which port |
| `process.py` | one run of a guarded program |
| `guard.py`, `host.py` | programs: the guard that no child outlives, and the embedded server |
"""
