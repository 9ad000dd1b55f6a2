"""Objectives: what a campaign wants of what is measured, and the front of what was reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import model_validator

from controller.domain.base import Model


class Objective(Model):
    """One measured quantity and what is wanted of it."""

    goal: Literal["maximize", "minimize", "match"]
    """What is wanted: much, little, or a value near the target."""
    unit: str | None = None
    """Unit of the values, checked against the driver's; as pint writes it, or `percent`, `mol%`."""
    target: float | None = None
    """The value to match [unit]; only with `goal: match`."""

    @model_validator(mode="after")
    def _check_target(self) -> Objective:
        if (self.goal == "match") != (self.target is not None):
            raise ValueError(
                "goal: match needs a target, for example target: 7.4"
                if self.goal == "match"
                else f"target is only for goal: match, not for goal: {self.goal}"
            )
        return self

    def score(self, value: float) -> float:
        """Return `value` on a scale where more is better."""
        if self.goal == "maximize":
            return value
        if self.goal == "minimize":
            return -value
        assert self.target is not None  # noqa: S101 - by _check_target
        return -abs(value - self.target)


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Say whether scores `a` are at least as good as `b` in all and better in one (Pareto)."""
    return all(x >= y for x, y in zip(a, b, strict=True)) and any(x > y for x, y in zip(a, b, strict=True))


def best_of(objectives: Mapping[str, Objective], rows: Sequence[Mapping[str, float]]) -> list[int]:
    """Return the indices of the best rows: one for a single objective, the Pareto front for several.

    Args:
        objectives: By name; every row must hold a value for each.
        rows: Measured values by objective name.
    """
    scores = [[o.score(row[name]) for name, o in objectives.items()] for row in rows]
    if len(objectives) == 1:
        return [max(range(len(rows)), key=lambda i: scores[i][0])] if rows else []
    front: list[int] = []
    for i, score in enumerate(scores):
        if not any(dominates(scores[j], score) for j in front):
            front = [j for j in front if not dominates(score, scores[j])] + [i]
    return front
