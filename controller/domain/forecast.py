"""What further experiments will probably bring, as it is told to people."""

from __future__ import annotations

from typing import Literal

from controller.domain.base import Model


class Outlook(Model):
    """After so many further experiments."""

    experiments: int
    median: float | None
    """As likely surpassed as not [see `Forecast.measure`]; None while nothing acceptable is likely to be known."""
    low: float | None
    high: float | None
    """Between them lies the best in four of five cases."""
    improved: float
    """Probability that the best is better than now."""
    improved_by: float | None
    """The same by the amount that was asked for; None where none was."""
    gain: float
    """What the last of these experiments brings on average."""


class Forecast(Model):
    """What the next experiments of a campaign will probably bring."""

    measure: Literal["objective", "distance", "desirability", "hypervolume"]
    """What is told: the best value of the objective; its distance from the target, less being better; the overall desirability; or
    the hypervolume that the front dominates, in parts of what it dominates now."""
    objective: str | None
    """Which one, where it is one."""
    unit: str | None
    larger_is_better: bool
    now: float | None
    """The best measured so far; None while nothing acceptable is known."""
    experiments: int
    """So many were asked for."""
    under_way: int
    """So many of them are under way already; they come first."""
    learned_from: int
    outlook: list[Outlook]
    """After 1, 2, 3 … further experiments; fewer than asked for where no more settings are left."""
    stop_after: int | None
    """After so many no experiment is expected to bring what it must; None where nothing was said, or where that lies beyond."""
    paths: int
    """Functions that were drawn from the models."""
