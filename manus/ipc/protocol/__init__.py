"""The protocol between Manus and a host program: its words, and how they are read and written. No IO, no waiting.

The wire is told in `docs/ipc.md`; `manus schema` prints it as JSON Schema, made from the Structs here.

| file | owns |
|---|---|
| `json_text.py` | reading one line as JSON, strictly and within bounds |
| `frames.py` | which dialect a line speaks, and what kind of message it is |
| `methods.py` | the table of methods: what each takes and gives |
| `params.py`, `results.py` | what they take and give, as Structs |
| `reading_params.py` | reading params, with errors that name the place |
| `options.py` | from params to what the agent's methods take |
| `errors.py` | codes, texts and data of errors |
| `lines.py` | writing replies, errors and events |
| `plain_words.py` | words for JSON in messages to a host's author |
| `schema.py` | the JSON Schema of it all |
"""

from manus.ipc.protocol.errors import BadParams, ErrorData, ErrorObject, InvalidFrame, UnknownMethod, error_object
from manus.ipc.protocol.frames import EngineMessage, Malformed, Notification, Request, ShortForm, key_of, parse
from manus.ipc.protocol.lines import error_line, event_line, reply_line
from manus.ipc.protocol.methods import METHODS, NOTIFICATIONS, SUPPORTED, initialize_result
from manus.ipc.protocol.options import options_of, prompt_of
from manus.ipc.protocol.reading_params import params_of

__all__ = [
    "METHODS",
    "NOTIFICATIONS",
    "SUPPORTED",
    "BadParams",
    "EngineMessage",
    "ErrorData",
    "ErrorObject",
    "InvalidFrame",
    "Malformed",
    "Notification",
    "Request",
    "ShortForm",
    "UnknownMethod",
    "error_line",
    "error_object",
    "event_line",
    "initialize_result",
    "key_of",
    "options_of",
    "params_of",
    "parse",
    "prompt_of",
    "reply_line",
]
