"""Search coordinates: one number per parameter, in which samplers and optimisers move; numpy only, no torch.

Numbers run from 0 to 1 over their range; a choice is its position in the list. A parameter on a log scale runs evenly in
its logarithm, unless a constraint names it: constraints are linear in the values, and must stay linear here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from controller.domain.base import Point, Value
from controller.domain.expression import functions_of
from controller.domain.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter, Parameter
from controller.domain.pool import Column, Pool
from controller.domain.space import Problem

Array: TypeAlias = NDArray[np.float64]

_NUMPY = functions_of(np)

# Whole numbers over a wider range are searched as if continuous and rounded at the end, unless rounding could break a
# constraint.
MOST_LEVELS = 1000
# Two coordinates closer than this are the same setting; values are kept to nine digits, as `Problem.key` compares them.
SAME = 2e-9
# A part of its range so small is what a calculation left (2e-16, 1e-9 of a mixture), and stands for none at all; constraints are
# checked to ten times that.
NOTHING = 1e-8
# Choices that an error names.
_SHOWN = 12


@dataclass(frozen=True)
class Axis:
    """One parameter as a coordinate.

    Attributes:
        name: Of the parameter.
        parameter: The parameter itself.
        lower, upper: Values at coordinates 0 and 1 [unit of the parameter]; 0 and 1 for choices.
        logarithmic: Whether the coordinate is even in the logarithm of the value.
        levels: All coordinates possible, ascending; None for a continuous range.
    """

    name: str
    parameter: Parameter
    lower: float
    upper: float
    logarithmic: bool
    levels: Array | None

    @property
    def categorical(self) -> bool:
        """Whether the coordinate is the position of a choice."""
        return isinstance(self.parameter, CategoricalParameter)

    def coordinate(self, value: Value) -> float:
        """Return the coordinate of `value`.

        Raises:
            ValueError: If a choice is not in the list.
        """
        if isinstance(self.parameter, CategoricalParameter):
            place = self.parameter.positions.get(value) if isinstance(value, str) else None
            if place is None:
                more = ", …" if len(self.parameter.choices) > _SHOWN else ""
                raise ValueError(f"{self.name}: {value!r} is not one of {', '.join(self.parameter.choices[:_SHOWN])}{more}")
            return float(place)
        number = float(value)
        if self.logarithmic:
            return math.log(number / self.lower) / math.log(self.upper / self.lower)
        return (number - self.lower) / (self.upper - self.lower)

    def value(self, coordinate: float) -> Value:
        """Return the allowed value nearest to `coordinate`, to nine digits; 0 for what a calculation left (`NOTHING`)."""
        parameter = self.parameter
        if isinstance(parameter, CategoricalParameter):
            return parameter.choices[min(max(round(coordinate), 0), len(parameter.choices) - 1)]
        if self.logarithmic:
            number = self.lower * math.exp(coordinate * math.log(self.upper / self.lower))
        else:
            number = self.lower + coordinate * (self.upper - self.lower)
        if isinstance(parameter, ContinuousParameter):
            nothing = not self.logarithmic and abs(number) < NOTHING * (self.upper - self.lower)
            number = 0.0 if nothing else float(f"{number:.9g}")
            return float(min(max(number, parameter.bounds[0]), parameter.bounds[1]))
        if isinstance(parameter, IntegerParameter):
            return min(max(round(number), parameter.bounds[0]), parameter.bounds[1])
        return min(parameter.values, key=lambda v: abs(v - number))


    def values(self, coordinates: Any, exp: Callable[[Any], Any]) -> Any:
        """Return the values at `coordinates`, an array or tensor, as a rule compares them; unrounded but for whole numbers.

        Args:
            coordinates: Of any shape; of choices, the positions.
            exp: The exponential function of such arrays.
        """
        if isinstance(self.parameter, CategoricalParameter):
            return np.asarray(self.parameter.choices)[np.asarray(coordinates).round().astype(int)]
        if self.logarithmic:
            return self.lower * exp(coordinates * math.log(self.upper / self.lower))
        values = self.lower + coordinates * (self.upper - self.lower)
        return values.round() if isinstance(self.parameter, IntegerParameter) else values

    @cached_property
    def neutral(self) -> float:
        """The coordinate that stands for a parameter which is not active."""
        if self.levels is None:
            return 0.5
        return 0.0 if self.categorical else float(self.levels[len(self.levels) // 2])


@dataclass(frozen=True)
class Polytope:
    """Linear constraints on coordinates z: `A z <= b` and `E z == f`; bounds 0 and 1 come on top.

    Attributes:
        A, b: m x p and m.
        E, f: k x p and k.
    """

    A: Array
    b: Array
    E: Array
    f: Array

    @property
    def empty(self) -> bool:
        """Whether there is no constraint."""
        return len(self.b) == 0 and len(self.f) == 0

    @cached_property
    def involved(self) -> NDArray[np.bool_]:
        """Which coordinates a constraint names (p)."""
        named: NDArray[np.bool_] = (np.abs(self.A).sum(0) + np.abs(self.E).sum(0)) > 0
        return named

    def allows(self, z: Array, tolerance: float = 1e-7) -> NDArray[np.bool_]:
        """Say for each row of `z` (n x p) whether it satisfies every constraint."""
        inside: NDArray[np.bool_] = np.ones(len(z), bool)
        if len(self.b):
            inside &= (z @ self.A.T <= self.b + tolerance).all(1)
        if len(self.f):
            inside &= (np.abs(z @ self.E.T - self.f) <= tolerance).all(1)
        return inside


@dataclass(frozen=True)
class SearchSpace:
    """All coordinates of a problem and its constraints on them."""

    problem: Problem
    axes: tuple[Axis, ...]
    polytope: Polytope

    @classmethod
    def of(cls, problem: Problem) -> SearchSpace:
        """Return the search space of `problem`."""
        constrained = {name for c in problem.linear_constraints for name, _ in c.coefficients}
        axes = tuple(_axis(name, p, problem, constrained=name in constrained) for name, p in problem.parameters.items())
        return cls(problem, axes, _polytope(problem, axes))

    @property
    def p(self) -> int:
        """Number of coordinates."""
        return len(self.axes)

    @cached_property
    def pool_rows(self) -> NDArray[np.int64]:
        """Which rows of the pool the constraints allow; empty without a pool."""
        pool = self.problem.pool
        if pool is None:
            return np.zeros(0, np.int64)
        allowed = np.ones(len(pool), bool)
        for constraint in self.problem.parsed_constraints:
            allowed &= constraint.met({name: pool.columns[name].settings for name in constraint.names})
        return np.flatnonzero(allowed)

    @cached_property
    def pool(self) -> Array | None:
        """The coordinates of those rows (n x p); None without a pool."""
        return None if self.problem.pool is None else self.coordinates_of(self.problem.pool, self.pool_rows)

    def coordinates_of(self, pool: Pool, rows: NDArray[np.int64]) -> Array:
        """Return the coordinates of some rows of a pool (n x p)."""
        z = np.empty((len(rows), self.p))
        every = len(rows) == len(pool) and bool((np.diff(rows) > 0).all())  # not as many rows in another order
        for j, axis in enumerate(self.axes):
            column = pool.columns[axis.name]
            z[:, j] = _coordinates(axis, column if every else column.take(rows))
        return z

    def coordinates(self, points: Sequence[Mapping[str, Value]]) -> Array:
        """Return the coordinates of `points` (n x p); what is not active stands at its neutral coordinate."""
        z = np.empty((len(points), self.p))
        for j, axis in enumerate(self.axes):
            column = [point.get(axis.name) for point in points]
            if axis.categorical or axis.logarithmic or None in column:
                z[:, j] = [self._inactive(axis) if value is None else axis.coordinate(value) for value in column]
            else:
                z[:, j] = (np.array(column, dtype=np.float64) - axis.lower) / (axis.upper - axis.lower)
        return z

    def _inactive(self, axis: Axis) -> float:
        if axis.name not in self.problem.conditional:
            raise ValueError(f"the point has no {axis.name}, which is always set")
        return axis.neutral

    def point(self, z: Array) -> Point:
        """Return the setting at coordinates `z` (p), each value the nearest allowed one, without what is not active."""
        settings = {axis.name: axis.value(float(c)) for axis, c in zip(self.axes, z, strict=True)}
        return self.problem.active(settings) if self.problem.conditional else settings

    @property
    def ruled(self) -> bool:
        """Whether there is more than bounds and linear constraints: rules, or parameters that are not always there."""
        return bool(self.problem.rules or self.problem.conditional)

    def active(self, z: Array) -> NDArray[np.bool_]:
        """Say which parameters are active at each row of `z` (n x p)."""
        active: NDArray[np.bool_] = np.ones(z.shape, bool)
        position = {axis.name: j for j, axis in enumerate(self.axes)}
        for name in self.problem.conditional:
            j = position[name]
            for other, wanted in (self.axes[j].parameter.active_when or {}).items():
                k = position[other]
                axis = self.axes[k]
                values = axis.values(z[:, k], np.exp)
                if axis.categorical:
                    met = np.isin(values, wanted)
                else:
                    low, high = (_rounded(np.float64(w)) for w in (wanted[0], wanted[-1]))
                    met = (_rounded(values) >= low) & (_rounded(values) <= high)
                active[:, j] &= met & active[:, k]
        return active

    def settle(self, z: Array) -> Array:
        """Return `z` (n x p) with neutral coordinates for what is not active: so each setting has one place."""
        if not self.problem.conditional:
            return z
        return np.where(self.active(z), z, np.array([axis.neutral for axis in self.axes]))

    def allows(self, z: Array, tolerance: float = 1e-7) -> NDArray[np.bool_]:
        """Say for each row of `z` (n x p) whether it satisfies every constraint."""
        inside = self.polytope.allows(z, tolerance)
        if not self.problem.rules:
            return inside
        values, there = self._ruled_values(z), self._there(z)
        with np.errstate(all="ignore"):
            for rule, asked in zip(self.problem.rules, there, strict=True):
                inside = inside & (np.asarray(rule.holds(values, _NUMPY)) | ~asked)
        return inside

    def excess(self, z: Array) -> Array:
        """Return by how much each row of `z` (n x p) misses each rule (n x rules); not above zero where it is satisfied."""
        values, there = self._ruled_values(z), self._there(z)
        with np.errstate(all="ignore"):
            columns = [
                np.where(asked, np.broadcast_to(np.asarray(rule.excess(values, _NUMPY), dtype=np.float64), len(z)), -1.0)
                for rule, asked in zip(self.problem.rules, there, strict=True)
            ]
        return np.array(columns).reshape(len(columns), len(z)).T

    def _ruled_values(self, z: Array) -> dict[str, Any]:
        named = {name for rule in self.problem.rules for name in rule.names}
        return {axis.name: axis.values(z[:, j], np.exp) for j, axis in enumerate(self.axes) if axis.name in named}

    def _there(self, z: Array) -> list[NDArray[np.bool_]]:
        """Say for each rule at which rows all parameters that it names are active."""
        if not self.problem.conditional:
            everywhere: NDArray[np.bool_] = np.ones(len(z), bool)
            return [everywhere] * len(self.problem.rules)
        active = self.active(z)
        named = [[j for j, axis in enumerate(self.axes) if axis.name in rule.names] for rule in self.problem.rules]
        return [np.asarray(active[:, columns].all(1)) for columns in named]

    def snap(self, z: Array) -> Array:
        """Return `z` (n x p) with every coordinate moved to the nearest level, where there are levels."""
        snapped = np.clip(z, 0.0, self.upper)
        for j, axis in enumerate(self.axes):
            if axis.levels is not None:
                middles = (axis.levels[1:] + axis.levels[:-1]) / 2
                snapped[:, j] = axis.levels[np.searchsorted(middles, snapped[:, j])]
        return self.settle(snapped)

    @cached_property
    def upper(self) -> Array:
        """Largest coordinates (p): the last position for choices, 1 for numbers."""
        tops = [a.levels[-1] if a.levels is not None and a.categorical else 1.0 for a in self.axes]
        return np.array(tops, dtype=np.float64)

    @cached_property
    def continuous(self) -> NDArray[np.bool_]:
        """Which coordinates have no levels (p)."""
        return np.array([a.levels is None for a in self.axes])

    @cached_property
    def size(self) -> float:
        """Number of settings before constraints; infinite where a coordinate is continuous."""
        return math.prod(math.inf if a.levels is None else float(len(a.levels)) for a in self.axes)


def _coordinates(axis: Axis, column: Column) -> Array:
    """Return the coordinates of a column's values (n)."""
    if isinstance(axis.parameter, CategoricalParameter):
        position = {choice: float(i) for i, choice in enumerate(axis.parameter.choices)}
        if column.kind == "text":
            return np.array([position[choice] for choice in column.choices]).take(column.data)
        return np.array([position[str(v)] for v in column])
    if axis.logarithmic:  # the logarithm of the standard library: that of numpy may differ in the last digit
        return np.fromiter(map(axis.coordinate, column), np.float64, len(column))
    numbers: Array = (column.data.astype(np.float64, copy=False) - axis.lower) / (axis.upper - axis.lower)
    return numbers


