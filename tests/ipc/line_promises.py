"""Own what is promised of the reading of any line: it ends well, and where there is an answer it is a whole one."""

from __future__ import annotations

import json

from manus.asking import chat_request
from manus.errors import InvalidRequestError
from manus.ipc.dialects.reading import read
from manus.ipc.protocol import BadParams, UnknownMethod, options_of, params_of, prompt_of
from manus.ipc.protocol.params import GenerateParams
from manus.ipc.voice import Asked, Malformed, Told


def check(line: bytes) -> None:
    """Hold one line to all that is promised of its reading: no exception, and a whole answer where there is one."""
    for engine in (False, True):
        match read(line, engine=engine):
            case Malformed(reply=reply):
                whole(reply)
            case Asked(refused=None) as asked:
                whole(asked.voice.failure(refusal_of(asked.method, asked.params) or ValueError("a defect")))
            case Asked(refused=Exception() as refused) as asked:
                whole(asked.voice.failure(refused))
            case Told(method=method, params=params):
                refusal_of(method, params)
            case None:
                pass


def refusal_of(method: str, params: object) -> Exception | None:
    """Read params as far as they go without an agent."""
    try:
        read_params = params_of(method, params)
        if isinstance(read_params, GenerateParams):
            chat_request(prompt_of(read_params), options_of(read_params), stream=False)
    except (BadParams, UnknownMethod, InvalidRequestError) as refusal:
        return refusal
    return None


def whole(reply: bytes) -> None:
    """See that an answer is one line of JSON, in UTF-8."""
    assert reply.endswith(b"\n")
    assert reply.count(b"\n") == 1
    assert isinstance(json.loads(reply.decode("utf-8")), dict)
