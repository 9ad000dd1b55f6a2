"""Which of very many experiments the models learn from."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence

from controller.domain.objective import Objective

MOST_LEARNED = 1000
"""A proposal from so many takes some seconds; from six times as many, minutes and gigabytes (`benchmarks`, soak)."""


def selected(
    objectives: Mapping[str, Objective],
    values: Mapping[str, Sequence[float]],
    n: int,
    front: Iterable[int],
    most: int = MOST_LEARNED,
) -> list[int]:
    """Return the positions of at most `most` of `n` experiments that have ended, in order; all where they are no more.

    The best, because the search is about to improve on them: the front, and those that are best in one objective. The newest,
    because they show where the search is. And of the others, failed ones included, every k-th, which keeps their distribution
    over the space.

    Args:
        objectives: By name; they say what is best.
        values: Per objective n values, oldest first [the objective's unit]; not a number where an experiment failed.
        n: How many there are.
        front: Positions of the best one, or of the Pareto front.
        most: How many are wanted, four at least.
    """
    if n <= most:
        return list(range(n))
    quarter = most // 4
    best = set(sorted(front)[-quarter:])
    share = (quarter - len(best)) // len(objectives)
    for name, objective in objectives.items():
        best |= set(_best_of(objective, values.get(name, ()), share))
    kept = best | set(range(n - quarter, n))
    others = [i for i in range(n) if i not in kept]
    wanted = most - len(kept)
    kept |= {others[k * len(others) // wanted] for k in range(wanted)}
    return sorted(kept)


def _best_of(objective: Objective, values: Sequence[float], most: int) -> list[int]:
    known = (i for i, value in enumerate(values) if not math.isnan(value))
    return heapq.nlargest(most, known, key=lambda i: objective.score(values[i]))
