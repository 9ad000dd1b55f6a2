"""Parameters of every kind, and points that set them."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from controller.domain.base import Point, Value
from controller.domain.parameter import (
    CategoricalParameter,
    ContinuousParameter,
    DiscreteParameter,
    IntegerParameter,
    Parameter,
)
from tests.strategies.values import identifiers, numbers, texts, units


@st.composite
def continuous_parameters(draw: st.DrawFn) -> ContinuousParameter:
    """Draw a continuous parameter, on either scale."""
    low = draw(numbers)
    width = draw(st.floats(1e-3, 1e6))
    scale = draw(st.sampled_from(["linear", "log"])) if low > 0 else "linear"
    return ContinuousParameter(bounds=(low, low + width), unit=draw(st.none() | units), scale=scale)


@st.composite
def integer_parameters(draw: st.DrawFn) -> IntegerParameter:
    """Draw an integer parameter."""
    low = draw(st.integers(-1000, 1000))
    return IntegerParameter(
        type="integer", bounds=(low, low + draw(st.integers(1, 1000))), unit=draw(st.none() | units)
    )


@st.composite
def discrete_parameters(draw: st.DrawFn) -> DiscreteParameter:
    """Draw a discrete parameter whose values nobody could mistake for each other."""
    steps = draw(st.lists(st.integers(-10_000, 10_000), min_size=2, max_size=6, unique=True))
    return DiscreteParameter(type="discrete", values=tuple(s / 8 for s in steps), unit=draw(st.none() | units))


@st.composite
def categorical_parameters(draw: st.DrawFn) -> CategoricalParameter:
    """Draw a categorical parameter; its choices may be any text, also one that looks like a reference."""
    choices = draw(st.lists(texts | st.just("$x") | st.just("1"), min_size=2, max_size=5, unique=True))
    return CategoricalParameter(type="categorical", choices=tuple(choices))


def numeric_parameters() -> st.SearchStrategy[ContinuousParameter | IntegerParameter | DiscreteParameter]:
    """Return a strategy of parameters that may stand in a constraint."""
    return st.one_of(continuous_parameters(), integer_parameters(), discrete_parameters())


def parameters() -> st.SearchStrategy[Parameter]:
    """Return a strategy of parameters of every kind."""
    return st.one_of(numeric_parameters(), categorical_parameters())


def parameter_sets(most: int = 4) -> st.SearchStrategy[dict[str, Parameter]]:
    """Return a strategy of one to `most` named parameters."""
    return st.dictionaries(identifiers, parameters(), min_size=1, max_size=most)


def settings_of(parameter: Parameter) -> st.SearchStrategy[Value]:
    """Return a strategy of settings that `parameter` allows."""
    if isinstance(parameter, CategoricalParameter):
        return st.sampled_from(parameter.choices)
    if isinstance(parameter, DiscreteParameter):
        return st.sampled_from(parameter.values)
    if isinstance(parameter, IntegerParameter):
        return st.integers(*parameter.bounds)
    return st.floats(*parameter.bounds)


def points(parameters: Mapping[str, Parameter]) -> st.SearchStrategy[Point]:
    """Return a strategy of settings of all `parameters` (constraints are not looked at)."""
    return st.fixed_dictionaries({name: settings_of(p) for name, p in parameters.items()})
