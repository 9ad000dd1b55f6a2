"""What a person may say of an experiment that nobody else can speak for."""

from __future__ import annotations

import math
from typing import Any

from controller.domain.campaign import Definition
from controller.domain.event import AttemptStatusChanged, Event, ExperimentStatusChanged, Fault, Observation
from controller.domain.experiment import AttemptStatus, ExperimentStatus
from controller.domain.state import CampaignState, Experiment
from controller.engine.suspecting import suspicions
from controller.errors import ConflictError

_S, _A = ExperimentStatus, AttemptStatus


def find_experiment(state: CampaignState, number: int) -> Experiment:
    """Return the experiment with `number`.

    Raises:
        ConflictError: If there is none.
    """
    for experiment in state.experiments.values():
        if experiment.number == number:
            return experiment
    if 1 <= number <= state.n_experiments:
        raise ConflictError(
            f"experiment {number} has ended for good (completed, abandoned or cancelled); labwright experiment show tells how"
        )
    raise ConflictError(f"campaign {state.name} has no experiment {number}; it has {state.n_experiments}")


def resolve_events(
    state: CampaignState, definition: Definition, argument: dict[str, Any], at: float
) -> list[Event]:
    """Return the events by which a person says what became of an unknown experiment.

    Args:
        state: The campaign.
        definition: Its definition.
        argument: `experiment` (number), `status` (completed, failed or abandoned), `values` (objective -> number, for
            completed) and `reason`.
        at: Lab time.

    Raises:
        ConflictError: If the experiment is not unknown, or values are missing or too many.
    """
    experiment = find_experiment(state, int(argument["experiment"]))
    if experiment.status is not _S.UNKNOWN:
        raise ConflictError(
            f"experiment {experiment.number} is {experiment.status.value}; only an unknown one can be resolved"
        )
    status = _S(argument["status"])
    values = {str(k): float(v) for k, v in dict(argument.get("values") or {}).items()}
    for name, value in values.items():
        if not math.isfinite(value):
            raise ConflictError(f"{name} must be a finite number, got {value}")
    objectives = definition.problem.objectives
    if (status is _S.COMPLETED and values.keys() != objectives.keys()) or (status is not _S.COMPLETED and values):
        raise ConflictError(
            f"completed needs a value for each of {', '.join(objectives)}, other outcomes none; got {', '.join(values) or 'none'}"
        )
    reason = str(argument.get("reason") or "resolved by a person")
    fault = None if status is _S.COMPLETED else Fault(code="resolved", message=reason)
    events: list[Event] = [
        AttemptStatusChanged(
            campaign=state.id, at=at, attempt=a.id, experiment=experiment.id,
            status=_A.SUCCEEDED if status is _S.COMPLETED else _A.FAULTED, reason=reason, fault=fault,
        )
        for a in state.attempts_of(experiment.id)
        if a.status is _A.UNKNOWN
    ]  # fmt: skip
    events.append(
        ExperimentStatusChanged(
            campaign=state.id, at=at, experiment=experiment.id, status=status, reason=reason, fault=fault,
            observations={n: Observation(value=v, unit=objectives[n].unit) for n, v in values.items()},
        )
    )  # fmt: skip
    return [*events, *suspicions(objectives, events, {experiment.id: experiment.number})]
