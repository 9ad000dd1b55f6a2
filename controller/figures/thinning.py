"""Leaves out of long campaigns what adds nothing to a picture, and says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from controller.figures.given import Given, count_text

T = TypeVar("T")

MOST = 1000
"""So many experiments are drawn at most: more cannot be told apart, and a browser would take long."""


def spread(items: Sequence[T], most: int) -> list[T]:
    """Return at most `most` of `items`, evenly spread, the first and the last among them."""
    n = len(items)
    if n <= most:
        return list(items)
    if most < 2:
        return list(items[-most:]) if most > 0 else []
    return [items[round(i * (n - 1) / (most - 1))] for i in range(most)]


def thinned(numbers: Sequence[int], keep: set[int], most: int = MOST) -> set[int]:
    """Return the numbers that are drawn: all of `keep`, and of the others so many that there are `most`, evenly spread."""
    if len(numbers) <= most:
        return set(numbers)
    rest = [n for n in numbers if n not in keep]
    return keep | set(spread(rest, max(0, most - len(keep))))


def thinned_note(given: Given) -> tuple[str, ...]:
    """Return what must be said where experiments were left out."""
    n, drawn = len(given.experiments), len(given.shown)
    if n == drawn:
        return ()
    return (
        f"{drawn} of {count_text(n, 'experiment')} are drawn: the best, those without a result, the newest, and of the others as "
        "many as can be told apart. Lines and counts rest on all; the table holds what is drawn.",
    )
