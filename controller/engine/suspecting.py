"""Results that cannot be: measured beyond the physical limits that the campaign file states. Kept as they are, and said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from controller.domain.event import AlarmRaised, Event, ExperimentProposed, ExperimentStatusChanged, Observation
from controller.domain.limits import BEYOND_LIMITS, suspects
from controller.domain.objective import Objective

_NAMED = 5
_WHAT_TO_DO = (
    "kept and learned from as it is: look at the measurement, and retract it if it is wrong; if it is right, the limits are not"
)


def suspicion(objectives: Mapping[str, Objective], observations: Mapping[str, Observation], number: int) -> str | None:
    """Return what is to be told of the result of experiment `number`; None where nothing is wrong with it."""
    told = suspects(objectives, {name: observation.value for name, observation in observations.items()})
    return f"experiment {number}: {' and '.join(told)}; {_WHAT_TO_DO}" if told else None


def suspicions(objectives: Mapping[str, Objective], events: Iterable[Event], numbers: Mapping[str, int]) -> list[AlarmRaised]:
    """Return one alarm over the results among `events` that lie beyond physical limits, mostly none.

    Args:
        objectives: Of the campaign, by name.
        events: About to happen together.
        numbers: Of experiments that are known already, by id.
    """
    numbers, found = dict(numbers), []
    for event in events:
        if isinstance(event, ExperimentProposed):
            numbers[event.experiment] = event.number
        elif isinstance(event, ExperimentStatusChanged) and event.observations:
            text = suspicion(objectives, event.observations, numbers[event.experiment])
            if text is not None:
                found.append((event, text))
    if not found:
        return []
    event, text = found[0]
    if len(found) > 1:
        others = ", ".join(str(numbers[e.experiment]) for e, _ in found[1:_NAMED])
        text += f" (so is experiment {others}{' and more' if len(found) > _NAMED else ''}: {len(found)} in all)"
    return [AlarmRaised(campaign=event.campaign, at=event.at, code=BEYOND_LIMITS, message=text, experiment=event.experiment)]
