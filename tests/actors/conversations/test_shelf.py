"""All conversations within their bounds, held against a naive shelf that works everything out anew."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from manus.actors.conversations.shelf import OVERHEAD_BYTES, Shelf
from manus.actors.conversations.store import MemoryStore
from manus.messages.content import Turn, text_turn
from manus.messages.conversations import ConversationPolicy, Exchange


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def exchange_of(size: int, at: float) -> Exchange:
    return Exchange(asked=(text_turn("user", "x" * size),), answer=text_turn("assistant", "y"), at_unix_s=at)


class NaiveShelf:
    """A list of (name, system, exchanges, used), longest unused first; sums and bounds are worked out each time."""

    def __init__(self, policy: ConversationPolicy) -> None:
        self.policy = policy
        self.rows: list[tuple[str, tuple[Turn, ...], list[Exchange], float]] = []

    def find(self, name: str, now: float) -> tuple[str, tuple[Turn, ...], list[Exchange], float] | None:
        row = next((row for row in self.rows if row[0] == name), None)
        return None if row is None or self.is_idle(row[3], now) else row

    def is_idle(self, used: float, now: float) -> bool:
        return self.policy.idle_s is not None and now - used > self.policy.idle_s

    def put(self, name: str, system: tuple[Turn, ...], said: list[Exchange], used: float) -> None:
        self.rows = [row for row in self.rows if row[0] != name]
        while len(said) > 1 and self.size(system, said) > self.policy.conversation_bytes_max:
            said = said[1:]
        self.rows.append((name, system, said, used))

    def size(self, system: tuple[Turn, ...], said: list[Exchange]) -> int:
        system_bytes = len(msgspec.json.encode(system)) if system else 0
        return system_bytes + sum(len(msgspec.json.encode(exchange)) for exchange in said)

    def total(self) -> int:
        return sum(self.size(system, said) + OVERHEAD_BYTES for _, system, said, _ in self.rows)

    def tidy(self, busy: set[str], now: float) -> list[str]:
        gone = []
        for name, _, _, used in list(self.rows):
            too_many = len(self.rows) > self.policy.conversations_max or self.total() > self.policy.bytes_max
            too_many = too_many and self.policy.when_full == "forget_oldest"
            if not (self.is_idle(used, now) or too_many):
                break
            if name not in busy:
                gone.append(name)
                self.rows = [row for row in self.rows if row[0] != name]
        return gone


NAMES = st.sampled_from("abcd")
STEPS = st.one_of(
    st.tuples(st.just("say"), NAMES, st.integers(0, 900)),
    st.tuples(st.just("take back"), NAMES, st.just(0)),
    st.tuples(st.just("begin"), NAMES, st.just(0)),
    st.tuples(st.just("remove"), NAMES, st.just(0)),
    st.tuples(st.just("wait"), NAMES, st.integers(1, 40)),
    st.tuples(st.just("tidy"), NAMES, st.integers(0, 1)),
)
POLICIES = st.builds(
    ConversationPolicy,
    conversations_max=st.integers(1, 4),
    bytes_max=st.integers(2000, 9000),
    conversation_bytes_max=st.integers(500, 2000),
    idle_s=st.one_of(st.none(), st.just(50.0)),
    when_full=st.sampled_from(["forget_oldest", "forget_oldest", "refuse"]),
)


@given(POLICIES, st.lists(STEPS, max_size=40))
def test_shelf_holds_what_a_naive_one_holds(policy: ConversationPolicy, steps: list[tuple[str, str, int]]) -> None:
    clock = Clock()
    shelf, naive = Shelf(policy, MemoryStore(), now_unix_s=clock), NaiveShelf(policy)
    for step, name, number in steps:
        row = naive.find(name, clock.now)
        _, system, said, _ = row or (name, (), [], 0.0)
        match step:
            case "say":
                exchange = exchange_of(number, clock.now)
                system = (text_turn("system", name),)
                shelf.append(name, exchange, system)
                naive.put(name, system, [*said, exchange], clock.now)
            case "begin" if row is None:
                shelf.begin(name, ())
                naive.put(name, (), [], clock.now)
            case "remove":
                assert shelf.remove(name) == (row is not None)
                naive.rows = [each for each in naive.rows if each[0] != name]
            case "wait":
                clock.now += number
            case "tidy":
                busy = {name} if number else set()
                assert [each.conversation_id for each in shelf.tidied(busy)] == naive.tidy(busy, clock.now)
            case _:
                pass
        assert len(shelf) == len(naive.rows)
        assert shelf.size_bytes == naive.total()
        for each in "abcd":
            held, known = shelf.get(each), naive.find(each, clock.now)
            assert (held is None) == (known is None)
            if held is not None and known is not None:
                assert (held.system, list(held.exchanges), held.used_unix_s) == known[1:]


def test_taking_back_gives_what_was_before() -> None:
    shelf = Shelf(ConversationPolicy(), MemoryStore(), now_unix_s=lambda: 0.0)
    shelf.append("a", exchange_of(1, 0.0), (text_turn("system", "old"),))
    before = shelf.get("a")
    assert before is not None
    size = shelf.size_bytes
    late = exchange_of(2, 0.0)
    shelf.append("a", late, (text_turn("system", "new"),))
    shelf.retract("a", exchange_of(2, 0.0), before)
    assert shelf.get("a") != before, "it was another one"
    shelf.retract("a", late, before)
    assert shelf.get("a") == before
    assert shelf.size_bytes == size
    shelf.append("b", late, ())
    shelf.retract("b", late, None)
    assert shelf.get("b") is None
    assert shelf.size_bytes == size
    shelf.retract("nobody", late, None)
