"""What a figure is made of: a campaign's experiments as they are to be shown, each as what it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from controller.domain.desirability import Desirability, combined
from controller.domain.objective import Objective, standing, wanted

Role = Literal[
    "model", "space-filling", "stand-in", "user", "reference", "imported", "replicate", "cheaper level", "not acceptable",
    "retracted", "failed", "under way",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Expectation:
    """What was predicted of one objective before it was measured [its unit]."""

    mean: float
    low: float
    high: float
    """Interval of what would be measured; the same as `mean` where none was kept."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One experiment."""

    number: int
    role: Role
    status: str
    point: Mapping[str, Any]
    values: Mapping[str, float]
    """Objective -> measured value; of a retracted result too."""
    counts: bool
    """Whether it has a result that stands and can be the best: completed, not retracted, at the level that counts."""
    ended: float | None = None
    """[s since 1970-01-01 UTC]"""
    expected: Mapping[str, Expectation] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """One campaign."""

    name: str
    simulated: bool
    objectives: Mapping[str, Objective]
    parameters: Mapping[str, Mapping[str, Any]]
    """As the definition holds them, as JSON data."""
    experiments: tuple[Shown, ...]
    """By number."""
    desirability: Mapping[str, Desirability] = field(default_factory=dict)
    status: str = ""
    budget: int | None = None
    drawn: frozenset[int] | None = None
    """Numbers of the experiments that are drawn one by one, of a long campaign; None: all."""

    @property
    def shown(self) -> tuple[Shown, ...]:
        """The experiments that are drawn one by one."""
        return self.experiments if self.drawn is None else tuple(e for e in self.experiments if e.number in self.drawn)

    @cached_property
    def results(self) -> list[Shown]:
        """Experiments with a result that counts, in the order in which they ended."""
        found = [e for e in self.experiments if e.counts and self.objectives.keys() <= e.values.keys()]
        return sorted(found, key=lambda e: (e.ended or 0.0, e.number))

    @cached_property
    def wanted(self) -> dict[str, Objective]:
        """The objectives of which more is wanted than that their bounds are kept."""
        return wanted(self.objectives)

    @property
    def explored(self) -> bool:
        """Whether no result is better than another."""
        return any(o.explored for o in self.objectives.values())

    @property
    def single(self) -> bool:
        """Whether one number says how good a result is."""
        return bool(self.desirability) or len(self.wanted) == 1

    @cached_property
    def _bounded(self) -> bool:
        return any(o.bounded for o in self.objectives.values())

    def acceptable(self, experiment: Shown) -> bool:
        """Say whether a result keeps every bound."""
        return not self._bounded or standing(self.objectives, experiment.values).feasible

    def score(self, experiment: Shown) -> float:
        """Return how good a result is where one number says so; more is better. Not of one that is not acceptable."""
        if self.desirability:
            each = {n: w.of(experiment.values[n], self.objectives[n].target) for n, w in self.desirability.items()}
            return combined(each, self.desirability)
        (name, objective), *_ = self.wanted.items()
        return objective.score(experiment.values[name])

    def scores(self, experiment: Shown) -> tuple[float, ...]:
        """Return how good a result is in each objective; more is better."""
        return tuple(o.score(experiment.values[name]) for name, o in self.wanted.items())


def setting_key(point: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what settings that are the same to nine digits have in common."""
    return tuple(sorted((n, float(f"{v:.9g}") if isinstance(v, float) else v) for n, v in point.items()))


def point_text(point: Mapping[str, Any], parameters: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a setting as people read it, with units."""
    return "; ".join(f"{name} {number_text(value)}{_unit(parameters.get(name))}" for name, value in point.items())


def number_text(value: object) -> str:
    """Return a value to five digits."""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def plain_unit(unit: str | None) -> str | None:
    """Return a unit as it is printed: m³, not m**3."""
    if unit is None or unit == "dimensionless":
        return None
    shown = {"percent": "%", "degC": "°C", "degF": "°F"}.get(unit, unit)
    return shown.replace("**2", "²").replace("**3", "³").replace("**-1", "⁻¹").replace("**-2", "⁻²")


def _unit(spec: Mapping[str, Any] | None) -> str:
    unit = plain_unit((spec or {}).get("unit"))
    return f" {unit}" if unit else ""


def value_text(name: str, value: float, objectives: Mapping[str, Objective]) -> str:
    """Return a value of an objective with its unit."""
    unit = plain_unit(objectives[name].unit) if name in objectives else None
    return f"{number_text(float(value))} {unit}" if unit else number_text(float(value))


def goal_text(objective: Objective) -> str:
    """Return what is wanted, in a word or two."""
    if objective.goal == "match":
        return f"match {objective.target:g}"
    if objective.goal == "level":
        return f"where it crosses {objective.target:g}"
    return {"constrain": "kept in bounds", "explore": "to be known"}.get(objective.goal, objective.goal)


def count_text(n: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def subtitle(given: Given, *parts: str) -> str:
    """Return what stands below every title: whose data, and whether a real instrument gave them."""
    marks: Iterable[str] = ("SIMULATED DATA",) if given.simulated else ()
    return " · ".join((*marks, *parts))
