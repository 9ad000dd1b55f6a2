"""The hypervolume that a front dominates: one number for how far several objectives have come."""

from __future__ import annotations

from collections.abc import Sequence

from controller.domain.objective import dominates

MOST_OBJECTIVES = 3
"""Of more it is not computed: it would take long and says little."""


def hypervolume(scores: Sequence[Sequence[float]], reference: Sequence[float]) -> float:
    """Return the area (two objectives) or volume (three) that the front of `scores` dominates; more is better.

    Args:
        scores: One row per experiment.
        reference: The corner that counts for nothing; points that do not surpass it everywhere add nothing.
    """
    above = [tuple(row) for row in scores if all(x > r for x, r in zip(row, reference, strict=True))]
    if not above:
        return 0.0
    if len(reference) == 1:
        return max(row[0] for row in above) - reference[0]
    if len(reference) == 2:
        area, height = 0.0, reference[1]
        for x, y in sorted(above, reverse=True):
            if y > height:
                area += (x - reference[0]) * (y - height)
                height = y
        return area
    # Slices along the last objective, each as thick as it is far to the next lower value.
    levels = sorted({row[-1] for row in above}, reverse=True)
    volume = 0.0
    for level, below in zip(levels, [*levels[1:], reference[-1]], strict=True):
        there = [row[:-1] for row in above if row[-1] >= level]
        volume += (level - below) * hypervolume(there, reference[:-1])
    return volume


def growth(scores: Sequence[tuple[float, ...]], reference: Sequence[float]) -> list[float]:
    """Return the hypervolume after each row of `scores`; computed anew only where the front has changed."""
    front: list[tuple[float, ...]] = []
    found: list[float] = []
    for row in scores:
        if row in front or any(dominates(held, row) for held in front):
            found.append(found[-1])
            continue
        front = [held for held in front if not dominates(row, held)] + [row]
        found.append(hypervolume(front, reference))
    return found
