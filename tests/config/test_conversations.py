"""`[conversations]`: what its keys become, and what is refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from manus.config.check import check_text
from manus.config.conversation_schema import ConversationsConfig
from manus.config.policies import conversation_policy
from manus.config.schema import LLMConfig
from manus.messages.conversations import ConversationPolicy

PROVIDER = '[providers.ollama]\nmodels = [{ name = "m" }]\n'


def problems(table: str) -> list[str]:
    checked = check_text(f"[conversations]\n{table}\n{PROVIDER}", file="llm.toml", environ={}, base=Path())
    return [str(problem) for problem in checked.problems]


def policy_of(**keys: object) -> ConversationPolicy:
    config = LLMConfig(conversations=ConversationsConfig(**keys))  # type: ignore[arg-type]
    return conversation_policy(config, base=Path("/etc/manus"))


def test_left_out_conversations_end_with_the_process() -> None:
    assert policy_of() == ConversationPolicy()
    assert policy_of(path=":memory:").path is None


def test_a_path_is_relative_to_the_file() -> None:
    assert policy_of(path="chats.sqlite").path == "/etc/manus/chats.sqlite"
    assert policy_of(path="/var/chats.sqlite").path == "/var/chats.sqlite"
    home = policy_of(path="~/chats.sqlite").path
    assert home is not None
    assert home.endswith("/chats.sqlite")
    assert "~" not in home


def test_every_key_reaches_the_policy() -> None:
    given: dict[str, object] = {
        "conversations_max": 3,
        "bytes_max": 5000,
        "conversation_bytes_max": 4000,
        "when_full": "refuse",
        "waiting_max": 0,
        "in_hand_max": 7,
        "answer_tokens": 11,
        "trim_to": 0.5,
        "confirm_s": 2.0,
    }
    policy = policy_of(idle_days=2.0, **given)
    assert policy.idle_s == 172_800.0
    assert {name: getattr(policy, name) for name in given} == given
    assert {"path", "idle_days", *given} == set(ConversationsConfig.__struct_fields__)


def test_defaults_of_the_file_are_those_of_the_policy() -> None:
    table, policy = ConversationsConfig(), ConversationPolicy()
    shared = set(table.__struct_fields__) & set(policy.__struct_fields__)
    assert {name: getattr(table, name) for name in shared} == {name: getattr(policy, name) for name in shared}
    assert len(shared) == 10


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("path = ''", "conversations.path: names no file; name one"),
        ("path = 'chats/'", "conversations.path: names no file"),
        ("path = 'books.sqlite'\n[ledger]\npath = './books.sqlite'", "conversations.path: is the file of the ledger"),
        ("bytes_max = 2000\nconversation_bytes_max = 4000", "conversation_bytes_max: is 4000, more than bytes_max"),
        ("when_full = 'forget'", "did you mean 'forget_oldest'?"),
        ("conversations_max = 0", "conversations.conversations_max: expected a whole number, 1 or more; got 0"),
        ("bytes_max = 1000", "bytes, 1024 or more"),
        ("idle_days = 0", "days, more than 0"),
        ("trim_to = 0", "a share, more than 0"),
        ("trim_to = 1.1", "at most 1"),
        ("waiting_max = -1", "a whole number from 0 to 1024"),
        ("pathh = 'x'", "did you mean 'path'?"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(table: str, words: str) -> None:
    told = problems(table)
    assert any(words in each for each in told), told


def test_both_in_memory_is_no_clash() -> None:
    assert problems("path = ':memory:'\n[ledger]\npath = ':memory:'") == []


def test_a_policy_survives_its_way_through_json() -> None:
    policy = policy_of(path="x", idle_days=1.0)
    assert msgspec.json.decode(msgspec.json.encode(policy), type=ConversationPolicy) == policy
