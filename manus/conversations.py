"""Own conversations as the face has them: what a message may be, what is told of a conversation, and how it is asked.

The history is kept by the conversations actor; a caller names a conversation and says the next thing in it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

import msgspec
import trio

from manus.errors import ConversationNotFoundError, InvalidRequestError, error_of, error_of_terminal
from manus.messages.content import AnyPart, Part, Text, ToolResult, Turn, text_of
from manus.messages.conversations import (
    ConversationAsked,
    ConversationDeleted,
    ConversationTold,
    ConversationUnknown,
    CreateConversation,
    DeleteConversation,
    Exchange,
)
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.outcomes import Unfinished
from manus.option_checks import printable_name
from manus.prompts import Prompt, clean
from manus.supervisor.ref import Ref
from manus.supervisor.terminals import ActorFailed, Expired, Unavailable, Undelivered, Withdrawn

Message: TypeAlias = Prompt | AnyPart | Sequence[AnyPart]
"""What may be said next in a conversation: whatever `generate` takes, a part (the result of a tool), or several."""

ASK_S: Final = 5.0
"""How long the actor has to say what it has; a question never waits for a turn."""

_name = printable_name("conversation_id")


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as it is now.

    Args:
        id: its name.
        system: its system turns, which every turn is sent with.
        exchanges: its history, oldest first: each has what was `asked` and the `answer`, both whole. A turn that
            failed or was cancelled is not in it, nor is the one that may run now.
        created_unix_s, used_unix_s: when it was begun, and when it last changed.
        size_bytes: what it holds, in bytes of JSON.
        forgotten: how many exchanges are gone because it had grown too large (`conversations.conversation_bytes_max`).
        in_hand: turns that run or wait in its line.
        on_disk: whether all of it outlives the process (`conversations.path`).
    """

    id: str
    system: tuple[Turn, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    created_unix_s: float = 0.0
    used_unix_s: float = 0.0
    size_bytes: int = 0
    forgotten: int = 0
    in_hand: int = 0
    on_disk: bool = False

    @property
    def turns(self) -> tuple[Turn, ...]:
        """All that was said, in order, the system turns first: what `generate` would take to go on elsewhere."""
        return (*self.system, *(turn for exchange in self.exchanges for turn in exchange.turns))

    def to_dict(self) -> dict[str, Any]:  # Any: plain data, as JSON has it
        """Give it as plain data. Beside `exchanges` with all their parts, `messages` has what was said as text."""
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        spoken = [{"role": turn.role, "content": _text_in(turn)} for turn in self.turns]
        return plain | {"messages": spoken}


def new_conversation_id() -> str:
    """Make a name that no other conversation of any process has."""
    return f"conv-{secrets.token_hex(12)}"


def conversation_name(conversation_id: object) -> str:
    """Check a conversation's name; None makes a new one.

    Raises:
        InvalidRequestError: it is no name.
    """
    if conversation_id is None:
        return new_conversation_id()
    name: str = _name(conversation_id)
    return name


def prompt_of_message(message: Message) -> Prompt:
    """Turn parts into turns: results of tools into one of role `tool`, all others into the user's.

    Parts may be `Part`s or, in a list, mappings in OpenAI's shape (`{"type": "text", "text": "..."}`). Everything else
    is what `generate` takes, and is given back as it is.
    """
    if isinstance(message, Part):
        message = (message,)
    if not isinstance(message, Sequence) or isinstance(message, str | bytes | bytearray | memoryview) or not message:
        return cast("Prompt", message)
    if all(isinstance(each, Part) for each in message):
        parts = cast("Sequence[AnyPart]", message)
        results = tuple(part for part in parts if isinstance(part, ToolResult))
        said = tuple(part for part in parts if not isinstance(part, ToolResult))
        turns = (Turn(role="tool", parts=results), Turn(role="user", parts=said))
        return tuple(turn for turn in turns if turn.parts)
    if all(isinstance(each, Part) or (isinstance(each, Mapping) and _is_part(each)) for each in message):
        return {"role": "user", "content": list(message)}
    return cast("Prompt", message)


async def create(conversations: Ref, conversation_id: object, system_prompt: object) -> str:
    """Begin a conversation, and give its name.

    Raises:
        InvalidRequestError: there is one of this name already, or it is no name.
        LLMError: there is no room for one more, or the agent is closed.
    """
    name = conversation_name(conversation_id)
    answer = await _ask(conversations, CreateConversation(conversation_id=name, system=opening_turns(system_prompt)))
    assert isinstance(answer, ConversationTold)
    return name


async def tell(conversations: Ref, conversation_id: object) -> Conversation:
    """Give a conversation as it is now.

    Raises:
        ConversationNotFoundError: there is none of this name.
    """
    name: str = _name(conversation_id)
    answer = await _ask(conversations, ConversationAsked(conversation_id=name))
    if isinstance(answer, ConversationUnknown):
        raise ConversationNotFoundError(f"conversation_id: there is no conversation {name!r}; begin it with a message")
    assert isinstance(answer, ConversationTold)
    fields = {field: getattr(answer, field) for field in Conversation.__struct_fields__ if field != "id"}
    return Conversation(id=answer.conversation_id, **fields)


async def delete(conversations: Ref, conversation_id: object) -> bool:
    """Forget a conversation, and tell whether there was one.

    Raises:
        InvalidRequestError: it is no name.
    """
    name: str = _name(conversation_id)
    answer = await _ask(conversations, DeleteConversation(conversation_id=name))
    assert isinstance(answer, ConversationDeleted)
    return answer.existed


def opening_turns(system_prompt: object) -> tuple[Turn, ...]:
    """Make the system turn that a conversation begins with; None makes none.

    Raises:
        InvalidRequestError: it is no text, or none that a wire can carry.
    """
    if system_prompt is None:
        return ()
    if not isinstance(system_prompt, str):
        raise InvalidRequestError("system_prompt: expected text")
    return (Turn(role="system", parts=(Text(text=clean(system_prompt, "system_prompt")),)),)


async def _ask(conversations: Ref, question: object) -> object:
    answer = await conversations.ask(question, deadline=trio.current_time() + ASK_S)
    match answer:
        case Failed():
            raise error_of(Unfinished(request_id=RequestId(""), failure=answer))
        case ActorFailed() | Undelivered() | Unavailable() | Expired() | Withdrawn():
            raise error_of_terminal(answer, "")
        case _:
            return answer


def _is_part(message: Mapping[str, Any]) -> bool:
    return "type" in message and "role" not in message


def _text_in(turn: Turn) -> str:
    return text_of(turn.parts) or "".join(text_of(part.content) for part in turn.parts if isinstance(part, ToolResult))