def context_axes(problem: Problem) -> tuple[Axis, ...]:
    """Return a coordinate for each context variable."""
    return tuple(_axis(name, parameter, problem, constrained=False) for name, parameter in problem.context.items())


def _rounded(values: Any) -> Any:
    """Return values to ten digits: a bound that was reached by calculating is still the bound."""
    with np.errstate(all="ignore"):
        size = 10.0 ** (9 - np.floor(np.log10(np.where(values == 0, 1.0, np.abs(values)))))
    return np.round(values * size) / size


def _axis(name: str, parameter: Parameter, problem: Problem, *, constrained: bool) -> Axis:
    if isinstance(parameter, CategoricalParameter):
        return Axis(name, parameter, 0.0, 1.0, False, np.arange(len(parameter.choices), dtype=np.float64))
    if isinstance(parameter, (ContinuousParameter, IntegerParameter)):
        lower, upper = (float(v) for v in parameter.bounds)
    else:
        lower, upper = parameter.values[0], parameter.values[-1]
    if problem.pool is not None and name in problem.pool.names:
        # What cannot be chosen must not stretch the scale.
        column = problem.pool.columns[name].data
        if (low := float(column.min())) < (high := float(column.max())):
            lower, upper = low, high
    log = isinstance(parameter, ContinuousParameter) and parameter.scale == "log" and not constrained
    axis = Axis(name, parameter, lower, upper, log, None)
    if isinstance(parameter, ContinuousParameter):
        return axis
    if isinstance(parameter, IntegerParameter):
        low, high = parameter.bounds
        if high - low >= MOST_LEVELS and not constrained:
            return axis
        values = [float(v) for v in range(low, high + 1)]
    else:
        values = list(parameter.values)
    levels = np.array([axis.coordinate(v) for v in values])
    return Axis(name, parameter, lower, upper, log, levels)


def _polytope(problem: Problem, axes: Sequence[Axis]) -> Polytope:
    position = {axis.name: j for j, axis in enumerate(axes)}
    rows: dict[bool, list[tuple[Array, float]]] = {True: [], False: []}
    for constraint in problem.linear_constraints:
        row, bound = np.zeros(len(axes)), constraint.bound
        for name, coefficient in constraint.coefficients:
            axis = axes[position[name]]
            row[position[name]] = coefficient * (axis.upper - axis.lower)
            bound -= coefficient * axis.lower
        # Rows of equal size, so that one tolerance means the same for all.
        size = float(np.abs(row).max()) or 1.0
        sign = -1.0 if constraint.sense == ">=" else 1.0
        rows[constraint.sense == "=="].append((sign * row / size, sign * bound / size))

    def stacked(kind: bool) -> tuple[Array, Array]:
        matrix = np.array([row for row, _ in rows[kind]]).reshape(len(rows[kind]), len(axes))
        return matrix, np.array([bound for _, bound in rows[kind]], dtype=np.float64)

    return Polytope(*stacked(False), *stacked(True))
