"""What a driver's journal holds of one attempt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from instruments.protocol.messages import AttemptStatus, RejectCode
from instruments.protocol.values import FaultCode, Faulted, Outcome, Scalar

RecordPhase = Literal["accepted", "running", "finished", "rejected", "acknowledged"]


@dataclass(frozen=True)
class AttemptRecord:
    """One attempt as the journal knows it. Times are lab time [s since the Unix epoch]."""

    attempt: str
    action: str
    arguments: dict[str, Scalar]
    """As they are used: checked, converted to the declared units, defaults filled in."""
    received: dict[str, Scalar]
    """As they came."""
    units: dict[str, str]
    """Units in which they came."""
    duration_s: tuple[float, float]
    """(typical, longest) for these arguments [lab s]."""
    deadline_s: float
    """Longest time from start to finish [lab s]."""
    accepted_at: float
    conversions: dict[str, str]
    started_at: float | None = None
    finished_at: float | None = None
    outcome: Outcome | None = None
    rejected: tuple[RejectCode, str] | None = None
    acknowledged_at: float | None = None

    @property
    def phase(self) -> RecordPhase:
        """How far the attempt has come."""
        if self.rejected is not None:
            return "rejected"
        if self.acknowledged_at is not None:
            return "acknowledged"
        if self.outcome is not None:
            return "finished"
        return "accepted" if self.started_at is None else "running"

    @property
    def status(self) -> AttemptStatus:
        """The status that a report gives: an unacknowledged interruption is told apart from other outcomes."""
        phase = self.phase
        if phase == "finished" and isinstance(self.outcome, Faulted) and self.outcome.code is FaultCode.interrupted:
            return "interrupted"
        return phase

    def started(self, at: float) -> AttemptRecord:
        """Return the record with its start."""
        return replace(self, started_at=at)

    def finished(self, outcome: Outcome, at: float) -> AttemptRecord:
        """Return the record with its outcome."""
        return replace(self, outcome=outcome, finished_at=at)

    def acknowledged(self, at: float) -> AttemptRecord:
        """Return the record as acknowledged."""
        return replace(self, acknowledged_at=at)


def rejected_record(attempt: str, action: str, code: RejectCode, message: str, at: float) -> AttemptRecord:
    """Return the record of an attempt that was turned down, which is as final as any outcome."""
    return AttemptRecord(
        attempt=attempt,
        action=action,
        arguments={},
        received={},
        units={},
        duration_s=(0.0, 0.0),
        deadline_s=0.0,
        accepted_at=at,
        conversions={},
        rejected=(code, message),
    )
