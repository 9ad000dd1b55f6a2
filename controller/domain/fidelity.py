"""Fidelities: how well, and at what cost, one experiment can be carried out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field, model_validator

from controller.domain.base import Label, Model, Point, Value
from controller.domain.parameter import CategoricalParameter

FIDELITY: Final = "fidelity"
"""The parameter that says at which level an experiment is carried out; a step of the protocol takes it as `$fidelity`."""


class Level(Model):
    """One way to carry an experiment out."""

    cost: Annotated[float, Field(gt=0)]
    """What an experiment costs at this level, in any unit that is the same for all levels."""


class Fidelity(Model):
    """The levels at which an experiment can be carried out: a simulation or a quick assay beside the real one."""

    levels: Annotated[dict[Label, Level], Field(min_length=2, max_length=10)]
    """Name of the level -> what it costs."""
    target: Label
    """The level that counts: the best is told of it alone, and the others are there to save experiments at it."""

    @model_validator(mode="after")
    def _check_target(self) -> Fidelity:
        if self.target not in self.levels:
            raise ValueError(f"target {self.target} is none of the levels {', '.join(self.levels)}; name one of them")
        dear = [name for name, level in self.levels.items() if name != self.target and level.cost >= self.cost]
        if dear:
            raise ValueError(
                f"level {dear[0]} costs {self.levels[dear[0]].cost:g}, no less than the target's {self.cost:g}; leave it out"
            )
        return self

    @property
    def cost(self) -> float:
        """What an experiment at the target costs."""
        return self.levels[self.target].cost

    @property
    def cheapest(self) -> str:
        """The level that costs least."""
        return min(self.levels, key=lambda name: self.levels[name].cost)

    @property
    def parameter(self) -> CategoricalParameter:
        """The levels as a parameter of each experiment."""
        return CategoricalParameter(type="categorical", choices=tuple(self.levels))

    def is_target(self, point: Mapping[str, Value]) -> bool:
        """Say whether an experiment was, or would be, carried out at the level that counts."""
        return point[FIDELITY] == self.target

    def cost_of(self, point: Mapping[str, Value]) -> float:
        """Return what an experiment costs."""
        return self.levels[str(point[FIDELITY])].cost

    def at(self, point: Mapping[str, Value], level: str) -> Point:
        """Return the same setting at another level."""
        return {**point, FIDELITY: level}
