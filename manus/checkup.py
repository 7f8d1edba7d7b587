"""Own what an examination of a provider finds: checks as data, and the judgements behind them.

Pure. Every check that is not well says what to mend; what a vendor's list cannot prove is said to be unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from email.utils import parsedate_to_datetime
from typing import Final, Literal

import msgspec

from manus.config.did_you_mean import suggestion
from manus.messages.failures import Failed

State = Literal["ok", "warning", "unknown", "failed", "skipped"]
"""Well; well, but; nobody can say; to be mended; not looked at."""

SKEW_MAX_S: Final = 300.0
"""How far AWS lets a signature's date be from its own clock."""

SKEW_NOTABLE_S: Final = 60.0
"""From here on a clock is worth a word: tokens and certificates are judged by it."""

_AREA: Final = re.compile(r"(?:us-gov|us|eu|apac|jp|au|ca|sa|in|mx|global)\.(?=[a-z0-9]+\.)")


class Check(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing looked at: what was found, and what to mend where it is not well."""

    name: str
    state: State
    found: str
    mend: str = ""


class Checkup(msgspec.Struct, frozen=True, kw_only=True):
    """One provider entry, examined."""

    provider: str
    type: str
    address: str
    checks: tuple[Check, ...] = ()

    @property
    def state(self) -> State:
        """The worst of its checks."""
        return worst(check.state for check in self.checks)


_ORDER: Final[tuple[State, ...]] = ("ok", "skipped", "unknown", "warning", "failed")


def worst(states: Iterable[State]) -> State:
    """Give the worst of some states; nothing looked at is well."""
    return max(states, key=_ORDER.index, default="ok")


def clock_check(date: str | None, now_unix_s: float, *, signs: bool) -> Check:
    """Compare this machine's clock with the server's, as its `Date` header tells it.

    Args:
        date: the header, None where there was none.
        now_unix_s: this machine's clock when the answer came.
        signs: whether requests to this provider are signed with a date.
    """
    try:
        server = None if date is None else parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        server = None
    if server is None:
        return Check(name="clock", state="unknown", found="the server did not tell its time")
    skew_s = now_unix_s - server
    way = "ahead of" if skew_s > 0 else "behind"
    found = f"{abs(skew_s):.0f} s {way} the server's"
    mend = "set this machine's clock (for example with NTP)"
    if signs and abs(skew_s) >= SKEW_MAX_S:
        return Check(name="clock", state="failed", found=f"{found}; signatures may be 300 s off at most", mend=mend)
    if abs(skew_s) >= SKEW_NOTABLE_S:
        return Check(name="clock", state="warning", found=found, mend=mend)
    return Check(name="clock", state="ok", found="agrees with the server's")


def refusal_check(kind: str, status: int, failure: Failed, *, vendor_type: str) -> Check:
    """Judge an answer to the free listing that is no list.

    Args:
        kind: how the failure was classified.
        status: the HTTP status.
        failure: the vendor's words, cleaned of secrets.
        vendor_type: the entry's type.
    """
    said = f"HTTP {status}: {failure.message}"
    if kind == "auth":
        mends = {
            "bedrock": "check the credentials, their region and the clock; `aws sts get-caller-identity` proves them",
            "azure": "check the key and that it is of this resource (`base_url`)",
        }
        mend = mends.get(vendor_type, "check the key: is it whole, not revoked, and of this server (`base_url`)?")
        return Check(name="authenticated", state="failed", found=said, mend=mend)
    if kind == "permission":
        if vendor_type == "bedrock":
            mend = "allow bedrock:ListFoundationModels to have models checked; calls need bedrock:InvokeModel"
            return Check(name="authenticated", state="warning", found=said, mend=mend)
        mend = "ask the owner of the account for access: region, network rules, role or project of the key"
        return Check(name="authenticated", state="failed", found=said, mend=mend)
    if kind == "quota_exhausted":
        mend = "pay the bill or raise the limit at the vendor"
        return Check(name="authenticated", state="failed", found=said, mend=mend)
    if status in (404, 405, 501):
        mend = "nothing, if this server has no list of models; else check the path in `base_url`"
        return Check(name="authenticated", state="unknown", found=f"the server lists no models ({said})", mend=mend)
    return Check(name="authenticated", state="unknown", found=said, mend="try again later")


def model_check(model: str, listed: Sequence[str], *, vendor_type: str) -> Check:
    """Say whether a configured model can be asked, as far as the vendor's list proves it."""
    name = f"model {model}"
    known = frozenset(listed)
    if vendor_type == "azure":
        return Check(name=name, state="unknown", found="cannot tell: the list has models, not deployments")
    if model in known:
        proof = "offered in this region; the list does not prove access to it" if vendor_type == "bedrock" else "listed"
        return Check(name=name, state="unknown" if vendor_type == "bedrock" else "ok", found=proof)
    if vendor_type == "ollama" and f"{model}:latest" in known:
        return Check(name=name, state="ok", found="installed")
    if vendor_type == "ollama":
        found = f"not installed{suggestion(model, listed)}"
        return Check(
            name=name, state="failed", found=found, mend=f"run `ollama pull {model}`, or take it out of `models`"
        )
    if vendor_type == "bedrock":
        return _bedrock_model(name, model, listed)
    if any(each.startswith(f"{model}-2") for each in listed):
        return Check(name=name, state="ok", found="an alias of a listed snapshot")
    if model.endswith("-latest"):
        return Check(name=name, state="unknown", found="cannot tell: the list has no aliases")
    found = f"not among the {len(listed)} models listed{suggestion(model, listed)}"
    return Check(name=name, state="failed", found=found, mend="correct its name in `models`, or ask for access to it")


def _bedrock_model(name: str, model: str, listed: Sequence[str]) -> Check:
    if model.startswith("arn:"):
        return Check(name=name, state="unknown", found="cannot tell: an ARN is in no list")
    base = _AREA.sub("", model, count=1)
    if base in listed:
        found = "a profile of a model offered in this region; the list does not prove access to it"
        return Check(name=name, state="unknown", found=found)
    found = f"not offered in this region{suggestion(base, listed)}"
    mend = "correct its name or `region`; a profile of another area (`us.`, `eu.`, `global.`) may reach it"
    return Check(name=name, state="failed", found=found, mend=mend)


def deployment_check(model: str, status: int, code: str | None) -> Check:
    """Judge the answer to an empty question at an Azure deployment: refused as empty, it is there."""
    name = f"model {model}"
    if status == 404:
        mend = "correct its name in `models` (the deployment's, not the model's); a new one takes about five minutes"
        return Check(name=name, state="failed", found=f"no such deployment ({code or 'HTTP 404'})", mend=mend)
    if status == 400:
        return Check(name=name, state="ok", found="the deployment is there")
    return Check(name=name, state="unknown", found=f"cannot tell (HTTP {status})")
