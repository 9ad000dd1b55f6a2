"""Bind the arguments of a step: literal values, `$parameter`, and `$step.value` for what an earlier step returned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.domain.base import Point, Value
from controller.domain.event import Measurement
from controller.domain.lab import StepSpec
from controller.domain.parameter import CategoricalParameter, Parameter
from controller.errors import ConflictError


@dataclass(frozen=True)
class BoundStep:
    """A step with a value for every argument, ready to be dispatched."""

    step: str
    instrument: str
    action: str
    arguments: dict[str, Value]
    units: dict[str, str]
    """Unit of each argument that has one; the driver refuses another dimension."""


def references(step: StepSpec, parameters: Mapping[str, Parameter]) -> set[str]:
    """Return the earlier steps whose returned values `step` takes as arguments."""
    names = (v[1:] for v in step.arguments.values() if isinstance(v, str) and v.startswith("$"))
    return {name.split(".", 1)[0] for name in names if name not in parameters and "." in name}


def ready_steps(
    protocol: Iterable[StepSpec], parameters: Mapping[str, Parameter], done: set[str], begun: set[str]
) -> list[StepSpec]:
    """Return the steps that may begin now: not begun, and everything that they wait for is done."""
    return [
        step
        for step in protocol
        if step.step not in begun and step.step not in done and {*step.after, *references(step, parameters)} <= done
    ]


def bind(
    step: StepSpec,
    parameters: Mapping[str, Parameter],
    point: Point,
    results: Mapping[str, Mapping[str, Measurement]],
) -> BoundStep:
    """Return `step` with its arguments bound.

    Args:
        step: The step.
        parameters: The campaign's parameters, for their units.
        point: The experiment's setting; for a parameter that is not active there the argument is what its `when_inactive` says, or
            is left out.
        results: What earlier steps returned: step -> name -> measurement.

    Raises:
        ConflictError: If a reference names nothing that exists; the message says what does.
    """
    arguments: dict[str, Value] = {}
    units: dict[str, str] = {}
    for name, given in step.arguments.items():
        if not (isinstance(given, str) and given.startswith("$")):
            arguments[name] = given
            continue
        reference = given[1:]
        if reference in parameters:
            parameter = parameters[reference]
            setting = point.get(reference, parameter.when_inactive)
            if setting is None:
                continue  # not active, and nothing stands for it: the driver does as it does without the argument
            arguments[name] = setting
            if not isinstance(parameter, CategoricalParameter):
                arguments[name] = _number(setting, parameter.type == "integer")
                if parameter.unit:
                    units[name] = parameter.unit
            continue
        source, _, value = reference.partition(".")
        measured = results.get(source, {}).get(value)
        if measured is None:
            known = ", ".join(sorted(f"${s}.{v}" for s, values in results.items() for v in values)) or "nothing yet"
            raise ConflictError(
                f"step {step.step!r}: {name}: {given} names neither a parameter nor a value that an earlier step returned; "
                f"parameters: {', '.join('$' + p for p in parameters)}; returned: {known}"
            )
        arguments[name] = measured.value
        if measured.unit:
            units[name] = measured.unit
    return BoundStep(step.step, step.instrument, step.action, arguments, units)


def _number(value: Value, whole: bool) -> int | float:
    return int(value) if whole else float(value)
