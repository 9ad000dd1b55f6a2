"""Objectives: what a campaign wants of what is measured, and which results are best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import model_validator

from controller.domain.base import LATER, Model
from controller.domain.desirability import Desirability, combined
from controller.domain.limits import Limits, limits_text, within

T = TypeVar("T")


class Objective(Model):
    """One measured quantity and what is wanted of it."""

    goal: Literal["maximize", "minimize", "match", "constrain", "explore", "level"]
    """What is wanted: much, little, a value near the target, or nothing but that its bounds are kept (an outcome constraint). Or to
    know it: everywhere (`explore`), or where it crosses the target (`level`); nothing is the best then."""
    unit: str | None = None
    """Unit of the values, checked against the driver's; as pint writes it, or `percent`, `mol%`."""
    target: float | None = None
    """The value to match, or the level [unit]; only with `goal: match` and `goal: level`."""
    at_least: Annotated[float | None, LATER] = None
    """The least value with which a result is acceptable [unit]: an outcome constraint. Of one of several objectives that is to be
    large, a front is looked for beyond it."""
    at_most: Annotated[float | None, LATER] = None
    """The greatest value with which a result is acceptable [unit]: an outcome constraint. Of one of several objectives that is to
    be small, a front is looked for below it."""
    limits: Annotated[Limits | None, LATER] = None
    """`[lowest, highest]` value that is physically possible [unit], null where a side is open: `[0, 100]` for a yield in percent.
    No prediction, interval or forecast goes beyond. A value measured beyond is kept and learned from, and an alarm says so."""

    @model_validator(mode="after")
    def _check_target(self) -> Objective:
        aims = self.goal in ("match", "level")
        if aims != (self.target is not None):
            raise ValueError(
                f"goal: {self.goal} needs a target, for example target: 7.4"
                if aims
                else f"target is only for goal: match and goal: level, not for goal: {self.goal}"
            )
        if self.goal == "constrain" and not self.bounded:
            raise ValueError("goal: constrain needs at_least, at_most or both, for example at_most: 0.5")
        if self.at_least is not None and self.at_most is not None and self.at_least >= self.at_most:
            raise ValueError(f"at_least {self.at_least:g} must be below at_most {self.at_most:g}; swap them")
        if self.target is not None and self.violation(self.target) > 0.0:
            raise ValueError(f"the target {self.target:g} lies outside at_least and at_most; move one of them")
        self._check_limits()
        return self

    def _check_limits(self) -> None:
        if self.limits is None:
            return
        low, high = self.limits
        if low is None and high is None:
            raise ValueError("limits are null on both sides and say nothing; give one of them, for example limits: [0, null]")
        if low is not None and high is not None and low >= high:
            raise ValueError(f"the lower limit {low:g} must be below the upper limit {high:g}; swap them")
        if self.target is not None and self.beyond(self.target):
            raise ValueError(f"the target {self.target:g} lies beyond the limits {limits_text(self.limits)}; correct one of them")
        for name, bound, end, worse in (("at_least", self.at_least, high, 1.0), ("at_most", self.at_most, low, -1.0)):
            if bound is not None and end is not None and worse * (bound - end) > 0.0:
                raise ValueError(
                    f"{name}: {bound:g} lies beyond the limits {limits_text(self.limits)}, so that no result could be acceptable; "
                    "correct one of them"
                )

    def beyond(self, value: float) -> bool:
        """Say whether `value` [unit] is physically impossible, as far as the limits tell."""
        return within(value, self.limits) != value

    @property
    def bounded(self) -> bool:
        """Whether values exist that are not acceptable."""
        return self.at_least is not None or self.at_most is not None

    @property
    def threshold(self) -> float | None:
        """The score from which on a value is acceptable, where it is bounded on the side that is not wanted and there alone."""
        if self.goal == "maximize" and self.at_most is None:
            return self.at_least
        if self.goal == "minimize" and self.at_least is None and self.at_most is not None:
            return -self.at_most
        return None

    @property
    def explored(self) -> bool:
        """Whether it is to be known, not to be optimised: no result is better than another."""
        return self.goal in ("explore", "level")

    @property
    def sign(self) -> float:
        """The factor between the objective's own scale and the model's, on which larger is better.

        What is to be matched or only bounded is modelled as it was measured: its distance from a target is no longer Gaussian, and
        the acquisition function takes care of it.
        """
        return -1.0 if self.goal == "minimize" else 1.0

    def violation(self, value: float) -> float:
        """Return how far `value` lies outside the bounds [unit]; zero where it is acceptable."""
        below = 0.0 if self.at_least is None else self.at_least - value
        above = 0.0 if self.at_most is None else value - self.at_most
        return max(0.0, below, above)

    def score(self, value: float) -> float:
        """Return `value` on a scale where more is better; of what is only bounded, less violation is."""
        if self.goal == "maximize":
            return value
        if self.goal == "minimize":
            return -value
        if self.target is None:
            return -self.violation(value)
        return -abs(value - self.target)


def wanted(objectives: Mapping[str, Objective]) -> dict[str, Objective]:
    """Return the objectives of which more is wanted than that their bounds are kept."""
    return {name: o for name, o in objectives.items() if o.goal != "constrain"}


def bounded(objectives: Mapping[str, Objective]) -> dict[str, Objective]:
    """Return the objectives with bounds: the outcome constraints."""
    return {name: o for name, o in objectives.items() if o.bounded}


