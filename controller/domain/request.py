"""What the proposer process is asked: everything that a proposal depends on, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from controller.domain.base import LATER, Model, Point, Value
from controller.domain.campaign import ProposalPolicy
from controller.domain.space import Problem


class Observed(Model):
    """One experiment that has ended."""

    point: Point
    values: dict[str, float] | None
    """Objective name -> value [the objective's unit]; None: it failed there."""
    sem: dict[str, float] = {}
    number: int | None = None
    """Of the experiment, where the order counts: measurements may drift."""


class Observations(Model):
    """Experiments that have ended, in the order of their numbers; columns of equal length, for there may be thousands."""

    completed: list[bool] = []
    points: dict[str, list[Value | None]] = {}
    """Parameter name -> settings; None where it was not active."""
    values: dict[str, list[float | None]] = {}
    """Objective name -> values [the objective's unit]; None where there is none."""
    sem: dict[str, list[float | None]] = {}
    """Objective name -> standard errors."""
    numbers: Annotated[list[int], LATER] = []
    """Of the experiments, where the order counts: measurements may drift."""

    @classmethod
    def of(cls, rows: Sequence[Observed]) -> Observations:
        """Return `rows` as columns."""
        values = {name: None for row in rows for name in row.values or {}}
        sem = {name: None for row in rows for name in row.sem}
        return cls(
            completed=[row.values is not None for row in rows],
            points={name: [row.point.get(name) for row in rows] for name in dict.fromkeys(n for row in rows for n in row.point)},
            values={name: [(row.values or {}).get(name) for row in rows] for name in values},
            sem={name: [row.sem.get(name) for row in rows] for name in sem},
            numbers=[row.number for row in rows if row.number is not None],
        )

    def __len__(self) -> int:
        return len(self.completed)

    def rows(self) -> list[Observed]:
        """Return one object for each experiment."""
        # What was validated as columns is not validated again.
        return [
            Observed.model_construct(
                point=point,
                values=_row(self.values, i) if completed else None,
                sem=_row(self.sem, i),
                number=self.numbers[i] if self.numbers else None,
            )
            for i, (completed, point) in enumerate(zip(self.completed, self.settings(), strict=True))
        ]

    def settings(self) -> list[Point]:
        """Return the point of each experiment."""
        return settings_of(self.points)


def settings_of(columns: Mapping[str, Sequence[Value | None]]) -> list[Point]:
    """Return columns of settings as points; None says that a point does not set the parameter."""
    return [
        {name: value for name, value in zip(columns, values, strict=True) if value is not None}
        for values in zip(*columns.values(), strict=True)
    ]


def _row(columns: dict[str, list[float | None]], i: int) -> dict[str, float]:
    return {name: value for name, column in columns.items() if (value := column[i]) is not None}


class Request(Model):
    """Propose `n` points for `problem`, given what is known and what is under way."""

    problem: Problem
    policy: ProposalPolicy
    observed: Observations
    """What the models learn from: all that has ended, or the most telling part of very much."""
    surprises: Annotated[dict[str, list[float]], LATER] = {}
    """Objective -> how far the newest results lay from what had been predicted of them; see `domain.judged.surprises`."""
    left_out: int = 0
    """How many more have ended."""
    others: dict[str, list[Value | None]] = {}
    """Their settings, in columns, where settings can be counted and might be proposed again."""
    pending: tuple[Point, ...]
    context: dict[str, Value] = {}
    """Context variable -> what it is now; a point that does not say in which context it is carried out will be in this one."""
    n: int = 1
    number: int
    """Number of the first experiment to be proposed."""
    seed: int
    previous: Annotated[Point, LATER] = {}
    """Setting of the newest experiment, where changing it costs something."""
    cooling: Annotated[float | None, LATER] = None
    """How much cost counts, 1 fully and 0 not at all; None where there is none."""
    reference_in: int | None = None
    """After how many further experiments the reference is due again; None where there is none."""
    events: int = 0
    """How many events of the campaign's log are known; it decides nothing, and is kept with the proposals."""
    refused: tuple[Point, ...] = ()
    """Those of `others` that are told of because they had come up again; kept likewise."""
    device: str = "auto"
