"""Which of very many experiments the models learn from."""

from __future__ import annotations

from collections.abc import Sequence

from controller.domain.objective import best_of
from controller.domain.request import Observed
from controller.domain.space import Problem

MOST_LEARNED = 1000
"""A proposal from so many takes some seconds; from six times as many, minutes and gigabytes (`benchmarks`, soak)."""


def selected(problem: Problem, observed: Sequence[Observed], most: int = MOST_LEARNED) -> list[Observed]:
    """Return at most `most` of the experiments that have ended, in the same order; all of them where they are no more.

    The best, because the search is about to improve on them; the newest, because they show where it is; and of the others,
    failed ones included, every k-th, which keeps their distribution over the space.

    Args:
        problem: Whose objectives say what is best.
        observed: All of them, in the order of their numbers.
        most: How many are wanted, four at least.
    """
    if len(observed) <= most:
        return list(observed)
    kept = set(_best(problem, observed)[-(most // 4) :]) | set(range(len(observed) - most // 4, len(observed)))
    others = [i for i in range(len(observed)) if i not in kept]
    wanted = most - len(kept)
    kept |= {others[k * len(others) // wanted] for k in range(wanted)}
    return [observed[i] for i in sorted(kept)]


def _best(problem: Problem, observed: Sequence[Observed]) -> list[int]:
    """Return the positions of the best experiment by each objective and of the Pareto front, oldest first."""
    objectives = problem.objectives
    complete = [
        (i, o.values) for i, o in enumerate(observed) if o.values is not None and objectives.keys() <= o.values.keys()
    ]
    if len(objectives) > 1:
        return sorted(complete[i][0] for i in best_of(objectives, [values for _, values in complete]))
    ((name, objective),) = objectives.items()
    ranked = sorted(complete, key=lambda c: (objective.score(c[1][name]), c[0]))
    return [i for i, _ in ranked]
