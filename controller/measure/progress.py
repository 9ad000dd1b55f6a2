"""How far an experiment has come, derived from its attempts alone, so that a restarted controller sees the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from controller.domain.event import Fault, Measurement
from controller.domain.experiment import OPEN_ATTEMPTS, AttemptStatus
from controller.domain.lab import StepSpec
from controller.domain.state import Attempt

End = Literal["complete", "failed", "cancelled", "unknown"]


@dataclass(frozen=True)
class Progress:
    """What is done, what is busy, and whether the experiment has come to an end."""

    done: frozenset[str]
    """Steps that succeeded."""
    begun: frozenset[str]
    """Steps that are with a driver, or ended in a way that forbids another dispatch."""
    results: dict[str, dict[str, Measurement]]
    """What the steps returned."""
    ending: bool = False
    """Some step ended for good without success: nothing further may begin."""
    end: End | None = None
    fault: Fault | None = None


def assess(protocol: Sequence[StepSpec], attempts: Mapping[str, Sequence[Attempt]]) -> Progress:
    """Return how far an experiment has come.

    An attempt's `fault.retryable` is the controller's own verdict (see `verdict.py`): whether the step may be dispatched again.

    Args:
        protocol: The steps.
        attempts: Step -> its attempts, oldest first.
    """
    done: set[str] = set()
    begun: set[str] = set()
    results: dict[str, dict[str, Measurement]] = {}
    ends: dict[End, Fault | None] = {}
    busy = False
    for step in protocol:
        if not attempts.get(step.step):
            continue
        last = attempts[step.step][-1]
        if last.status is AttemptStatus.SUCCEEDED:
            done.add(step.step)
            results[step.step] = {m.name: m for m in last.measurements}
        elif last.status in OPEN_ATTEMPTS:
            begun.add(step.step)
            busy = True
        elif last.status is AttemptStatus.UNKNOWN:
            begun.add(step.step)
            ends["unknown"] = last.fault
        elif last.status is AttemptStatus.CANCELLED:
            begun.add(step.step)
            ends["cancelled"] = last.fault
        elif last.fault is None or not last.fault.retryable:
            begun.add(step.step)
            ends["failed"] = last.fault
    end: End | None = None
    if len(done) == len(protocol):
        end = "complete"
    elif ends and not busy:
        # What nobody knows weighs more than what failed: a person has to look.
        end = next(e for e in ("unknown", "failed", "cancelled") if e in ends)
    return Progress(frozenset(done), frozenset(begun), results, bool(ends), end, ends.get(end) if end else None)

