"""Serving the agent to programs of other languages: over stdin and stdout, and over a Unix socket.

What is said on the wire stands in `docs/ipc.md`. Only `manus.cli` imports this package; it may import everything else.

| file | owns |
|---|---|
| `serve.py` | serving from start to end: the agent, its adapters, signals, the exit status |
| `stdio_guard.py` | taking stdin and stdout away from whoever prints |
| `descriptors.py`, `waiting_threads.py`, `pipes.py` | reading and writing what others opened, without blocking |
| `stdio_adapter.py` | the actor of the program that started us |
| `unix_socket.py`, `unix_adapter.py` | the socket's file; the listener, and the actors of its connections |
| `served.py`, `connection.py` | one connection as an actor; its tasks and its end |
| `session.py` | what of a connection outlives a crash |
| `framing.py` | bytes to lines |
| `desk.py` | each line: greeting, refusals, cancel, credit |
| `calls.py`, `methods.py`, `stalls.py` | the work on requests |
| `flow.py`, `outbox.py` | events and replies on their way out |
| `voice.py`, `refusals.py` | the seam to the dialects; what a connection refuses |
| `drain.py`, `parent_watch.py`, `notify.py` | ends: asked for, by the parent's death; a service manager's word |
| `events.py`, `log_lines.py` | what adapters publish; stderr as JSON lines |
| `policy.py` | the bounds, as values |
| `protocol/` | the protocol's words: params, results, errors, JSON |
| `dialects/` | JSON-RPC, the short form, the engine's envelope |
"""
