"""The dialects that a host may speak, line by line; each says what is asked in the words of JSON-RPC's methods.

| file | owns |
|---|---|
| `reading.py` | from a line to what it asks, whatever its dialect |
| `json_rpc.py` | answers in JSON-RPC 2.0 |
| `short_form.py` | `{"command": ...}`: its commands, and its answers |
| `engine.py` | the Atomic Engine's envelope: requests, answers, and checks of health |
"""
