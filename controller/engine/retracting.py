"""What a person may do about a result that was measured wrongly: take it out of what the model learns from, and back in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from controller.domain.event import ExperimentReinstated, ExperimentRetracted
from controller.domain.state import CampaignState
from controller.errors import ConflictError


def retraction_event(
    state: CampaignState, experiment: str | None, argument: Mapping[str, Any], at: float
) -> ExperimentRetracted | ExperimentReinstated:
    """Return the event by which a person retracts a result, or takes a retraction back.

    Args:
        state: The campaign.
        experiment: Id of the experiment, None where there is none of that number.
        argument: `experiment` (number), `reason`, and `undo` (true to take a retraction back).
        at: Lab time.

    Raises:
        ConflictError: If the experiment has no result, or is (or is not) retracted already, or no reason is given.
    """
    number, undo = int(argument["experiment"]), bool(argument.get("undo"))
    reason = str(argument.get("reason") or "").strip()
    if not reason:
        raise ConflictError(f"experiment {number}: why? The reason stays beside the result; give it with --reason")
    if experiment is None:
        raise ConflictError(f"campaign {state.name} has no experiment {number}; it has {state.n_experiments}")
    is_retracted = number in state.history.retracted
    if is_retracted != undo:
        raise ConflictError(f"experiment {number} is {'not retracted' if undo else 'retracted already'}")
    ended = state.history.get(number)
    if not undo and (ended is None or ended.values is None):
        raise ConflictError(
            f"experiment {number} has no result to retract, since it is not completed; labwright experiment show tells "
            "where it stands"
        )
    kind = ExperimentReinstated if undo else ExperimentRetracted
    return kind(campaign=state.id, at=at, experiment=experiment, number=number, reason=reason)


def retraction_text(number: int, undo: bool, rested: Iterable[Mapping[str, Any]]) -> str:
    """Return what became of it, for the person who asked.

    Args:
        number: Of the experiment.
        undo: Whether a retraction was taken back.
        rested: `number` and `status` of each experiment whose proposal rested on the result.
    """
    if undo:
        return f"experiment {number} is no longer retracted: the model learns from its result again"
    numbers = [f"{e['number']} ({e['status']})" for e in rested]
    count = f"{len(numbers)} proposal{'s' * (len(numbers) != 1)} rested on it"
    told = f"{count}: {', '.join(numbers)}" if numbers else "no proposal of the model rested on it"
    return f"experiment {number} is retracted: the model no longer learns from its result; {told}"
