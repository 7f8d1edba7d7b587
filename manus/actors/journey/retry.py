"""Own what follows a failed attempt: the same deployment again, another one, a wait, or the end.

Pure: `now` and the source of jitter are arguments. It acts on a failure's *advice*, never on a status code, and on
what health says of who may be asked now. The plan was fixed at admission; the cursor walks it and every walk ends,
because each deployment is entered once, returned to only by advice, and all attempts together are bounded.

What a failure said stays true for the rest of the walk: a prompt that was too long for one window is only asked of
larger ones, and what a content policy refused only of those that the configuration names for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from manus.actors.health import Health, NotBefore, Ready
from manus.actors.jitter import Jitter
from manus.actors.journey.resting import Resting, all_resting, back_in_s
from manus.actors.journey.steps import Ask, GiveUp, Wanted
from manus.actors.journey.traffic_share import TrafficShares
from manus.actors.routing.plan import Choice, Plan
from manus.messages.failures import Failed
from manus.messages.outcomes import AttemptRole
from manus.messages.routing_policy import RetryPolicy

SPREAD: Final = 0.05
"""Who waits for a deployment that rests waits up to so much longer, so that not all that wait come back at once..."""

SPREAD_MAX_S: Final = 0.5
"""...but no longer than this."""


class _Return(NamedTuple):
    """A deployment that was asked already and may be asked again, not before `at`. `full`: our own queue was."""

    choice: Choice
    at: float
    full: bool = False
    role: AttemptRole = "retry"


class PlanCursor:
    """Walks one request's plan. Made per request, kept by its task alone.

    `first`, `after` and `again` say what comes next and take nothing but retries from their budget; `begun` notes that
    an attempt has its place.

    Args:
        health: says who may be asked, when.
        budget: what attempts at deployments that were asked before are taken from.
        jitter: of the request's own.
        deadline: the request's, on the loop's clock; nothing is started that could not begin before it.
        tokens: about how long the prompt is, for larger windows.
    """

    __slots__ = (
        "_begun",
        "_budget",
        "_coming",
        "_deadline",
        "_failure",
        "_health",
        "_jitter",
        "_least_window",
        "_nobody",
        "_paid",
        "_patient_until",
        "_plan",
        "_policy",
        "_policy_only",
        "_retry",
        "_returns",
        "_tokens",
        "_too_small",
        "_tries",
    )

    def __init__(
        self,
        plan: Plan,
        policy: RetryPolicy,
        *,
        health: Health,
        budget: TrafficShares,
        jitter: Jitter,
        deadline: float,
        tokens: int,
    ) -> None:
        self._plan = plan
        self._policy = policy
        self._health = health
        self._budget = budget
        self._jitter = jitter
        self._deadline = deadline
        self._tokens = tokens
        self._coming = list(plan.choices)
        self._tries: dict[str, int] = {}
        self._returns: dict[str, _Return] = {}
        self._retry: _Return | None = None
        self._failure: Failed | None = None
        self._nobody: Failed | None = None
        self._least_window = 0
        self._too_small: set[str] = set()
        self._policy_only = False
        self._patient_until: float | None = None
        self._paid = False
        self._begun = 0

    def first(self, now: float) -> Ask | GiveUp:
        """Begin: with the plan's first choice, unless it rests."""
        if self._health.all_well:
            return Ask(choice=self._coming[0])
        return self.again(now)

    def after(
        self, choice: Choice, failure: Failed, *, now: float, want: Wanted | None = None, insist: bool = False
    ) -> Ask | GiveUp:
        """Decide what follows `failure` of `choice`.

        Args:
            choice: who failed.
            failure: how; only its advice, its hint, and whether it was our own queue are read.
            now: the loop's clock.
            want: prefers, among those that may be asked at once, the first one that it is true of, also `choice`
                itself where the advice allows to return to it.
            insist: only such a one will do.
        """
        if failure is not self._failure:
            self._note(choice, failure, now)
        return self._pick(now, want, insist)

    def again(self, now: float) -> Ask | GiveUp:
        """Decide anew, because the deployment that was to be asked was not ready after all."""
        return self._pick(now, None, False)

    @property
    def plan(self) -> Plan:
        """The plan that it walks."""
        return self._plan

    def renew(self, plan: Plan | Failed) -> None:
        """Walk on over another plan: the configuration has changed. What has failed once is not begun with again."""
        if isinstance(plan, Failed):
            self._nobody = plan
            plan = self._plan.renewed(None)
        there: dict[str, Choice] = {choice.deployment: choice for choice in plan.choices}
        known = {choice.deployment for choice in self._plan.choices}
        coming = {choice.deployment for choice in self._coming}
        self._coming = [c for c in plan.choices if c.deployment in coming or c.deployment not in known]
        self._returns = {
            name: each._replace(choice=there[name]) for name, each in self._returns.items() if name in there
        }
        retry = self._retry
        if retry is not None:
            choice = there.get(retry.choice.deployment)
            self._retry = None if choice is None else retry._replace(choice=choice)
        self._plan = plan

    def standing_in(self, choice: Choice) -> Choice | None:
        """Give a choice as the present plan has it; None where it has left."""
        return next((each for each in self._plan.choices if each.deployment == choice.deployment), None)

    def failed(self, choice: Choice, failure: Failed, now: float) -> None:
        """Note the failure of an attempt that another one ran beside, and whose failure is yet to be told."""
        self._note(choice, failure, now)

    def spare(self, now: float) -> Choice | None:
        """Name the next deployment that may be asked now and is well: one that is not needed, but may be of use."""
        if self._begun >= self._policy.attempts_max:
            return None
        for other in self._others():
            verdict = self._verdict(other, now)
            if isinstance(verdict, Ready) and not verdict.probe:
                return other
        return None

    def begun(self, choice: Choice) -> None:
        """Note that an attempt at `choice` has begun."""
        self._begun += 1
        self._tries[choice.deployment] = self._tries.get(choice.deployment, 0) + 1
        self._returns.pop(choice.deployment, None)
        self._patient_until = None
        self._paid = False
        for place, coming in enumerate(self._coming):
            if coming.deployment == choice.deployment:
                del self._coming[place]
                return

    # --- what a failure says ------------------------------------------------------------------------

    def _note(self, choice: Choice, failure: Failed, now: float) -> None:
        self._failure = failure
        self._retry = None
        advice = failure.what_to_do
        if advice.elsewhere == "larger_window":
            self._least_window = max(self._least_window, choice.card.context_tokens or self._tokens)
            self._too_small.add(choice.card.vendor_name)
        elif advice.elsewhere == "policy_target":
            self._policy_only = True
        there = self.standing_in(choice)
        if advice.retry_here == "no" or there is None:
            return
        choice = there
        tries, hint = self._tries.get(choice.deployment, 1), failure.retry_after_s
        if advice.retry_here == "once" and tries > self._policy.same_deployment:
            return
        pause = self._backoff(tries)
        if advice.retry_here == "once" and hint is None:
            self._retry = _Return(choice, now + pause)
            return
        full = _is_full(failure)
        if (
            hint is not None
            and not full
            and hint <= self._policy.wait_here_s
            and tries <= min(1, self._policy.same_deployment)
            and not self._has_twin(choice, now)
        ):
            spread_s = SPREAD * hint * (1.0 + self._jitter.draw())
            self._retry = _Return(choice, now + hint + spread_s, role="wait")
            return
        # Others come first; a vendor that named a time is worth returning to when nobody else is left.
        at = now if full else now + max(hint or 0.0, pause)
        if at - now <= self._policy.wait_hint_max_s:
            self._returns[choice.deployment] = _Return(choice, at, full)

    def _has_twin(self, choice: Choice, now: float) -> bool:
        """Whether the same model can be asked now under another key: that is as good, and needs no waiting."""
        return any(
            other.provider == choice.provider
            and other.model == choice.model
            and not isinstance(self._verdict(other, now), NotBefore)
            for other in self._others()
        )

    def _backoff(self, tries: int) -> float:
        """Draw an exponential back-off with full jitter, never zero: a reset is seldom over at once."""
        ceiling = min(self._policy.max_s, self._policy.base_s * 2.0 ** (tries - 1))
        return ceiling * (0.1 + 0.9 * self._jitter.draw())

    # --- who comes next -----------------------------------------------------------------------------

    def _pick(self, now: float, want: Wanted | None, insist: bool) -> Ask | GiveUp:
        failure = self._failure
        if failure is not None:
            advice = failure.what_to_do
            if advice.retry_here == "no" and advice.elsewhere == "no":
                return GiveUp(reason=f"{failure.kind} is not answered by asking again")
        if self._begun >= self._policy.attempts_max:
            return self._give_up(f"{self._begun} attempts were made, the most one request may take", now)
        if want is not None:
            wanted = self._retry_here(now, want) or self._other(now, want)
            if wanted is not None:
                return wanted
            if insist:
                return self._give_up("no candidate is left that could go on with it", now)
        step = self._retry_here(now, None) or self._other(now, None)
        return step if step is not None else self._wait(now)

    def _retry_here(self, now: float, want: Wanted | None) -> Ask | None:
        """Return to the deployment that failed, after a back-off, where that can help and the budget allows it."""
        retry = self._retry
        if retry is None or (want is not None and not want(retry.choice)):
            return None
        self._retry = None
        if retry.at >= self._deadline or not self._fits(retry.choice):
            return None
        if isinstance(self._verdict(retry.choice, retry.at), NotBefore):
            self._returns[retry.choice.deployment] = retry
            return None
        if not self._budget.spend(retry.choice.provider, now):
            return None
        # Should it rest when its turn comes, it is waited for like any other, and is paid for.
        self._paid = True
        self._returns[retry.choice.deployment] = retry
        return Ask(choice=retry.choice, role=retry.role, wait_s=max(0.0, retry.at - now))

    def _other(self, now: float, want: Wanted | None) -> Ask | None:
        """Take the next deployment that may be asked now."""
        for other in self._others():
            if (want is None or want(other)) and not isinstance(self._verdict(other, now), NotBefore):
                # The last attempt that may be made waits for room: nobody could be asked after it.
                shed = self._begun + 1 < self._policy.attempts_max
                return Ask(choice=other, role="failover" if self._begun else "first", shed=shed)
        return None

    def _others(self) -> Iterator[Choice]:
        """Name those that were not asked yet and come into question."""
        if self._failure is not None and self._failure.what_to_do.elsewhere == "no":
            return
        # A larger window that is known comes before one that is not.
        coming = sorted(self._coming, key=_window_is_unknown) if self._least_window else self._coming
        for choice in coming:
            if self._fits(choice) and (choice.use == "any" or self._policy_only or self._least_window):
                yield choice

    def _fits(self, choice: Choice) -> bool:
        """Whether what was learnt of the request allows to ask `choice`."""
        if self._policy_only:
            if not choice.after_policy:
                return False
        elif choice.use == "policy":
            return False
        if not self._least_window:
            return True
        window = choice.card.context_tokens
        return choice.card.vendor_name not in self._too_small if window is None else window > self._least_window

    def _wait(self, now: float) -> Ask | GiveUp:
        """Wait for whoever may be asked soonest, if that is worth it."""
        earliest: tuple[float, Choice, _Return | None, float] | None = None
        for choice, returning in self._waited_for():
            at, most_spread_s = now if returning is None else returning.at, 0.0
            verdict = self._verdict(choice, max(at, now))
            if isinstance(verdict, NotBefore):
                at, most_spread_s = verdict.at, SPREAD_MAX_S  # of a rest all learn the same end
            if earliest is None or at < earliest[0]:
                earliest = (at, choice, returning, most_spread_s)
        if earliest is None:
            return self._give_up("no candidate is left", now)
        at, choice, returning, most_spread_s = earliest
        if at >= self._deadline:
            return self._give_up("no candidate is left, and waiting would take longer than the deadline", now)
        patient_until = now + self._policy.wait_hint_max_s if self._patient_until is None else self._patient_until
        if at > patient_until:
            most_s = self._policy.wait_hint_max_s
            return self._give_up(f"no candidate is left, and nobody waits longer than {most_s:g} s", now)
        if returning is not None and not returning.full and not self._paid:
            if not self._budget.spend(choice.provider, now):
                return self._give_up("no candidate is left, and the retry budget is spent", now)
            self._paid = True  # however often it has to be waited for until it begins
        self._patient_until = patient_until
        wait_s = max(0.0, at - now)
        wait_s += min(SPREAD * wait_s, most_spread_s, self._deadline - at) * self._jitter.draw()
        if returning is not None:
            return Ask(choice=choice, role="wait", wait_s=wait_s, shed=not returning.full)
        return Ask(choice=choice, role="failover" if self._begun else "first", wait_s=wait_s)

    def _waited_for(self) -> Iterator[tuple[Choice, _Return | None]]:
        for returning in self._returns.values():
            if self._fits(returning.choice):
                yield returning.choice, returning
        for choice in self._others():
            yield choice, None

    def _verdict(self, choice: Choice, at: float) -> Ready | NotBefore:
        return self._health.verdict(choice.deployment, provider=choice.provider, key=choice.key, now=at)

    # --- the end ------------------------------------------------------------------------------------

    def _give_up(self, reason: str, now: float) -> GiveUp:
        """End it, and say when it is worth coming back: when the first of those in question may be asked again."""
        resting: list[Resting] = []
        for choice in self._plan.choices:
            if choice.use == "any" or self._policy_only or self._least_window:
                if not self._fits(choice):
                    continue
                verdict = self._verdict(choice, now)
                resting.append(Resting(choice, verdict if isinstance(verdict, NotBefore) else None))
        failure = self._failure
        if failure is None:
            return GiveUp(reason=reason, failure=self._nobody or all_resting(resting, now))
        back_s = back_in_s(resting, now)
        if back_s is None or back_s == failure.retry_after_s:
            return GiveUp(reason=reason)
        return GiveUp(reason=reason, failure=msgspec.structs.replace(failure, retry_after_s=back_s))


def is_alone(plan: Plan, policy: RetryPolicy) -> bool:
    """Whether nobody but the first choice would be asked in its stead, so that it may as well wait for room there."""
    return policy.attempts_max == 1 or not any(choice.use == "any" for choice in plan.choices[1:])


def _window_is_unknown(choice: Choice) -> bool:
    return choice.card.context_tokens is None


def _is_full(failure: Failed) -> bool:
    """Whether a queue of ours or our own limits had no room; no vendor said anything."""
    ours = failure.kind == "admission" or (failure.kind == "overloaded" and failure.status is None)
    return ours and failure.phase == "queued"
