"""What is given, not chosen: who tells it, and what is missing as long as nobody has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.domain.base import Value
from controller.domain.campaign import Definition
from controller.domain.event import ContextTold
from controller.domain.parameter import CategoricalParameter, Parameter
from controller.domain.space import Problem
from controller.domain.state import CampaignState
from controller.errors import ConflictError


def untold(problem: Problem, state: CampaignState) -> tuple[str, ...]:
    """Return the context variables of which nothing was told yet."""
    return tuple(name for name in problem.context if name not in state.context)


def missing_text(campaign: str, names: tuple[str, ...]) -> str:
    """Return why nothing is proposed while context variables are unknown, and what to do."""
    told = " ".join(f"{name}=VALUE" for name in names)
    return f"nothing is proposed before the context is known: labwright campaign context {campaign} {told}"


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
