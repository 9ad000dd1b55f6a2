"""How far an axis goes: a model that knows nothing yet predicts intervals beside which all that was measured would be a line."""

from __future__ import annotations

from collections.abc import Sequence

FEWEST = 3
"""With fewer measured values nothing is cut."""
TIMES = 1.0
"""Intervals are drawn so far beyond what was measured, in parts of its range."""
NOTE = "Intervals that reach far beyond what was measured are cut; the table has them whole."


def reach(measured: Sequence[float], shown: Sequence[float]) -> tuple[float, float] | None:
    """Return from where to where intervals are drawn; None where all of them can be.

    Args:
        measured: What was measured.
        shown: The ends of the intervals.
    """
    if len(measured) < FEWEST or not shown:
        return None
    low, high = min(measured), max(measured)
    span = TIMES * (high - low)
    if span <= 0.0:
        return None
    ends = (low - span, high + span)
    return ends if min(shown) < ends[0] or max(shown) > ends[1] else None


def cut(values: Sequence[float], ends: tuple[float, float] | None) -> tuple[float, ...]:
    """Return `values`, none of them beyond `ends`."""
    return tuple(values) if ends is None else tuple(min(max(v, ends[0]), ends[1]) for v in values)
