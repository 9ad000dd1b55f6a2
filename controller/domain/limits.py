"""Physical limits of what is measured: a yield lies between 0 and 100 %, a mass is not negative."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from controller.domain.objective import Objective

Limits: TypeAlias = tuple[float | None, float | None]
"""Lowest and highest possible value; None where that side is open."""

BEYOND_LIMITS = "beyond_limits"
"""Code of the alarm that a value was measured that cannot be."""


def within(value: float, limits: Limits | None) -> float:
    """Return `value`, or the limit that it lies beyond; without limits `value`."""
    low, high = limits or (None, None)
    if low is not None and value < low:
        return low
    return high if high is not None and value > high else value


def limits_text(limits: Limits) -> str:
    """Return limits for people: `0 to 100`, `from 0 on`, `up to 1`."""
    low, high = limits
    if low is None:
        return f"up to {high:g}"
    return f"from {low:g} on" if high is None else f"{low:g} to {high:g}"


def suspects(objectives: Mapping[str, Objective], values: Mapping[str, float]) -> list[str]:
    """Return of each value beyond the limits of its objective what is wrong with it, for people; mostly nothing.

    Args:
        objectives: By name.
        values: What was measured [the objective's unit].
    """
    return [
        f"{name} was measured as {values[name]:.6g}{f' {o.unit}' if o.unit else ''}, and can only be {limits_text(o.limits)}"
        for name, o in objectives.items() if o.limits is not None and name in values and o.beyond(values[name])
    ]  # fmt: skip
