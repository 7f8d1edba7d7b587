"""Lies about admission: who gets a place, who waits for one, what shed requests are told."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ROOM = "manus/actors/waiting_room.py"
ROUTER = "manus/actors/router.py"

T_ROOM = "tests/actors/test_waiting_room.py"
T_FAIRNESS = "tests/actors/test_router_fairness.py"

ADMISSION_MUTANTS = [
    Mutant(
        name="the router takes everybody",
        file=ROOM,
        original="        if self.taken >= (self._batch_places if batch else self._places):",
        mutated="        if self.taken > 2 * (self._batch_places if batch else self._places):",
        killers=(f"{T_FAIRNESS}::test_requests_of_one_moment_do_not_get_more_places_than_there_are",),
        rule="requests in flight are bounded",
    ),
    Mutant(
        name="there is always room",
        file=ROOM,
        original="        return self.taken < self._places\n",
        mutated="        return self.taken <= self._places\n",
        killers=(f"{T_ROOM}::test_there_is_room_for_who_may_start_or_wait",),
        rule="what is shed costs no task",
    ),
    Mutant(
        name="batch requests take every place",
        file=ROOM,
        original="        if self.taken >= (self._batch_places if batch else self._places):",
        mutated="        if self.taken >= self._places:",
        killers=(f"{T_FAIRNESS}::test_batch_waits_in_order_while_interactive_goes_ahead",),
        rule="interactive before batch",
    ),
    Mutant(
        name="a small router never serves batch requests",
        file=ROOM,
        original="        self._batch_places = max(1, math.ceil(places * batch_share))\n"
        "        self._waiting_max = waiting_max\n        self._rng",
        mutated="        self._batch_places = int(places * batch_share)\n"
        "        self._waiting_max = waiting_max\n        self._rng",
        killers=(f"{T_ROOM}::test_batch_starts_only_while_less_than_its_share_is_taken",),
        rule="batch progresses while there is room",
    ),
    Mutant(
        name="a place that is passed on is still free",
        file=ROOM,
        original="so one at most\n            self.taken += 1\n            self._lot.unpark()\n",
        mutated="so one at most\n            self._lot.unpark()\n",
        killers=(f"{T_ROOM}::test_who_waited_longest_begins_first_and_only_below_the_share",),
        rule="a place has one owner",
    ),
    Mutant(
        name="who waits is woken for places that are not for it",
        file=ROOM,
        original="        if self._lot and self.taken < self._batch_places:",
        mutated="        if self._lot and self.taken < self._places:",
        killers=(f"{T_ROOM}::test_who_waited_longest_begins_first_and_only_below_the_share",),
        rule="interactive before batch",
    ),
    Mutant(
        name="nobody wakes who waits",
        file=ROOM,
        original="so one at most\n            self.taken += 1\n            self._lot.unpark()\n",
        mutated="so one at most\n            self.taken += 1\n",
        killers=(f"{T_FAIRNESS}::test_batch_waits_in_order_while_interactive_goes_ahead",),
        rule="no hang",
    ),
    Mutant(
        name="any number may wait",
        file=ROOM,
        original=" or len(self._lot) < self._waiting_max",
        mutated=" or True",
        killers=(f"{T_FAIRNESS}::test_batch_is_shed_where_the_room_is_full_and_is_told_by_how_much",),
        rule="every queue has a bound",
    ),
    Mutant(
        name="who never began gives a place back",
        file=ROUTER,
        original="            if began_at is not None:\n                now = trio.current_time()\n",
        mutated="            if True:\n                now = began_at = trio.current_time()\n",
        killers=(f"{T_FAIRNESS}::test_who_leaves_while_it_waits_is_forgotten_at_once",),
        rule="no ghost places",
    ),
    Mutant(
        name="an ended request keeps its place",
        file=ROUTER,
        original="            self._room.leave(now - began_at, now)\n\n    async def _run_in_turn",
        mutated="            del now\n\n    async def _run_in_turn",
        killers=(f"{T_FAIRNESS}::test_batch_waits_in_order_while_interactive_goes_ahead",),
        rule="places are given back",
    ),
    Mutant(
        name="a shed crowd is told one and the same time",
        file=ROOM,
        original="        self._owed += 1\n",
        mutated="        self._owed = 1\n",
        killers=(f"{T_ROOM}::test_shed_requests_are_told_when_a_place_should_be_free_one_after_the_other",),
        rule="a shed crowd does not come back at once",
    ),
    Mutant(
        name="what shed requests are told is not spread",
        file=ROOM,
        original="SPREAD * self._rng.random()",
        mutated="0.0",
        killers=(f"{T_ROOM}::test_what_is_told_is_bounded_and_spread",),
        rule="a shed crowd does not come back at once",
    ),
    Mutant(
        name="a router that stands still promises a place soon",
        file=ROOM,
        original="        told_s = max(told_s, now - self._moved_at)\n",
        mutated="",
        killers=(f"{T_ROOM}::test_a_router_that_stands_still_is_not_said_to_be_fast",),
        rule="retry_after_s is honest",
    ),
    Mutant(
        name="a rush after a quiet hour is told to come back in an hour",
        file=ROOM,
        original="        self.taken += 1\n        self._moved_at = now\n",
        mutated="        self.taken += 1\n",
        killers=(f"{T_ROOM}::test_long_idleness_before_a_rush_is_not_taken_for_standing_still",),
        rule="retry_after_s is honest",
    ),
]