@dataclass(frozen=True)
class Standing:
    """How good one result is; comparable with others of the same campaign."""

    feasible: bool
    """Whether every outcome constraint is met."""
    scores: tuple[float, ...]
    """More is better. Of an acceptable result one for each objective, or their overall desirability; of another minus its
    violation of each outcome constraint."""

    def beats(self, other: Standing) -> bool:
        """Say whether this is better.

        What is acceptable beats what is not. Otherwise it has to be at least as good in all scores and better in one (Pareto).
        Between results that are not acceptable the violations are compared (Deb 2000, An efficient constraint handling method).
        """
        if self.feasible != other.feasible:
            return self.feasible
        return dominates(self.scores, other.scores)


def standing(
    objectives: Mapping[str, Objective], values: Mapping[str, float], desirability: Mapping[str, Desirability] | None = None
) -> Standing:
    """Return how good a result is.

    Args:
        objectives: By name.
        values: A value for each of them [its unit].
        desirability: How desirable values of the objectives are, where they are combined into one.
    """
    violations = [o.violation(values[name]) for name, o in objectives.items() if o.bounded]
    if any(violations):
        return Standing(False, tuple(-v for v in violations))
    if desirability:
        each = {name: wish.of(values[name], objectives[name].target) for name, wish in desirability.items()}
        return Standing(True, (combined(each, desirability),))
    return Standing(True, tuple(o.score(values[name]) for name, o in wanted(objectives).items()))


class Front(Generic[T]):
    """The best of what was added: one for a single score, the Pareto front for several.

    Each further one is compared with these alone.
    """

    def __init__(self) -> None:
        self._held: list[tuple[Standing, T]] = []

    def add(self, standing: Standing, item: T) -> None:
        """Take one in; of equals in a single score the first one stays."""
        beaten = [held for held, _ in self._held if held.beats(standing)]
        ties = len(standing.scores) == 1 and any(held == standing for held, _ in self._held)
        if not beaten and not ties:
            self._held = [(held, i) for held, i in self._held if not standing.beats(held)] + [(standing, item)]

    def __iter__(self) -> Iterator[T]:
        return (item for _, item in self._held)

    @property
    def feasible(self) -> bool:
        """Whether the best are acceptable; false while there are none."""
        return bool(self._held) and self._held[0][0].feasible


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Say whether scores `a` are at least as good as `b` in all and better in one (Pareto)."""
    better = False
    for x, y in zip(a, b, strict=True):
        if not x >= y:
            return False
        better = better or x > y
    return better


def best_of(
    objectives: Mapping[str, Objective],
    rows: Sequence[Mapping[str, float]],
    desirability: Mapping[str, Desirability] | None = None,
) -> list[int]:
    """Return the indices of the best rows: one for a single objective, the Pareto front for several.

    Only acceptable ones; while there are none, those that come closest to being so.

    Args:
        objectives: By name; every row must hold a value for each.
        rows: Measured values by objective name.
        desirability: How desirable values of the objectives are, where they are combined into one.
    """
    front: Front[int] = Front()
    for i, row in enumerate(rows):
        front.add(standing(objectives, row, desirability), i)
    return list(front)


def check_goals(
    objectives: Mapping[str, Objective], desirability: Mapping[str, Desirability], *, replicates: bool | Literal["auto"] = False
) -> list[tuple[tuple[str, ...], str]]:
    """Return what is wrong between objectives and what is said about them elsewhere.

    Returns:
        For each fault its place below the top of a campaign file, and a message.
    """
    faults: list[tuple[tuple[str, ...], str]] = []
    goals = wanted(objectives)
    if not goals:
        message = "every objective is only bounded; give one of them goal: maximize, minimize or match"
        faults.append((("objectives",), message))
    for name, wish in desirability.items():
        if name not in goals:
            there = f"there is {', '.join(goals)}" if goals else "there is none"
            faults.append((("desirability", name), f"{name} is no objective with a goal of its own; {there}"))
        elif (message_of := _misfit(goals[name], wish)) is not None:
            faults.append((("desirability", name), message_of))
    explored = [name for name, o in objectives.items() if o.explored]
    if explored and (len(explored) < len(objectives) or bounded(objectives) or desirability):
        text = "explore and level are goals of their own; give every objective one of them, without bounds, or none"
        faults.append((("objectives", explored[0], "goal"), text))
    if desirability and (missing := [name for name in goals if name not in desirability]):
        text = f"says nothing of {', '.join(missing)}; add from and to for it, or give it goal: constrain with a bound"
        faults.append((("desirability",), text))
    if replicates == "auto" and explored:
        faults.append((("allow_replicates",), "auto looks for what is best, and nothing is here; use true or false"))
    elif replicates == "auto" and len(goals) > 1 and not desirability:
        text = "auto is for one objective, and there are several; use true or false, or combine them by desirability"
        faults.append((("allow_replicates",), text))
    return faults


def _misfit(objective: Objective, wish: Desirability) -> str | None:
    low, high = wish.worthless, wish.perfect
    if objective.goal == "maximize" and low >= high:
        return f"from {low:g} must be below to {high:g}, for the objective is maximized; swap them"
    if objective.goal == "minimize" and low <= high:
        return f"from {low:g} must be above to {high:g}, for the objective is minimized; swap them"
    if objective.target is not None and not low < objective.target < high:
        return f"the target {objective.target:g} must lie between from {low:g} and to {high:g}, where the value is worthless"
    return None

