"""What an attempt's fault means for its experiment: decided here and nowhere else.

Only what is `safe` or `repeatable` is ever dispatched again without a person. A rejected command was not carried out at all,
so it may be sent again whatever its consequence. An interrupted action that consumes matter or cannot be undone leaves the
experiment `unknown`: nobody can say what became of it, and guessing would lose or repeat it.
"""

from __future__ import annotations

from typing import Literal, get_args

from controller.domain.event import Fault
from instruments.protocol.capabilities import Consequence

Verdict = Literal["again", "failed", "unknown", "cancelled"]

REPEATABLE = frozenset({"safe", "repeatable"})
"""Consequences of actions that may be carried out twice."""

_GRAVITY: dict[str | None, int] = {consequence: gravity for gravity, consequence in enumerate(get_args(Consequence))}
PASSING_REFUSALS = frozenset({"rejected.busy", "rejected.not_ready", "rejected.stopped"})
"""Refusals that speak of the instrument and of now: they cost no dispatch, and the same is sent again when it may help."""


def graver(one: str | None, other: str | None) -> str | None:
    """Return the graver of two consequences; one that is not known is graver than all."""
    return max(one, other, key=lambda consequence: _GRAVITY.get(consequence, len(_GRAVITY)))


def judge(fault: Fault, consequence: str | None, attempts: int, most: int) -> Verdict:
    """Return what follows from `fault`.

    Args:
        fault: What the driver reported; a refusal to begin has a code that starts with `rejected.`.
        consequence: The action's, as the driver announced it; None (not known) is taken for the worst.
        attempts: Dispatches of this step so far, this one included; those that met a refusal of `PASSING_REFUSALS` left out.
        most: Dispatches allowed.
    """
    again: Verdict = "again" if attempts < most else "failed"
    if fault.code.startswith("rejected."):
        if fault.code == "rejected.cancelled":
            return "cancelled"
        if fault.code in PASSING_REFUSALS:
            return "again"  # a stopped instrument is sent nothing before a person resumes it, the others rest: see `dispatching.py`
        return again if fault.code == "rejected.driver_error" else "failed"
    if fault.code == "cancelled":
        return "cancelled"
    if consequence in REPEATABLE:
        return again if fault.retryable or fault.code in {"interrupted", "stopped", "timeout"} else "failed"
    return "unknown" if fault.code in {"interrupted", "stopped"} else "failed"
