"""What a campaign looks like at one moment, for displays and for scripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from controller.domain.campaign import Definition
from controller.domain.experiment import ExperimentStatus
from controller.domain.objective import best_of
from controller.domain.state import CampaignState


@dataclass(frozen=True)
class Snapshot:
    """One campaign at one moment; plain data throughout."""

    campaign: str
    status: str
    reason: str
    counts: dict[str, int]
    budget: int
    spent: int
    best: list[dict[str, Any]]
    """`{"experiment": number, "parameters": {...}, "objectives": {...}}`: the best one, or the Pareto front."""
    running: list[dict[str, Any]] = field(default_factory=list)
    """`{"experiment", "step", "instrument", "status", "since", "expected_s", "fraction"}`, times in lab seconds."""
    instruments: list[dict[str, Any]] = field(default_factory=list)
    """`{"instrument", "connected", "state"}`."""
    doing: str = ""
    alarms: list[str] = field(default_factory=list)
    simulated: bool = False
    idle_s: float = 0.0
    """How long an instrument has stood free for want of a proposal since the controller began [real s]."""
    started_at: float = 0.0
    now: float = 0.0


def best_experiments(definition: Definition, state: CampaignState) -> list[dict[str, Any]]:
    """Return the best experiment, or the Pareto front ordered by the first objective."""
    completed = state.with_status(ExperimentStatus.COMPLETED)
    objectives = definition.problem.objectives
    rows = [{name: e.observations[name].value for name in objectives} for e in completed]
    chosen = [
        {"experiment": completed[i].number, "parameters": dict(completed[i].point), "objectives": rows[i]}
        for i in best_of(objectives, rows)
    ]
    first = next(iter(objectives))
    return sorted(chosen, key=lambda c: c["objectives"][first])


def snapshot_of(
    definition: Definition, state: CampaignState, best: list[dict[str, Any]] | None = None
) -> Snapshot:
    """Return what a campaign looks like from its events alone, without a lab; `best` if it is known already."""
    return Snapshot(
        campaign=state.name,
        status=state.status.value,
        reason=state.reason,
        counts=state.counts(),
        budget=definition.budget.experiments,
        spent=state.spent,
        best=best_experiments(definition, state) if best is None else best,
        simulated=state.simulated,
        started_at=state.created_at,
        now=state.last_at,
    )
