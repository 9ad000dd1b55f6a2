"""What ended experiments taught, in columns: a campaign of years keeps some fifty bytes for each in memory.

A retracted result is kept beside the columns: nothing learns from it, and it can be reinstated.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from typing import Any

from controller.domain.base import Point, Value
from controller.domain.event import Observation
from controller.domain.request import Observations
from controller.errors import IllegalTransitionError


@dataclass(frozen=True)
class Ended:
    """One experiment that has ended."""

    number: int
    point: Point
    values: dict[str, float] | None
    """Objective name -> value [the objective's unit]; None: it failed there."""


class History:
    """Experiments that ended with or without a result, in the order of their numbers."""

    def __init__(self) -> None:
        self._numbers = array("q")
        self._completed = bytearray()
        self._points: dict[str, MutableSequence[Any]] = {}
        self._values: dict[str, MutableSequence[Any]] = {}
        self._sems: dict[str, MutableSequence[Any]] = {}
        self._retracted: dict[int, tuple[Point, dict[str, Observation]]] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, History):
            return NotImplemented
        same_columns = self._numbers == other._numbers and self.observations() == other.observations()
        return same_columns and self.retracted == other.retracted

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __iter__(self) -> Iterator[Ended]:
        for i, number in enumerate(self._numbers):
            yield Ended(number, self._point(i), self._values_at(i) if self._completed[i] else None)

    def newest(self, n: int) -> Iterator[Ended]:
        """Return the `n` with the highest numbers, oldest first."""
        for i in range(max(0, len(self) - n), len(self)):
            yield Ended(self._numbers[i], self._point(i), self._values_at(i) if self._completed[i] else None)

    def points(self) -> Iterator[Point]:
        """Return the settings."""
        return (self._point(i) for i in range(len(self)))

    def put(self, number: int, point: Point, observations: Mapping[str, Observation] | None) -> None:
        """Take an experiment in.

        Args:
            number: Of the experiment.
            point: Its setting.
            observations: By objective; None says that it failed.
        """
        at = bisect_left(self._numbers, number)
        self._numbers.insert(at, number)
        self._completed.insert(at, observations is not None)
        known = {} if observations is None else observations
        _insert(self._points, at, len(self), point, missing=None)
        _insert(self._values, at, len(self), {n: o.value for n, o in known.items()}, missing=math.nan)
        _insert(self._sems, at, len(self), {n: o.sem for n, o in known.items() if o.sem is not None}, missing=math.nan)

    def remove(self, number: int) -> None:
        """Take an experiment out that goes on after all; one that is not here changes nothing."""
        at = self.position(number)
        if at is None:
            return
        del self._numbers[at], self._completed[at]
        for columns in (self._points, self._values, self._sems):
            for column in columns.values():
                del column[at]

    def get(self, number: int) -> Ended | None:
        """Return the experiment with `number`; None where it has not ended, or is retracted."""
        at = self.position(number)
        return None if at is None else Ended(number, self._point(at), self._values_at(at) if self._completed[at] else None)

    @property
    def retracted(self) -> dict[int, Ended]:
        """Experiments whose results are retracted, by number."""
        return {
            number: Ended(number, point, {name: seen.value for name, seen in observations.items()})
            for number, (point, observations) in self._retracted.items()
        }

    def retract(self, number: int) -> None:
        """Take a result out of what is learned from.

        Raises:
            IllegalTransitionError: If there is none of that number, or it is retracted already.
        """
        at = self.position(number)
        if at is None or not self._completed[at]:
            why = "is retracted already" if number in self._retracted else "has no result that could be retracted"
            raise IllegalTransitionError(f"experiment {number} {why}")
        sems = _cells(self._sems, at)
        observations = {n: Observation(value=v, sem=sems.get(n)) for n, v in self._values_at(at).items()}
        self._retracted[number] = (self._point(at), observations)
        self.remove(number)

    def reinstate(self, number: int) -> None:
        """Take a retracted result in again.

        Raises:
            IllegalTransitionError: If it is not retracted.
        """
        if number not in self._retracted:
            raise IllegalTransitionError(f"experiment {number} is not retracted")
        self.put(number, *self._retracted.pop(number))

    def is_retracted(self, number: int) -> bool:
        """Say whether the result of an experiment is retracted."""
        return number in self._retracted

    @property
    def values(self) -> Mapping[str, Sequence[float]]:
        """Objective name -> values [the objective's unit]; not a number where an experiment failed."""
        return self._values

    def observations(self, positions: Sequence[int] | None = None, *, numbered: bool = False) -> Observations:
        """Return experiments as a proposal rests on them: those at `positions`, or all; `numbered` where their order counts."""
        at = range(len(self)) if positions is None else positions
        return Observations(
            completed=[bool(self._completed[i]) for i in at],
            points=self.settings(at),
            values={name: [_known(column[i]) for i in at] for name, column in self._values.items()},
            sem={name: [_known(column[i]) for i in at] for name, column in self._sems.items()},
            numbers=[self._numbers[i] for i in at] if numbered else [],
        )

    def settings(self, positions: Iterable[int]) -> dict[str, list[Value | None]]:
        """Return the settings at `positions` as columns, None where a parameter was not active."""
        at = list(positions)
        return {name: [column[i] for i in at] for name, column in self._points.items()}

    def _point(self, i: int) -> Point:
        return {name: column[i] for name, column in self._points.items() if column[i] is not None}

    def position(self, number: int) -> int | None:
        """Return where the experiment with `number` stands in the columns; None where it is not among them."""
        at = bisect_left(self._numbers, number)
        return at if at < len(self._numbers) and self._numbers[at] == number else None

    def _values_at(self, i: int) -> dict[str, float]:
        return _cells(self._values, i)


def _cells(columns: Mapping[str, MutableSequence[Any]], i: int) -> dict[str, float]:
    """Return row `i` of columns of numbers, without what is missing there."""
    return {name: column[i] for name, column in columns.items() if not math.isnan(column[i])}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _insert(
    columns: dict[str, MutableSequence[Any]], at: int, length: int, row: Mapping[str, Value], missing: Value | None
) -> None:
    """Insert `row` at position `at` of columns that are to have `length` entries then; a new column begins with `missing`."""
    for name in row:
        if name not in columns:
            columns[name] = _column([missing] * (length - 1))
    for name, column in columns.items():
        value = row.get(name, missing)
        if isinstance(column, array) and type(value) is not float:
            columns[name] = column = list(column)
        column.insert(at, value)


def _column(values: list[Any]) -> MutableSequence[Any]:
    """Return `values` as an array of numbers [8 bytes each] where all of them are floats, else as a list."""
    return array("d", values) if all(type(v) is float for v in values) else values
