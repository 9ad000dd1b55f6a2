"""Turn what the steps returned into observations of the objectives, units checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from controller.domain.event import Fault, Measurement, Observation
from controller.domain.lab import StepSpec
from controller.domain.objective import Objective
from instruments.errors import UnitError
from instruments.units import convert, convert_spread


def assemble(
    protocol: Iterable[StepSpec],
    objectives: Mapping[str, Objective],
    results: Mapping[str, Mapping[str, Measurement]],
) -> dict[str, Observation] | Fault:
    """Return one observation per objective, or the fault that prevents it.

    Args:
        protocol: The steps, whose `gives` say which value is which objective.
        objectives: By name, with the unit that the campaign states.
        results: What the steps returned: step -> name -> measurement.
    """
    observations: dict[str, Observation] = {}
    for step in protocol:
        for objective, name in step.gives.items():
            if objective not in objectives:
                continue
            measured = results.get(step.step, {}).get(name)
            if measured is None:
                returned = ", ".join(sorted(results.get(step.step, {}))) or "nothing"
                return _invalid(f"step {step.step!r} should give {objective} from {name!r}, but it returned {returned}")
            if isinstance(measured.value, (bool, str)):
                return _invalid(f"{objective} must be a number, step {step.step!r} returned {measured.value!r}")
            try:
                observed = _in_unit(measured, objectives[objective].unit)
            except UnitError as error:
                return _invalid(f"{objective}: {error}")
            if observed is None:
                wanted = objectives[objective].unit
                return _invalid(f"{objective}: {measured.value!r} {measured.unit} is too large a number in {wanted}")
            observations[objective] = observed
    missing = [name for name in objectives if name not in observations]
    if missing:
        return _invalid(f"no step gives {', '.join(missing)}")
    return observations


def _in_unit(measured: Measurement, wanted: str | None) -> Observation | None:
    """Return the observation in the unit wanted, None where no finite number can hold it."""
    value = float(measured.value)
    if measured.unit is None or wanted is None or measured.unit == wanted:
        return Observation(value=value, unit=wanted or measured.unit, sem=measured.sem)
    sem = None if measured.sem is None else convert_spread(measured.sem, measured.unit, wanted)
    value = convert(value, measured.unit, wanted)
    if not math.isfinite(value) or not math.isfinite(sem or 0.0):
        return None
    return Observation(value=value, unit=wanted, sem=sem)


def _invalid(message: str) -> Fault:
    return Fault(code="measurement_invalid", message=message)
