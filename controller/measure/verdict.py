"""What an attempt's fault means for its experiment: decided here and nowhere else.

Only what is `safe` or `repeatable` is ever dispatched again without a person. A rejected command was not carried out at all,
so it may be sent again whatever its consequence. An interrupted action that consumes matter or cannot be undone leaves the
experiment `unknown`: nobody can say what became of it, and guessing would lose or repeat it.
"""

from __future__ import annotations

from typing import Literal

from controller.domain.event import Fault

Verdict = Literal["again", "failed", "unknown", "cancelled"]

REPEATABLE = frozenset({"safe", "repeatable"})
"""Consequences of actions that may be carried out twice."""

_PASSING_REJECTIONS = frozenset({"rejected.busy", "rejected.not_ready", "rejected.driver_error"})


def judge(fault: Fault, consequence: str | None, attempts: int, most: int) -> Verdict:
    """Return what follows from `fault`.

    Args:
        fault: What the driver reported; a refusal to begin has a code that starts with `rejected.`.
        consequence: The action's, as the driver announced it; None (not known) is taken for the worst.
        attempts: Dispatches of this step so far, this one included.
        most: Dispatches allowed.
    """
    again: Verdict = "again" if attempts < most else "failed"
    if fault.code.startswith("rejected."):
        if fault.code == "rejected.cancelled":
            return "cancelled"
        if fault.code == "rejected.stopped":
            return "again"  # nothing else is sent there before a person resumes it, so this never goes round
        return again if fault.code in _PASSING_REJECTIONS else "failed"
    if fault.code == "cancelled":
        return "cancelled"
    if consequence in REPEATABLE:
        return again if fault.retryable or fault.code in {"interrupted", "stopped", "timeout"} else "failed"
    return "unknown" if fault.code in {"interrupted", "stopped"} else "failed"
