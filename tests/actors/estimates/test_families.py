"""A model's family is told by its name in every cloud's and gateway's spelling."""

from __future__ import annotations

import pytest

from manus.actors.estimates.families import UNKNOWN, family_of


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("openai/gpt-4o", "gpt-4o and 4.1"),
        ("gpt-4.1-nano", "gpt-4.1-mini"),
        ("gpt-35-turbo", "gpt-4 and 3.5"),
        ("gpt-4-32k", "gpt-4 and 3.5"),
        ("gpt-5", "gpt-5 and o-series"),
        ("gpt-5.2-2025-12-11", "gpt-5 and o-series"),
        ("o3-mini", "gpt-5 and o-series"),
        ("gpt-5.4", "gpt-5.4 and small"),
        ("gpt-5-nano", "gpt-5.4 and small"),
        ("gpt-oss:120b", "gpt-oss"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude 4.5 and 4.6"),
        ("anthropic/claude-haiku-4.5", "claude 4.5 and 4.6"),
        ("claude-3-5-haiku-20241022", "claude to 4.1"),
        ("claude-3-7-sonnet-20250219", "claude to 4.1"),
        ("claude-sonnet-4-20250514", "claude to 4.1"),
        ("claude-opus-4-1-20250805", "claude to 4.1"),
        ("claude-opus-4-8", "claude since 4.7"),
        ("us.anthropic.claude-sonnet-5", "claude since 4.7"),
        ("us.amazon.nova-2-lite-v1:0", "nova 2"),
        ("amazon.nova-micro-v1:0", "nova 1"),
        ("amazon.titan-text-express-v1", "titan"),
        ("Qwen3-1.7B-Q4_K_M", "qwen"),
        ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "llama"),
        ("mistral-small-latest", "mistral"),
        ("deepseek-ai/DeepSeek-R1", "deepseek"),
        ("grok-4-1-fast-non-reasoning", "grok"),
        ("facebook/opt-125m", "unknown"),
        ("foo1-bar", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_name_tells_its_family(model: str, name: str) -> None:
    assert family_of(model).name == name


def test_only_what_its_makers_alone_serve_is_called_hosted() -> None:
    assert all(family_of(name).hosted for name in ("gpt-4o", "o3", "claude-sonnet-5", "nova-lite"))
    assert not any(family_of(name).hosted for name in ("gpt-oss:20b", "qwen3", "llama3", "mistral-small", "x"))
    assert not UNKNOWN.hosted
