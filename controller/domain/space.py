"""The design space: what may be proposed, as one self-contained piece of data.

A `Problem` is all that the design room needs to know of a campaign. It holds no file names: tables that the campaign file
points to have been read into it, so it can be stored, sent to another process, and used again years later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import model_validator

from controller.domain.base import LATER, Model, Point, Value
from controller.domain.constraint import LinearConstraint
from controller.domain.cost import Cost
from controller.domain.desirability import Desirability
from controller.domain.drift import Drift
from controller.domain.fidelity import Fidelity
from controller.domain.knowledge import EarlierCampaign, Hint, Knowledge
from controller.domain.objective import Objective, Standing, check_goals, standing, wanted
from controller.domain.parameter import CategoricalParameter, DiscreteParameter, Parameter, meets
from controller.domain.pool import Pool
from controller.domain.rule import Constraint, Rule, constraint_of, of_linear

__all__ = ["DescriptorTable", "Pool", "Problem", "circular", "fingerprint"]


class DescriptorTable(Model):
    """Numbers, and a structure where known, for each choice of one categorical parameter."""

    columns: dict[str, tuple[float, ...]] = {}
    """Descriptor name -> one number per choice, in the order of `choices`."""
    smiles: tuple[str, ...] | None = None
    """SMILES per choice (empty text: no structure, for example `none`)."""


class Problem(Model):
    """Parameters, constraints, objectives, where the settings are listed the pool, and what is known beforehand."""

    parameters: dict[str, Parameter]
    objectives: dict[str, Objective]
    context: Annotated[dict[str, Parameter], LATER] = {}
    """What a model learns from besides the parameters, given and not chosen."""
    constraints: tuple[str, ...] = ()
    descriptors: dict[str, DescriptorTable] = {}
    pool: Pool | None = None
    allow_replicates: Literal[False, True, "auto"] = False
    desirability: Annotated[dict[str, Desirability], LATER] = {}
    """How desirable values of the objectives are, where they are combined into one score."""
    cost: Annotated[Cost | None, LATER] = None
    """What an experiment costs."""
    drift: Annotated[Drift | None, LATER] = None
    """How measurements drift, and the reference experiments that show it."""
    fidelity: Annotated[Fidelity | None, LATER] = None
    """The levels at which an experiment can be carried out; the parameter `fidelity` then says at which one."""
    knowledge: Annotated[Knowledge | None, LATER] = None
    """What is known before the first experiment."""

    def counts(self, point: Mapping[str, Value]) -> bool:
        """Say whether a result there may be the best: whether it is one of the fidelity that counts."""
        return self.fidelity is None or self.fidelity.is_target(point)

    @property
    def explored(self) -> bool:
        """Whether the objectives are to be known, not to be optimised: no result is the best."""
        return any(o.explored for o in self.objectives.values())

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

    @model_validator(mode="after")
    def _no_circles(self) -> Problem:
        if circle := circular(self.parameters):
            raise ValueError(f"{', '.join(circle)} are active for each other in a circle; break it")
        return self

    @cached_property
    def parsed_constraints(self) -> tuple[Constraint, ...]:
        """The constraints, parsed; what is linear but names a parameter that is not always there is a rule."""
        parsed = (constraint_of(text) for text in self.constraints)
        return tuple(
            of_linear(c) if isinstance(c, LinearConstraint) and any(name in self.conditional for name, _ in c.coefficients) else c
            for c in parsed
        )

    @property
    def earlier(self) -> tuple[EarlierCampaign, ...]:
        """Results of earlier campaigns."""
        return () if self.knowledge is None else self.knowledge.earlier

    @property
    def hints(self) -> tuple[Hint, ...]:
        """Guesses of where the best lies."""
        return () if self.knowledge is None else self.knowledge.hints

    def first(self, seen: Iterable[Mapping[str, Value]]) -> list[Point]:
        """Return the settings to be measured before all others that are not among those seen."""
        wished = () if self.knowledge is None else self.knowledge.first
        known = {self.key(point) for point in seen} if wished else set()
        return [dict(point) for point in wished if self.key(point) not in known]

    @cached_property
    def linear_constraints(self) -> tuple[LinearConstraint, ...]:
        """The linear constraints asked of every point."""
        return tuple(c for c in self.parsed_constraints if isinstance(c, LinearConstraint))

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The other constraints."""
        return tuple(c for c in self.parsed_constraints if isinstance(c, Rule))

    @cached_property
    def conditional(self) -> tuple[str, ...]:
        """Parameters that are not always there, each after those that it depends on."""
        return tuple(name for name in _ordered(self.parameters) if self.parameters[name].active_when is not None)

    def settings(self, point: Mapping[str, Value]) -> Point:
        """Return what was chosen of `point`: it without the context."""
        return {name: value for name, value in point.items() if name in self.parameters} if self.context else dict(point)

    def active(self, settings: Mapping[str, Value]) -> Point:
        """Return the settings of a point that says too much: without those of parameters that are not active."""
        point = dict(settings)
        for name in self.conditional:
            for other, there in (self.parameters[name].active_when or {}).items():
                if other not in point or not meets(self.parameters[other], point[other], there):
                    point.pop(name, None)
        return point

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
            self.sets_what_is_active(point)
            and all(self.parameters[name].allows(value) for name, value in point.items())
            and all(c.allows(point, scale=s) for c, s in zip(self.linear_constraints, self._scales, strict=True))
            and all(rule.allows(point) for rule in self.rules)
        )

    def sets_what_is_active(self, point: Mapping[str, Value]) -> bool:
        """Say whether `point` sets every parameter that is active there, and no other."""
        if not self.conditional:
            return point.keys() == self.parameters.keys()
        whole = {name: point.get(name, 0) for name in self.parameters}
        return point.keys() == self.active(whole).keys()

    def key(self, point: Mapping[str, Value]) -> tuple[Value | None, ...]:
        """Return what makes `point` the same setting as another.

        Its values in the order of the parameters, rounded, never -0; None where a parameter is not active.
        """
        return tuple(
            None
            if name not in point
            else str(point[name])
            if isinstance(p, CategoricalParameter)
            else float(f"{float(point[name]):.9g}") + 0.0
            for name, p in self.parameters.items()
        )


def circular(parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    """Return the parameters that are active for each other in a circle, or for such; none in a good campaign."""
    placed = _ordered(parameters)
    return tuple(name for name in parameters if name not in placed)


def _ordered(parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    """Return names, each after those that it is active for; without those that depend on each other in a circle."""
    placed: dict[str, None] = {}
    waiting = list(parameters)
    while ready := [n for n in waiting if all(o in placed or o not in parameters for o in parameters[n].active_when or ())]:
        placed |= dict.fromkeys(ready)
        waiting = [n for n in waiting if n not in placed]
    return tuple(placed)


def fingerprint(content: object) -> str:
    """Return the SHA-256 of the canonical JSON of `content` (16 hex digits are enough to tell two apart by eye)."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
