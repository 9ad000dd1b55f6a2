"""Parameters refuse what cannot be searched, in words that help, and allow exactly their own settings."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from controller.domain.base import Value
from controller.domain.parameter import (
    CategoricalParameter,
    ContinuousParameter,
    DiscreteParameter,
    IntegerParameter,
    Parameter,
)
from tests.strategies.points import parameters, settings_of
from tests.strategies.values import values

ADAPTER: TypeAdapter[Parameter] = TypeAdapter(Parameter)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"type": "continuous", "bounds": [80, 20]}, "lower bound 80 must be below upper bound 20"),
        ({"type": "continuous", "bounds": [20, 20]}, "lower bound 20 must be below upper bound 20"),
        ({"type": "continuous", "bounds": [0, math.inf]}, "finite number"),
        ({"type": "continuous", "bounds": [math.nan, 1]}, "finite number"),
        ({"type": "continuous", "bounds": [1, 2, 3]}, "at most 2 items"),
        ({"type": "continuous", "bounds": [0, 1], "scale": "log"}, "a log scale needs positive bounds, got 0; use"),
        ({"type": "continuous", "bounds": [0, 1], "scale": "sqrt"}, "'linear' or 'log'"),
        ({"type": "continuous", "bounds": [0, 1], "step": 1}, "Extra inputs"),
        ({"type": "integer", "bounds": [3, 3]}, "lower bound 3 must be below upper bound 3"),
        ({"type": "integer", "bounds": [0, 2.5]}, "integer"),
        ({"type": "integer", "bounds": [0, 10**10]}, "less than or equal to 1000000000"),
        ({"type": "discrete", "values": [1]}, "at least 2 items"),
        ({"type": "discrete", "values": [2, 1, 2]}, "values must differ from each other, 2 is listed twice"),
        ({"type": "categorical", "choices": ["a"]}, "at least 2 items"),
        ({"type": "categorical", "choices": ["a", "b", "a"]}, "choices must differ from each other, 'a' is listed twice"),
        ({"type": "categorical", "choices": [1, "1"]}, "'1' is listed twice"),
        ({"type": "categorical", "choices": [True, False]}, "string"),
        ({"type": "categorical", "choices": "ab"}, "tuple"),
        ({"type": "ordinal", "values": [1, 2]}, "'continuous', 'integer', 'discrete', 'categorical'"),
        ({"bounds": [0, 1]}, "discriminator 'type'"),
    ],
)
def test_parameter_is_refused_with_the_reason(written: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message.replace("(", r"\(")):
        ADAPTER.validate_python(written)


@pytest.mark.parametrize(
    ("parameter", "allowed", "refused"),
    [
        (
            ContinuousParameter(bounds=(20, 80)),
            [20, 80, 20.0, 50.5, 80 + 1e-8],
            [19.9, 80.1, math.nan, math.inf, -math.inf, "50", True, 10**400, 80 + 1e-6],
        ),
        (IntegerParameter(type="integer", bounds=(0, 3)), [0, 3, 2.0], [-1, 4, 2.5, math.nan, math.inf, "2", True, 10**400]),
        (
            DiscreteParameter(type="discrete", values=(0.1, 0.3)),
            [0.1, 0.3, 0.1 + 0.2],
            [0.2, 0.30001, math.nan, math.inf, "0.1", False, 10**400],
        ),
        (DiscreteParameter(type="discrete", values=(0, 1e-13, 2e-13)), [0, 1e-13, 2e-13, 1e-26], [1.5e-13, 3e-13]),
        (CategoricalParameter(type="categorical", choices=("a", "1")), ["a", "1"], ["b", "A", 1, True, ""]),
    ],
    ids=["continuous", "integer", "discrete", "discrete and tiny", "categorical"],
)
def test_parameter_allows_its_settings_and_no_others(
    parameter: Parameter, allowed: list[Value], refused: list[Value]
) -> None:
    assert [v for v in allowed if not parameter.allows(v)] == []
    assert [v for v in refused if parameter.allows(v)] == []


@given(parameters(), st.data())
def test_parameter_allows_every_setting_within_it_also_after_a_file(parameter: Parameter, data: st.DataObject) -> None:
    again = ADAPTER.validate_json(ADAPTER.dump_json(parameter))
    assert again == parameter
    assert again.allows(data.draw(settings_of(parameter)))


@given(parameters(), values | st.floats() | st.integers())
def test_parameter_answers_for_any_value(parameter: Parameter, value: Value) -> None:
    assert parameter.allows(value) in (True, False)


@given(st.lists(st.integers(-99, 99), min_size=2, max_size=8, unique=True))
def test_discrete_values_are_kept_in_order(given_values: list[int]) -> None:
    parameter = DiscreteParameter(type="discrete", values=tuple(map(float, given_values)))
    assert list(parameter.values) == sorted(given_values)


def test_numbers_among_choices_become_text() -> None:
    parameter = ADAPTER.validate_python({"type": "categorical", "choices": [1, 2.5, "x"]})
    assert isinstance(parameter, CategoricalParameter)
    assert parameter.choices == ("1", "2.5", "x")
    assert parameter.unit is None
