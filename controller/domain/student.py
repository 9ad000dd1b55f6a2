"""Student's t distribution, as intervals are told by: without a library that takes longer to load than a command to look."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from controller.domain.limits import Limits, within

_HALVINGS = 60


def interval(
    mean: float, scale: float, freedom: float, level: float, limits: Limits | None = None
) -> tuple[float, float]:
    """Return the central interval of a Student-t distribution that holds a share `level`.

    Where there are physical limits, what would lie beyond one lies at it: the distribution is censored, not truncated, for measured
    values do gather at their limits (decision 31).

    Args:
        mean: Its middle.
        scale: Its scale, not its standard deviation.
        freedom: Degrees of freedom; a whole number.
        level: Between 0 and 1.
        limits: Of what is measured.

    Raises:
        ValueError: If `freedom` is no whole number from 1 on.
    """
    half = _half_width(_whole(freedom), level) * scale
    return within(mean - half, limits), within(mean + half, limits)


def interval_told(prediction: Mapping[str, Any], level: float) -> tuple[float, float] | None:
    """Return the central interval of what would be measured, from a `domain.proposal.Prediction` as JSON data.

    None where an earlier version kept no spread that could be put to the test.
    """
    if not prediction.get("scale"):
        return None
    centre = prediction.get("centre")
    middle = prediction["mean"] if centre is None else centre
    return interval(middle, prediction["scale"], prediction["freedom"], level, prediction.get("limits"))


def central_share(t: float, freedom: float) -> float:
    """Return the probability that a standard Student-t variable lies between `-|t|` and `|t|`.

    Raises:
        ValueError: If `freedom` is no whole number from 1 on.
    """
    n = _whole(freedom)
    return _central_share(math.atan(abs(t) / math.sqrt(n)), n)


def _whole(freedom: float) -> int:
    if freedom < 1 or freedom != round(freedom):
        raise ValueError(f"degrees of freedom are a whole number from 1 on, got {freedom:g}")
    return round(freedom)


@lru_cache(maxsize=4096)  # thousands of results have a few dozen degrees of freedom
def _half_width(freedom: int, level: float) -> float:
    low, high = 0.0, math.pi / 2
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _central_share(middle, freedom) < level else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def _central_share(angle: float, freedom: int) -> float:
    """Probability within plus and minus `sqrt(freedom) * tan(angle)` (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    if freedom == 1:
        return 2.0 * angle / math.pi
    odd = freedom % 2
    term = total = cosine if odd else 1.0
    for k in range(2 if odd else 1, freedom - 1, 2):
        term *= k / (k + 1) * cosine * cosine
        total += term
    return 2.0 / math.pi * (angle + sine * total) if odd else sine * total
