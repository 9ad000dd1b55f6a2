"""Desirability: several objectives made one, by how desirable each value is.

Derringer and Suich, Simultaneous optimization of several response variables (1980): each value gets a desirability between 0
(worthless) and 1 (nothing better is wanted), and the geometric mean of all is what counts; one worthless value makes the whole
worthless. Weights as in Derringer, A balancing act (1994).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import ConfigDict, Field

from controller.domain.base import Model


class Desirability(Model):
    """How desirable the values of one objective are, on a scale from 0 to 1."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    worthless: float = Field(alias="from")
    """The value from which on it is worth something [unit]; this and everything worse counts 0. Of an objective to match, the
    value below the target."""
    perfect: float = Field(alias="to")
    """The value that leaves nothing to wish for [unit]; this and everything better counts 1. Of an objective to match, the value
    above the target from which on it is worthless again."""
    shape: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Exponent of the way from 0 to 1: 1 is a straight line, above 1 only what is nearly perfect counts much."""
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Weight in the geometric mean, against the other objectives."""
    def share(self, value: float, target: float | None = None) -> float:
        """Return how far `value` is on the way from worthless (0) to perfect (1), not bounded.

        Args:
            value: Of the objective [its unit].
            target: Of an objective to match: there nothing is left to wish for.
        """
        if target is None:
            return (value - self.worthless) / (self.perfect - self.worthless)
        if value <= target:
            return (value - self.worthless) / (target - self.worthless)
        return (self.perfect - value) / (self.perfect - target)

    def of(self, value: float, target: float | None = None) -> float:
        """Return the desirability of `value`."""
        return float(min(1.0, max(0.0, self.share(value, target))) ** self.shape)


def combined(each: Mapping[str, float], desirability: Mapping[str, Desirability]) -> float:
    """Return the weighted geometric mean of the desirability of each objective."""
    if any(each[name] == 0.0 for name in desirability):
        return 0.0
    total = sum(wish.weight for wish in desirability.values())
    return math.exp(sum(wish.weight / total * math.log(each[name]) for name, wish in desirability.items()))
