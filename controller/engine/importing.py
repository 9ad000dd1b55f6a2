"""Results that were measured elsewhere, entered into a campaign's books: as experiments that cost no budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from controller.domain.campaign import Definition
from controller.domain.event import (
    Event,
    ExperimentProposed,
    ExperimentStatusChanged,
    Fault,
    Observation,
    ResultsImported,
)
from controller.domain.experiment import ExperimentStatus
from controller.domain.ids import new_id
from controller.domain.proposal import Proposal
from controller.domain.state import CampaignState
from controller.engine.suspecting import suspicions
from controller.errors import ConflictError

_S = ExperimentStatus


def objection(definition: Definition) -> str:
    """Say why nothing can be imported into a campaign; empty where it can be."""
    problem = definition.problem
    remedy = "name the file under earlier: in a campaign file instead"
    if problem.context:
        names = ", ".join(problem.context)
        return f"it has a context ({names}), and a file does not tell in which each row was met; {remedy}"
    if problem.drift is not None:
        return f"measurements drift here, and a file does not tell when each row was measured; {remedy}"
    return ""


def import_events(state: CampaignState, definition: Definition, argument: Mapping[str, Any], at: float) -> list[Event]:
    """Return the events by which results from a file become experiments of a campaign.

    Args:
        state: The campaign.
        definition: Its definition.
        argument: `file` (its name), `sha256`, `form`, `by`, and `rows`: each `row` (where it stands in the file), `point`, `values`
            (objective -> value; None where it failed), `sem` and `reason`.
        at: Lab time.

    Raises:
        ConflictError: If the file was imported before, there are no rows, or one says what the campaign does not allow.
    """
    if why := objection(definition):
        raise ConflictError(f"campaign {state.name}: {why}")
    file, sha256, rows = str(argument["file"]), str(argument["sha256"]), list(argument["rows"])
    if (before := state.files.get(sha256)) is not None:
        known = f"experiments {before.first} to {before.last}"
        raise ConflictError(f"{file} was imported into {state.name} already: {known}; nothing was changed")
    if not rows:
        raise ConflictError(f"{file} holds no results that could be imported")
    stamp: dict[str, Any] = {"campaign": state.id, "at": at}
    first, last = state.n_experiments + 1, state.n_experiments + len(rows)
    events: list[Event] = []
    try:
        events.append(
            ResultsImported(
                **stamp, file=file, sha256=sha256, form=str(argument["form"]), first=first, last=last, by=str(argument["by"])
            )
        )
        for number, row in enumerate(rows, start=first):
            events += _experiment(definition, row, f"{file}, row {row['row']} (SHA-256 {sha256[:16]}…)", number, stamp)
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        raise ConflictError(f"{file} cannot be imported: {' '.join(str(error).split())[:500]}") from error
    return [*events, *suspicions(definition.problem.objectives, events, {})]


def _experiment(
    definition: Definition, row: Mapping[str, Any], where: str, number: int, stamp: dict[str, Any]
) -> list[Event]:
    problem, key = definition.problem, new_id()
    proposal = Proposal(point=dict(row["point"]), source="imported", note=f"from {where}")
    if not problem.allows(proposal.point):
        raise ValueError(f"{where}: {proposal.point} is not a setting that this campaign allows")
    values, sem = row.get("values"), row.get("sem") or {}
    if values is not None and values.keys() != problem.objectives.keys():
        raise ValueError(f"{where}: expected a value for each of {', '.join(problem.objectives)}")
    observations = {
        name: Observation(value=value, unit=problem.objectives[name].unit, sem=sem.get(name))
        for name, value in (values or {}).items()
    }
    # What failed elsewhere is nothing that could be tried again here.
    status = _S.COMPLETED if values is not None else _S.ABANDONED
    reason = str(row.get("reason") or ("imported" if values is not None else "it failed where it was measured"))
    fault = None if values is not None else Fault(code="imported", message=reason)
    return [
        ExperimentProposed(**stamp, experiment=key, number=number, proposal=proposal),
        ExperimentStatusChanged(**stamp, experiment=key, status=_S.QUEUED),
        ExperimentStatusChanged(**stamp, experiment=key, status=_S.RUNNING),
        ExperimentStatusChanged(
            **stamp, experiment=key, status=status, reason=reason, fault=fault, observations=observations
        ),
    ]


def imported_text(argument: Mapping[str, Any]) -> str:
    """Return what became of it, for the person who asked."""
    rows = argument["rows"]
    n, failed = len(rows), sum(row.get("values") is None for row in rows)
    more = f", {failed} of them failed ones" if failed else ""
    return f"{n} result{'s' * (n != 1)} imported from {argument['file']}{more}; they cost no budget"
