"""What is given, not chosen: who tells it, and what is missing as long as nobody has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.domain.base import Value
from controller.domain.campaign import Definition
from controller.domain.event import ContextTold
from controller.domain.parameter import CategoricalParameter, ContinuousParameter, Parameter
from controller.domain.space import Problem
from controller.domain.state import CampaignState
from controller.errors import ConflictError


def untold(problem: Problem, state: CampaignState) -> tuple[str, ...]:
    """Return the context variables of which nothing was told yet."""
    return tuple(name for name in problem.context if name not in state.context)


def missing_text(definition: Definition, names: tuple[str, ...]) -> str:
    """Return why nothing is proposed while context variables are unknown, and what to do."""
    read = [f"{name} is read by interlock {definition.context_from[name]}" for name in names if name in definition.context_from]
    told = [f"{name}=VALUE" for name in names if name not in definition.context_from]
    command = [f"labwright campaign context {definition.name} {' '.join(told)}"] if told else []
    return f"nothing is proposed before the context is known: {'; '.join([*command, *read])}"


def read_context(
    definition: Definition, state: CampaignState, readings: Mapping[str, Mapping[str, object]]
) -> tuple[dict[str, Value], str]:
    """Return what the lab's readings say of the context that is news, and what of them it cannot be.

    A number is news when it has moved by a hundredth of its range: the log is not the place for every flutter of a sensor.

    Args:
        definition: The campaign's.
        state: What is known.
        readings: Interlock -> value's name -> value.
    """
    news: dict[str, Value] = {}
    strange = []
    for name, place in definition.context_from.items():
        interlock, _, value = place.rpartition(".")
        if value not in readings.get(interlock, {}):
            continue
        try:
            now = _value(name, definition.problem.context[name], readings[interlock][value])
        except ConflictError as error:
            strange.append(f"the reading {place} cannot be the context: {error}")
            continue
        known = state.context.get(name)
        if known is None or _differs(definition.problem.context[name], known, now):
            news[name] = now
    return news, "; ".join(strange)


def _differs(parameter: Parameter, known: Value, now: Value) -> bool:
    if not isinstance(parameter, ContinuousParameter):
        return known != now
    return abs(float(now) - float(known)) >= 0.01 * (parameter.bounds[1] - parameter.bounds[0])


def context_event(state: CampaignState, definition: Definition, argument: Mapping[str, Any], at: float) -> ContextTold:
    """Return the event by which a person tells the context.

    Args:
        state: The campaign.
        definition: The same, as it was written.
        argument: `values` (variable -> value, text as it was written or a number) and `by` (who says so).
        at: Lab time.

    Raises:
        ConflictError: If a variable is none of the campaign's, or a value is beyond its range.
    """
    context = definition.problem.context
    if not context:
        raise ConflictError(f"campaign {state.name} has no context; its file would name it under context:")
    values = dict(argument.get("values") or {})
    if not values:
        raise ConflictError(f"nothing was told; write NAME=VALUE for {', '.join(context)}")
    told: dict[str, Value] = {}
    for name, given in values.items():
        if name not in context:
            raise ConflictError(f"{name} is no context variable of {state.name}; there is {', '.join(context)}")
        told[name] = _value(name, context[name], given)
    return ContextTold(campaign=state.id, at=at, values=told, by=str(argument.get("by") or ""))


def _value(name: str, parameter: Parameter, given: object) -> Value:
    if isinstance(parameter, CategoricalParameter):
        if parameter.allows(str(given)):
            return str(given)
        raise ConflictError(f"{name}={given}: must be one of {', '.join(parameter.choices[:12])}")
    unit = f" {parameter.unit}" if parameter.unit else ""
    try:
        number = float(str(given))
    except ValueError:
        raise ConflictError(f"{name}={given}: must be a number{f' of{unit}' if unit else ''}, without the unit") from None
    if not parameter.allows(number):
        settings = parameter.values if parameter.type == "discrete" else parameter.bounds
        kind = "one of" if parameter.type == "discrete" else "a whole number within" if parameter.type == "integer" else "within"
        raise ConflictError(f"{name}={given}: must be {kind} {', '.join(f'{v:g}' for v in settings)}{unit}")
    return int(number) if parameter.type == "integer" else number


def context_text(context: Mapping[str, Value]) -> str:
    """Return what the context is, for people."""
    return "the context is now " + ", ".join(f"{name} = {value}" for name, value in context.items())
