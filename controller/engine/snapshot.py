"""What a campaign looks like at one moment, for displays and for scripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from controller.domain.campaign import Definition
from controller.domain.history import Ended
from controller.domain.objective import Front, bounded
from controller.domain.space import Problem
from controller.domain.state import CampaignState
from controller.store.reading import iso


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
    front: bool = False
    """Whether that is a Pareto front."""
    running: list[dict[str, Any]] = field(default_factory=list)
    """`{"experiment", "step", "instrument", "status", "since", "expected_s", "fraction", "task"}`, times in lab seconds; `task` is
    the id of what a person is asked to do, None where a device does it."""
    instruments: list[dict[str, Any]] = field(default_factory=list)
    """`{"instrument", "connected", "state"}`."""
    doing: str = ""
    alarms: list[str] = field(default_factory=list)
    simulated: bool = False
    imported: int = 0
    """How many of the completed and failed ones were measured elsewhere and imported: they cost no budget."""
    idle_s: float = 0.0
    """How long an instrument has stood free for want of a proposal since the controller began [real s]."""
    started_at: float = 0.0
    now: float = 0.0


class BestSoFar:
    """The best experiment, or the Pareto front; each further result is compared with that alone.

    Args:
        problem: Of the campaign.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._front: Front[Ended] = Front()

    def add(self, ended: Ended) -> None:
        """Take one experiment in; one without values, or at a fidelity that does not count, changes nothing.

        Nor does any where the objectives are to be known, not to be optimised.
        """
        if ended.values is not None and not self._problem.explored and self._problem.counts(ended.point):
            self._front.add(self._problem.standing(ended.values), ended)

    def numbers(self) -> list[int]:
        """Return their numbers."""
        return [ended.number for ended in self._front]

    def experiments(self) -> list[dict[str, Any]]:
        """Return `{"experiment": number, "parameters": {...}, "objectives": {...}}` ordered by the first objective.

        Where outcomes are constrained, with `feasible`: whether the constraints are met.
        """
        first = next(iter(self._problem.objectives))
        said = {"feasible": self._front.feasible} if bounded(self._problem.objectives) else {}
        return sorted(
            (
                {"experiment": e.number, "parameters": dict(e.point), "objectives": dict(e.values or {}), **said}
                for e in self._front
            ),
            key=lambda found: found["objectives"][first],
        )


def best_so_far(definition: Definition, state: CampaignState) -> BestSoFar:
    """Return the best of all results that stand."""
    best = BestSoFar(definition.problem)
    for ended in state.history:
        best.add(ended)
    return best


def best_experiments(definition: Definition, state: CampaignState) -> list[dict[str, Any]]:
    """Return the best experiment, or the Pareto front; see `BestSoFar.experiments`."""
    return best_so_far(definition, state).experiments()


def snapshot_of(definition: Definition, state: CampaignState, best: list[dict[str, Any]] | None = None) -> Snapshot:
    """Return what a campaign looks like from its events alone, without a lab; `best` if it is known already."""
    return Snapshot(
        campaign=state.name,
        status=state.status.value,
        reason=state.reason,
        counts=state.counts(),
        budget=definition.budget.experiments,
        spent=state.spent,
        best=best_experiments(definition, state) if best is None else best,
        front=definition.problem.several,
        simulated=state.simulated,
        imported=len(state.imported),
        started_at=state.created_at,
        now=state.last_at,
    )


def rows_of(state: CampaignState) -> list[dict[str, Any]]:
    """Return the experiments of a whole state (not a lean one) by number, as a store's reader gives them."""
    rows = []
    for e in sorted(state.experiments.values(), key=lambda e: e.number):
        sem = {name: seen.sem for name, seen in e.observations.items() if seen.sem is not None}
        row: dict[str, Any] = {
            "id": e.id, "number": e.number, "status": e.status.value, "parameters": dict(e.point),
            "objectives": {name: seen.value for name, seen in e.observations.items()}, "attempts": len(e.attempts),
            "proposed_at": iso(e.proposed_at), "started_at": iso(e.started_at), "completed_at": iso(e.ended_at),
            "simulated": state.simulated, "reason": e.reason, "source": e.proposal.source,
            "retracted_at": iso(e.retracted_at), "retracted_reason": e.retracted_reason,
        }  # fmt: skip
        rows.append(row | ({"sem": sem} if sem else {}) | ({"context": dict(e.context)} if e.context else {}))
    return rows
