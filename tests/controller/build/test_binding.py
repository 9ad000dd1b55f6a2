"""Steps begin in an order that their protocol allows, with every argument bound to what was meant."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.build.binding import BoundStep, bind, ready_steps, references
from controller.domain.base import Point, Value
from controller.domain.event import Measurement
from controller.domain.lab import StepSpec
from controller.domain.parameter import (
    CategoricalParameter,
    ContinuousParameter,
    DiscreteParameter,
    IntegerParameter,
    Parameter,
)
from controller.errors import ConflictError
from tests.strategies.definitions import protocols
from tests.strategies.points import parameter_sets, points

PARAMETERS: dict[str, Parameter] = {
    "temperature": ContinuousParameter(bounds=(20, 80), unit="degC"),
    "cycles": IntegerParameter(type="integer", bounds=(1, 9)),
    "dose": DiscreteParameter(type="discrete", values=(1, 2), unit="mL"),
    "solvent": CategoricalParameter(type="categorical", choices=("DMF", "$temperature")),
    "react.amount": ContinuousParameter(bounds=(0, 1)),
}
POINT: Point = {"temperature": 50, "cycles": 3.0, "dose": 2, "solvent": "DMF", "react.amount": 0.5}


def _step(name: str = "assay", /, **arguments: Value) -> StepSpec:
    return StepSpec(step=name, instrument="hplc", action="measure", arguments=arguments)


@settings(deadline=None)
@given(protocols(), st.data())
def test_no_step_begins_before_what_it_waits_for(protocol: tuple[StepSpec, ...], data: st.DataObject) -> None:
    done: set[str] = set()
    busy: set[str] = set()
    while len(done) < len(protocol):
        ready = ready_steps(protocol, {}, done, busy)
        for step in ready:
            assert step.step not in done | busy
            assert set(step.after) <= done
            taken = step.arguments.get("taken", "")
            assert not taken or str(taken).removeprefix("$").removesuffix(".amount") in done
        assert ready or busy, "nothing runs and nothing may begin: the experiment would hang"
        if ready and (not busy or data.draw(st.booleans())):
            busy.add(data.draw(st.sampled_from(ready)).step)
        else:
            ended = data.draw(st.sampled_from(sorted(busy)))
            busy.remove(ended)
            done.add(ended)
    assert ready_steps(protocol, {}, done, busy) == []


@given(protocols(), st.data())
def test_ready_steps_are_all_that_may_begin(protocol: tuple[StepSpec, ...], data: st.DataObject) -> None:
    done: set[str] = set()
    for step in protocol:  # in file order every step comes after what it waits for
        assert step in ready_steps(protocol, {}, done, set())
        done.add(step.step)


def test_step_waits_for_the_step_whose_value_it_takes() -> None:
    protocol = [_step("react"), _step("assay", amount="$react.yield")]
    assert [s.step for s in ready_steps(protocol, {}, set(), set())] == ["react"]
    assert ready_steps(protocol, {}, set(), {"react"}) == []
    assert [s.step for s in ready_steps(protocol, {}, {"react"}, set())] == ["assay"]


def test_references_are_values_of_steps_and_not_parameters() -> None:
    step = _step(a="$react.yield", b="$temperature", c="$react.amount", d="react.yield", e=5, f="$wash.area.percent")
    assert references(step, PARAMETERS) == {"react", "wash"}


@settings(deadline=None)
@given(parameter_sets().flatmap(lambda parameters: st.tuples(st.just(parameters), points(parameters))))
def test_every_parameter_is_bound_to_its_setting_with_its_unit(drawn: tuple[dict[str, Parameter], Point]) -> None:
    parameters, point = drawn
    step = _step(**{f"set_{name}": f"${name}" for name in parameters})
    bound = bind(step, parameters, point, {})
    assert bound.arguments == {f"set_{name}": point[name] for name in parameters}
    assert bound.units == {f"set_{name}": p.unit for name, p in parameters.items() if p.unit}
    assert (bound.step, bound.instrument, bound.action) == ("assay", "hplc", "measure")


def test_settings_arrive_as_the_kind_of_number_that_the_parameter_is() -> None:
    step = _step(t="$temperature", n="$cycles", dose="$dose", solvent="$solvent")
    bound = bind(step, PARAMETERS, POINT, {})
    assert repr(bound.arguments) == "{'t': 50.0, 'n': 3, 'dose': 2.0, 'solvent': 'DMF'}"
    assert bound.units == {"t": "degC", "dose": "mL"}


def test_literal_arguments_pass_as_they_are_written() -> None:
    bound = bind(_step(a=1, b=True, c=0.5, d="fast", e="5 $"), PARAMETERS, POINT, {})
    assert repr(bound.arguments) == "{'a': 1, 'b': True, 'c': 0.5, 'd': 'fast', 'e': '5 $'}"
    assert bound.units == {}


def test_choice_that_looks_like_a_reference_stays_a_choice() -> None:
    bound = bind(_step(solvent="$solvent"), PARAMETERS, POINT | {"solvent": "$temperature"}, {})
    assert bound.arguments == {"solvent": "$temperature"}


def test_value_of_an_earlier_step_is_bound_with_its_own_unit() -> None:
    results = {
        "weigh": {
            "mass": Measurement(name="mass", value=1.25, unit="mg", sem=0.1),
            "vial": Measurement(name="vial", value="A1"),
            "area.percent": Measurement(name="area.percent", value=3),
        }
    }
    bound = bind(_step(m="$weigh.mass", v="$weigh.vial", p="$weigh.area.percent"), PARAMETERS, POINT, results)
    assert bound == BoundStep("assay", "hplc", "measure", {"m": 1.25, "v": "A1", "p": 3}, {"m": "mg"})


def test_parameter_goes_before_a_returned_value_of_the_same_name() -> None:
    results = {"react": {"amount": Measurement(name="amount", value=9.0)}}
    assert bind(_step(a="$react.amount"), PARAMETERS, POINT, results).arguments == {"a": 0.5}


@pytest.mark.parametrize("reference", ["$pressure", "$weigh.volume", "$wash.mass", "$", "$.", "$weigh."])
def test_reference_to_nothing_is_refused_with_what_there_is(reference: str) -> None:
    results = {"weigh": {"mass": Measurement(name="mass", value=1.25)}}
    with pytest.raises(ConflictError) as refused:
        bind(_step(x=reference), PARAMETERS, POINT, results)
    text = str(refused.value)
    assert f"step 'assay': x: {reference} names neither" in text
    assert "$temperature, $cycles" in text
    assert text.endswith("returned: $weigh.mass")


def test_reference_to_nothing_says_so_when_nothing_was_returned() -> None:
    with pytest.raises(ConflictError, match="returned: nothing yet"):
        bind(_step(x="$weigh.mass"), PARAMETERS, POINT, {})
