"""The lifecycles, as tables.

```
experiment:  proposed ─> queued ─> running ─> completed
                 │          │         ├─────> failed ──(retry)──> queued, or ─> abandoned
                 └──────────┴──> cancelled ├> abandoned
                                      └────> unknown ─(resolved)─> running | completed | failed | abandoned

attempt:     committed ─> accepted ─> running ─> succeeded | faulted | cancelled | unknown ─(resolved)─> any end
```

`failed` may be tried again, `abandoned` never. `unknown`: it was sent and nobody can say what became of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from controller.domain.campaign import CampaignStatus
from controller.errors import IllegalTransitionError


class ExperimentStatus(StrEnum):
    """Where an experiment stands."""

    PROPOSED = "proposed"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    ABANDONED = "abandoned"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class AttemptStatus(StrEnum):
    """Where one dispatch of one step stands."""

    COMMITTED = "committed"
    ACCEPTED = "accepted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAULTED = "faulted"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


_E, _A, _C = ExperimentStatus, AttemptStatus, CampaignStatus

EXPERIMENT_TRANSITIONS: Final[Mapping[ExperimentStatus, frozenset[ExperimentStatus]]] = {
    _E.PROPOSED: frozenset({_E.QUEUED, _E.CANCELLED}),
    _E.QUEUED: frozenset({_E.RUNNING, _E.CANCELLED}),
    _E.RUNNING: frozenset({_E.COMPLETED, _E.FAILED, _E.ABANDONED, _E.CANCELLED, _E.UNKNOWN}),
    _E.COMPLETED: frozenset(),
    _E.FAILED: frozenset({_E.QUEUED, _E.ABANDONED}),
    _E.ABANDONED: frozenset(),
    _E.CANCELLED: frozenset(),
    _E.UNKNOWN: frozenset({_E.RUNNING, _E.COMPLETED, _E.FAILED, _E.ABANDONED}),
}

_ATTEMPT_ENDS = frozenset({_A.SUCCEEDED, _A.FAULTED, _A.CANCELLED, _A.UNKNOWN})

ATTEMPT_TRANSITIONS: Final[Mapping[AttemptStatus, frozenset[AttemptStatus]]] = {
    # A message can be lost and a later one arrive, so any later status may follow.
    _A.COMMITTED: frozenset({_A.ACCEPTED, _A.RUNNING}) | _ATTEMPT_ENDS,
    _A.ACCEPTED: frozenset({_A.RUNNING}) | _ATTEMPT_ENDS,
    _A.RUNNING: _ATTEMPT_ENDS,
    _A.SUCCEEDED: frozenset(),
    _A.FAULTED: frozenset(),
    _A.CANCELLED: frozenset(),
    _A.UNKNOWN: frozenset({_A.RUNNING, _A.SUCCEEDED, _A.FAULTED, _A.CANCELLED}),
}

CAMPAIGN_TRANSITIONS: Final[Mapping[CampaignStatus, frozenset[CampaignStatus]]] = {
    _C.DRAFT: frozenset({_C.RUNNING, _C.PAUSED, _C.FAILED}),
    _C.RUNNING: frozenset({_C.PAUSED, _C.STOPPING, _C.COMPLETED, _C.FAILED}),
    _C.PAUSED: frozenset({_C.RUNNING, _C.STOPPING, _C.COMPLETED, _C.FAILED}),
    _C.STOPPING: frozenset({_C.COMPLETED, _C.FAILED}),
    _C.COMPLETED: frozenset({_C.RUNNING}),  # a larger budget opens it again
    _C.FAILED: frozenset(),
}

OPEN_EXPERIMENTS: Final = frozenset({_E.PROPOSED, _E.QUEUED, _E.RUNNING})
"""Statuses whose experiments still have something to do."""

ENDED_EXPERIMENTS: Final = frozenset({_E.COMPLETED, _E.FAILED, _E.ABANDONED})
"""Statuses of experiments that were carried out, as far as they went: a model may learn from them."""

SETTLED_EXPERIMENTS: Final = frozenset({_E.COMPLETED, _E.ABANDONED, _E.CANCELLED})
"""Statuses that nothing follows."""

OPEN_ATTEMPTS: Final = frozenset({_A.COMMITTED, _A.ACCEPTED, _A.RUNNING})
"""Statuses whose attempts are with a driver, or may be."""


S = TypeVar("S", ExperimentStatus, AttemptStatus, CampaignStatus)


def check_transition(what: str, old: S, new: S) -> None:
    """Raise unless the lifecycle table lets `new` follow `old`.

    Raises:
        IllegalTransitionError: Naming `what`, both statuses and what could follow.
    """
    table: Mapping[S, frozenset[S]] = _TABLES[type(old)]
    if new not in table[old]:
        allowed = ", ".join(sorted(table[old])) or "nothing: it is final"
        raise IllegalTransitionError(f"{what} is {old.value} and cannot become {new.value}; possible: {allowed}")


_TABLES: Final[Mapping[type, Mapping]] = {  # type: ignore[type-arg]  # one table per status class
    ExperimentStatus: EXPERIMENT_TRANSITIONS,
    AttemptStatus: ATTEMPT_TRANSITIONS,
    CampaignStatus: CAMPAIGN_TRANSITIONS,
}
