"""Own what Bedrock answers instead of a message: exceptions by status, their header and their body.

Sources: provider notes (Bedrock, section 6), and recorded errors (400, 403, 404, 429, 500). Bedrock names neither
limits nor a time to wait; where a fault asks for `retry-after`, a proxy before it is taken to have added it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from manus.actors.codecs.event_stream import encode_frame
from manus.sim.wire import Headers, Reply, encode_json, http_date, identifier

_SUFFIX = ":http://internal.amazon.com/coral/com.amazon.bedrock/"


class _Words(msgspec.Struct, frozen=True):
    name: str
    message: str
    original_status: int | None = None


_BY_CODE: dict[tuple[int, str], _Words] = {
    (400, "prefill"): _Words(
        "ValidationException",
        "The model returned the following errors: This model does not support assistant message prefill. The "
        "conversation must end with a user message.",
    ),
    (400, "context_length_exceeded"): _Words(
        "ValidationException",
        "The model returned the following errors: prompt is too long: 210000 tokens > 200000 maximum",
    ),
    (400, "content_policy_violation"): _Words(
        "ValidationException", "The model returned the following errors: Output blocked by content filtering policy"
    ),
    (400, "unsupported_parameter"): _Words(
        "ValidationException", "This model doesn't support the temperature field. Remove temperature and try again."
    ),
    (400, "insufficient_quota"): _Words("ServiceQuotaExceededException", "You have exceeded your service quota."),
    (403, "expired_token"): _Words("ExpiredTokenException", "The security token included in the request is expired"),
    (403, "clock_skew"): _Words(
        "InvalidSignatureException",
        "Signature expired: 20260831T230000Z is now earlier than 20260831T235500Z (20260901T000000Z - 5 min.)",
    ),
    (429, "insufficient_quota"): _Words(
        "ThrottlingException", "Too many tokens per day, please wait before trying again."
    ),
    (429, "model_not_ready"): _Words(
        "ModelNotReadyException", "Model is not ready for inference. Wait and try your request again."
    ),
}

_BY_STATUS: dict[int, _Words] = {
    400: _Words("ValidationException", "Malformed input request, please reformat your input and try again."),
    403: _Words("AccessDeniedException", "You don't have access to the model with the specified model ID."),
    408: _Words("ModelTimeoutException", "Model has timed out in processing the request. Try your request again."),
    409: _Words("ConflictException", "The request conflicts with the current state of the resource."),
    413: _Words("RequestEntityTooLargeException", "Request size is larger than allowed."),
    422: _Words("ValidationException", "The request could not be processed."),
    424: _Words("ModelErrorException", "The model failed.", 500),
    429: _Words("ThrottlingException", "Too many requests, please wait before trying again."),
    500: _Words(
        "InternalServerException",
        "The system encountered an unexpected error during processing. Try your request again.",
    ),
    503: _Words("ServiceUnavailableException", "Bedrock is unable to process your request."),
    504: _Words("ModelTimeoutException", "Model has timed out in processing the request. Try your request again."),
    529: _Words("ServiceUnavailableException", "Bedrock is unable to process your request."),
}

_UNKNOWN_KEY = _Words("UnrecognizedClientException", "The security token included in the request is invalid.")
_INSIDE: dict[str | None, _Words] = {
    None: _BY_STATUS[500],
    "overloaded": _BY_STATUS[503],
    "throttled": _BY_STATUS[429],
}


def validation_error(message: str) -> Reply:
    """Write a `ValidationException`, which is what nearly every wrong request gets."""
    return _reply(400, _Words("ValidationException", message), _request_id(message))


def unknown_operation() -> Reply:
    """Write what an address that serves nothing answers."""
    return _reply(404, _Words("UnknownOperationException", ""), _request_id("unknown"))


def rejection(
    status: int, *, number: int, model: str, code: str | None = None, retry_after_s: float | None = None
) -> Reply:
    """Write the error that goes with `status`; `code` chooses among those that share one.

    A key that nobody knows is refused with 403: Bedrock has no 401.
    """
    if status == 502:
        return _page(retry_after_s)
    if status == 401:
        status, words = 403, _UNKNOWN_KEY
    elif status == 404:
        words = _Words("ResourceNotFoundException", f"Could not resolve the foundation model from {model}.")
    else:
        named = _BY_CODE.get((status, code)) if code is not None else None
        words = named or _BY_STATUS.get(status) or _Words("InternalFailure", f"The request failed ({status}).")
    reply = _reply(status, words, _request_id(number))
    return msgspec.structs.replace(reply, headers=(*reply.headers, ("date", http_date(number)), *_retry(retry_after_s)))


def error_inside(code: str | None) -> bytes:
    """Write an exception as the body of a 200."""
    words = _INSIDE[code]
    return encode_json({"__type": words.name, "message": words.message})


def exception_frame(code: str | None) -> bytes:
    """Write an exception as the last frame of a stream: there its name begins with a small letter."""
    words = _INSIDE[code]
    headers = {
        ":exception-type": words.name[0].lower() + words.name[1:],
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return encode_frame(headers, encode_json({"message": words.message}))


def _reply(status: int, words: _Words, request_id: str) -> Reply:
    body: dict[str, Any] = {"message": words.message}
    if words.original_status is not None:
        body["originalStatusCode"] = words.original_status
    headers = (
        ("content-type", "application/json"),
        ("x-amzn-requestid", request_id),
        ("x-amzn-errortype", words.name + _SUFFIX),
    )
    return Reply(status=status, body=encode_json(body), headers=headers)


def _page(retry_after_s: float | None) -> Reply:
    title = "502 Bad Gateway"
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<h1>{title}</h1>\r\n</body>\r\n</html>\r\n"
    return Reply(status=502, body=page.encode(), headers=(("content-type", "text/html"), *_retry(retry_after_s)))


def _retry(retry_after_s: float | None) -> Headers:
    return () if retry_after_s is None else (("retry-after", f"{retry_after_s:g}"),)


def _request_id(seed: object) -> str:
    return request_id_of(identifier("bedrock error", seed, length=32))


def request_id_of(digits: str) -> str:
    """Write 32 hexadecimal digits as the vendor writes its request ids."""
    padded = f"{digits:0<32}"[:32]
    return "-".join((padded[:8], padded[8:12], padded[12:16], padded[16:20], padded[20:]))
