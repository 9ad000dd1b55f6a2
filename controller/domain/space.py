"""The design space: what may be proposed, as one self-contained piece of data.

A `Problem` is all that the design room needs to know of a campaign. It holds no file names: tables that the campaign file
points to have been read into it, so it can be stored, sent to another process, and used again years later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import model_validator

from controller.domain.base import LATER, Model, Value
from controller.domain.constraint import LinearConstraint, parse_constraint
from controller.domain.desirability import Desirability
from controller.domain.objective import Objective, Standing, check_goals, standing, wanted
from controller.domain.parameter import CategoricalParameter, DiscreteParameter, Parameter
from controller.domain.pool import Pool

__all__ = ["DescriptorTable", "Pool", "Problem", "fingerprint"]


class DescriptorTable(Model):
    """Numbers, and a structure where known, for each choice of one categorical parameter."""

    columns: dict[str, tuple[float, ...]] = {}
    """Descriptor name -> one number per choice, in the order of `choices`."""
    smiles: tuple[str, ...] | None = None
    """SMILES per choice (empty text: no structure, for example `none`)."""


class Problem(Model):
    """Parameters, constraints, objectives and, where the settings are listed, the pool."""

    parameters: dict[str, Parameter]
    objectives: dict[str, Objective]
    constraints: tuple[str, ...] = ()
    descriptors: dict[str, DescriptorTable] = {}
    pool: Pool | None = None
    allow_replicates: bool | Literal["auto"] = False
    desirability: Annotated[dict[str, Desirability], LATER] = {}
    """How desirable values of the objectives are, where they are combined into one score."""

    @model_validator(mode="after")
    def _check_goals(self) -> Problem:
        for place, message in check_goals(self.objectives, self.desirability, replicates=self.allow_replicates):
            raise ValueError(f"{'.'.join(place)}: {message}")
        return self

    @property
    def several(self) -> bool:
        """Whether several objectives are to be traded against each other: the best results are a Pareto front."""
        return len(wanted(self.objectives)) > 1 and not self.desirability

    def standing(self, values: Mapping[str, float]) -> Standing:
        """Return how good a result is; `values` holds one for each objective."""
        return standing(self.objectives, values, self.desirability)

    @cached_property
    def linear_constraints(self) -> tuple[LinearConstraint, ...]:
        """The constraints, parsed."""
        return tuple(parse_constraint(text) for text in self.constraints)

    @cached_property
    def _scales(self) -> tuple[float, ...]:
        """For each constraint the size of its largest term anywhere in the space."""
        return tuple(
            max(abs(c) * self._largest(name) for name, c in constraint.coefficients) for constraint in self.linear_constraints
        )

    def _largest(self, name: str) -> float:
        parameter = self.parameters[name]
        if isinstance(parameter, CategoricalParameter):
            raise ValueError(f"{name} is categorical and cannot stand in a constraint; only numbers can be added up")
        return max(abs(v) for v in (parameter.values if isinstance(parameter, DiscreteParameter) else parameter.bounds))

    def allows(self, point: Mapping[str, Value]) -> bool:
        """Say whether `point` sets every parameter within its range and satisfies every constraint."""
        return (
            point.keys() == self.parameters.keys()
            and all(p.allows(point[name]) for name, p in self.parameters.items())
            and all(c.allows(point, scale=s) for c, s in zip(self.linear_constraints, self._scales, strict=True))
        )

    def key(self, point: Mapping[str, Value]) -> tuple[Value, ...]:
        """Return what makes `point` the same setting as another: its values in the order of the parameters, rounded, never -0."""
        return tuple(
            str(point[name]) if isinstance(p, CategoricalParameter) else float(f"{float(point[name]):.9g}") + 0.0
            for name, p in self.parameters.items()
        )


def fingerprint(content: object) -> str:
    """Return the SHA-256 of the canonical JSON of `content` (16 hex digits are enough to tell two apart by eye)."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
