"""What the steps returned becomes one number per objective, in the unit that the campaign states, or a fault that says why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.base import Value
from controller.domain.event import Fault, Measurement, Observation
from controller.domain.lab import StepSpec
from controller.domain.objective import Objective
from controller.measure.assembly import assemble


def _assemble(
    measured: Measurement | None, unit: str | None, gives: dict[str, str] | None = None
) -> dict[str, Observation] | Fault:
    step = StepSpec(step="assay", instrument="hplc", action="measure", gives=gives or {"yield": "area"})
    results = {"assay": {measured.name: measured}} if measured else {}
    return assemble([step], {"yield": Objective(goal="maximize", unit=unit)}, results)


def _value(value: Value, unit: str | None, wanted: str | None, sem: float | None = None) -> Observation:
    observed = _assemble(Measurement(name="area", value=value, unit=unit, sem=sem), wanted)
    assert not isinstance(observed, Fault), observed.message
    return observed["yield"]


@pytest.mark.parametrize(
    ("value", "unit", "sem", "wanted", "expected"),
    [
        (70.0, "percent", 1.5, "percent", Observation(value=70, unit="percent", sem=1.5)),
        (70, None, None, "percent", Observation(value=70, unit="percent")),
        (70.0, "percent", None, None, Observation(value=70, unit="percent")),
        (0.7, "", 0.01, "percent", Observation(value=70, unit="percent", sem=1)),
        (1.5, "L", 0.1, "mL", Observation(value=1500, unit="mL", sem=100)),
        (25.0, "degC", 0.5, "kelvin", Observation(value=298.15, unit="kelvin", sem=0.5)),
        (300.0, "kelvin", 1.0, "degF", Observation(value=80.33, unit="degF", sem=1.8)),
        (2.0, "mol/L", None, "mmol/mL", Observation(value=2, unit="mmol/mL")),
    ],
    ids=lambda value: None if isinstance(value, Observation) else str(value),
)
def test_measurement_is_given_in_the_unit_of_the_objective(
    value: Value, unit: str | None, sem: float | None, wanted: str | None, expected: Observation
) -> None:
    observed = _value(value, unit, wanted, sem)
    assert observed.unit == expected.unit
    assert observed.value == pytest.approx(expected.value, rel=1e-9)
    assert observed.sem == (None if expected.sem is None else pytest.approx(expected.sem, rel=1e-9))


@given(st.floats(-1e12, 1e12), st.none() | st.floats(0, 1e6))
def test_value_in_the_right_unit_is_not_touched(value: float, sem: float | None) -> None:
    assert _value(value, "degC", "degC", sem) == Observation(value=value, unit="degC", sem=sem)


@pytest.mark.parametrize(
    ("measured", "unit", "message"),
    [
        (None, "percent", "step 'assay' should give yield from 'area', but it returned nothing"),
        (Measurement(name="height", value=1.0), None, "should give yield from 'area', but it returned height"),
        (Measurement(name="area", value="high"), None, "yield must be a number, step 'assay' returned 'high'"),
        (Measurement(name="area", value=True), None, "yield must be a number, step 'assay' returned True"),
        (Measurement(name="area", value=1.0, unit="bar"), "degC", "yield: bar cannot be written in degC"),
        (Measurement(name="area", value=1.0, unit="degC"), "", "yield: degC cannot be written in a bare number"),
        (Measurement(name="area", value=1.0, unit="furlongz"), "m", "yield: unknown unit 'furlongz'"),
        (Measurement(name="area", value=1e308, unit="kg"), "ug", "yield: 1e+308 kg is too large a number in ug"),
        (Measurement(name="area", value=1.0, unit="kg", sem=1e308), "ug", "is too large a number in ug"),
    ],
)
def test_what_cannot_be_an_observation_is_a_fault_that_says_why(
    measured: Measurement | None, unit: str | None, message: str
) -> None:
    fault = _assemble(measured, unit)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.retryable) == ("measurement_invalid", False)
    assert message in fault.message


def test_objective_that_no_step_gives_is_a_fault() -> None:
    fault = _assemble(Measurement(name="area", value=1.0), None, gives={"purity": "area"})
    assert isinstance(fault, Fault)
    assert fault.message == "no step gives yield"


def test_objectives_come_from_the_steps_that_give_them() -> None:
    protocol = [
        StepSpec(step="weigh", instrument="balance", action="weigh", gives={"mass": "net", "unused": "gross"}),
        StepSpec(step="assay", instrument="hplc", action="measure", gives={"yield": "area"}),
    ]
    objectives = {"yield": Objective(goal="maximize"), "mass": Objective(goal="minimize", unit="mg")}
    results = {
        "weigh": {"net": Measurement(name="net", value=0.2, unit="g"), "area": Measurement(name="area", value=-1.0)},
        "assay": {"area": Measurement(name="area", value=7)},
    }
    observed = assemble(protocol, objectives, results)
    assert isinstance(observed, dict)
    assert {name: (o.value, o.unit) for name, o in observed.items()} == {"mass": (pytest.approx(200), "mg"), "yield": (7, None)}
