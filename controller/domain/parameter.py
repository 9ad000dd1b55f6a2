"""The parameters of a campaign: what may be set, and within which bounds."""

from __future__ import annotations

import math
from bisect import bisect
from collections import Counter
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from controller.domain.base import LATER, Model, Name, Value

Bounds = tuple[float, float]


Whole = Annotated[int, Field(ge=-(10**9), le=10**9)]
"""Beyond a milliard, neighbours could not be told apart by the nine digits that make a setting the same as another."""


def _number(value: Value) -> float | None:
    """Return `value` as a float, None where it is no finite number."""
    if isinstance(value, (str, bool)):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return number if math.isfinite(number) else None


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if not bounds[0] < bounds[1]:
        raise ValueError(f"lower bound {bounds[0]:g} must be below upper bound {bounds[1]:g}")
    return bounds


class _Conditional(Model):
    """What every parameter can say of when it is there at all."""

    active_when: Annotated[dict[Name, tuple[Value, ...]] | None, LATER] = None
    """The parameter is set only where other parameters are so: name -> choices of a category (`{solvent: [DMF, DMSO]}`), or
    `[lowest, highest]` of a number. Where it is not, points do not have it."""
    when_inactive: Annotated[Value | None, LATER] = None
    """What an instrument is sent where the parameter is not active; without it the argument is left out of the step."""

    @field_validator("active_when")
    @classmethod
    def _some_condition(cls, conditions: dict[str, tuple[Value, ...]] | None) -> dict[str, tuple[Value, ...]] | None:
        if conditions is not None and not all(conditions.values()):
            raise ValueError("active_when needs at least one value for each parameter; or leave active_when out")
        if conditions == {}:
            raise ValueError("active_when names no parameter; leave it out, or write {solvent: [DMF, DMSO]}")
        return conditions


class ContinuousParameter(_Conditional):
    """Any number between two bounds."""

    type: Literal["continuous"] = "continuous"
    bounds: Bounds
    """Lowest and highest setting [unit]."""
    unit: str | None = None
    """Unit of the setting, checked against the driver's argument; as pint writes it, or `percent`, `mol%`."""
    scale: Literal["linear", "log"] = "linear"
    """`log` when ratios matter more than differences (both bounds must be positive)."""

    @field_validator("bounds")
    @classmethod
    def _check_bounds(cls, bounds: Bounds) -> Bounds:
        return _ordered(bounds)

    @model_validator(mode="after")
    def _check_scale(self) -> ContinuousParameter:
        if self.scale == "log" and self.bounds[0] <= 0:
            raise ValueError(
                f"a log scale needs positive bounds, got {self.bounds[0]:g}; use scale: linear or raise the lower bound"
            )
        return self

    def allows(self, value: Value) -> bool:
        """Say whether `value` lies within the bounds (to rounding)."""
        number = _number(value)
        slack = 1e-9 * (self.bounds[1] - self.bounds[0])
        return number is not None and self.bounds[0] - slack <= number <= self.bounds[1] + slack


class IntegerParameter(_Conditional):
    """A whole number between two bounds, both included."""

    type: Literal["integer"]
    bounds: tuple[Whole, Whole]
    """Lowest and highest setting [unit]."""
    unit: str | None = None
    """Unit of the setting, checked against the driver's argument; as pint writes it, or `percent`, `mol%`."""

    @field_validator("bounds")
    @classmethod
    def _check_bounds(cls, bounds: tuple[int, int]) -> tuple[int, int]:
        _ordered(bounds)
        return bounds

    def allows(self, value: Value) -> bool:
        """Say whether `value` is a whole number within the bounds."""
        number = _number(value)
        return number is not None and number.is_integer() and self.bounds[0] <= number <= self.bounds[1]


class DiscreteParameter(_Conditional):
    """One of a list of numbers."""

    type: Literal["discrete"]
    values: Annotated[tuple[float, ...], Field(min_length=2)]
    """The settings [unit]; kept in ascending order."""
    unit: str | None = None
    """Unit of the setting, checked against the driver's argument; as pint writes it, or `percent`, `mol%`."""

    @field_validator("values")
    @classmethod
    def _check_values(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        repeated = sorted(v for v, n in Counter(values).items() if n > 1)
        if repeated:
            raise ValueError(f"values must differ from each other, {repeated[0]:g} is listed twice")
        return tuple(sorted(values))

    def allows(self, value: Value) -> bool:
        """Say whether `value` is one of the listed numbers."""
        number = _number(value)
        if number is None:
            return False
        place = bisect(self.values, number)
        beside = self.values[max(0, place - 1) : place + 1]
        nothing = 1e-12 * min(1.0, self.values[-1] - self.values[0])  # what a calculation may leave of zero
        return any(math.isclose(number, v, rel_tol=1e-9, abs_tol=nothing) for v in beside)


class CategoricalParameter(_Conditional):
    """One of a list of named choices, with or without descriptors that say how they resemble each other."""

    type: Literal["categorical"]
    choices: Annotated[tuple[str, ...], Field(min_length=2)]
    """The names of the choices; in a campaign file also the name of a CSV file with one row per choice, which then counts as
    `descriptors` too: thousands of molecules are a file with a column `smiles`."""
    descriptors: str | None = None
    """A CSV file with one row per choice; a column `smiles` is expanded with RDKit."""

    @field_validator("choices", mode="before")
    @classmethod
    def _text(cls, choices: object) -> object:
        if isinstance(choices, (list, tuple)):
            return tuple(str(c) if isinstance(c, (int, float)) and not isinstance(c, bool) else c for c in choices)
        return choices

    @field_validator("choices")
    @classmethod
    def _check_choices(cls, choices: tuple[str, ...]) -> tuple[str, ...]:
        repeated = [c for c, n in Counter(choices).items() if n > 1]
        if repeated:
            raise ValueError(f"choices must differ from each other, {repeated[0]!r} is listed twice")
        return choices

    @property
    def unit(self) -> None:
        """Choices have no unit."""
        return None

    def allows(self, value: Value) -> bool:
        """Say whether `value` is one of the choices."""
        return isinstance(value, str) and value in self.positions

    @cached_property
    def positions(self) -> dict[str, int]:
        """Where each choice stands in the list."""
        return {choice: i for i, choice in enumerate(self.choices)}


Parameter = Annotated[
    ContinuousParameter | IntegerParameter | DiscreteParameter | CategoricalParameter, Field(discriminator="type")
]
NUMERIC = (ContinuousParameter, IntegerParameter, DiscreteParameter)


def meets(parameter: Parameter, value: Value, wanted: tuple[Value, ...]) -> bool:
    """Say whether `value` of `parameter` is among the choices `wanted`, or between the two numbers."""
    if isinstance(parameter, CategoricalParameter):
        return value in wanted
    low, high = float(wanted[0]), float(wanted[-1])
    return low <= float(value) <= high
