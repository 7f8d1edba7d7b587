"""Own how tests of requests build one: as the face does, and checked as the router does."""

from __future__ import annotations

from typing import Any

from manus.actors.validate import problem_of
from manus.asking import chat_request
from manus.errors import error_of
from manus.messages.outcomes import Unfinished
from manus.messages.policy import Bounds
from manus.messages.requests import ChatRequest, RoutingCriteria


def build(prompt: Any = "Hello", **options: Any) -> ChatRequest:
    """Build a request as the face does, and have it checked as the router does."""
    request = chat_request(prompt, options, stream=False)
    problem = problem_of(request, Bounds())
    if problem is not None:
        raise error_of(Unfinished(request_id=request.request_id, failure=problem))
    return request


def criteria(**fields: Any) -> RoutingCriteria:
    """Give criteria as a program without a type checker may write them."""
    return RoutingCriteria(**fields)
