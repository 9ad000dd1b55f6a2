"""The best settings as the models believe: what noise, drift and outliers hide in single results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from controller.design.goals import log_chance
from controller.domain.campaign import Definition
from controller.domain.event import Event
from controller.domain.limits import within
from controller.domain.objective import Front, Standing, bounded
from controller.domain.request import Observed
from controller.domain.space import Problem
from controller.domain.state import fold
from controller.engine.recalling import knowledge_of
from controller.engine.thinking import Reconsidered, one_thread, reconsider
from controller.errors import ConflictError
from controller.learn.drift import drift_note
from controller.learn.levels import lifted
from controller.learn.outliers import outliers

MOST_TOLD = 10
_Z90 = 1.645


def believed_best(definition: Definition, events: Sequence[Event], device: str = "cpu") -> dict[str, Any]:
    """Return the measured settings that are best as the models believe, best first.

    With noise the best single result is a lucky one: what is recommended is the setting with the best predicted mean among those
    measured. Repeats of a setting are one row.

    Args:
        definition: Of the campaign.
        events: Its log.
        device: `cpu`, `cuda` or `auto`.

    Returns:
        `campaign`; `best`: of each setting its `parameters`, the `experiments` that measured it, per objective the mean
        `measured` and what is `expected` (`mean`, `sd`, and the 90 % interval `low` to `high` of what holds there, without noise),
        and where outcomes are constrained the `chance` that it is acceptable; `outliers`: per objective numbers of the
        experiments that count for less; `drift`: a sentence for each objective, where measurements are said to drift.

    Raises:
        ConflictError: If nothing was measured yet.
        MissingExtraError: If the campaign has structures and RDKit is not installed.
    """
    request, numbers = knowledge_of(definition, fold(events), device=device)
    problem, observed = request.problem, request.observed.rows()
    with one_thread():
        known = reconsider(request)
        if known.score is None:
            raise ConflictError(f"campaign {definition.name} has no complete result yet; look again when it has")
        rows = _settings(problem, observed, numbers, known)
    odd = {name: [numbers[i] for i in at] for name, at in outliers(observed, known.surrogates).items()}
    drift = [drift_note(name, problem.objectives[name], found) for name, found in known.drifted.items()]
    return {"campaign": definition.name, "best": rows[:MOST_TOLD], "outliers": odd, "drift": drift}


def _settings(problem: Problem, observed: Sequence[Observed], numbers: Sequence[int], known: Reconsidered) -> list[dict[str, Any]]:
    groups: dict[Any, list[int]] = {}
    for i, o in enumerate(observed):
        if o.values is not None and problem.objectives.keys() <= o.values.keys():
            groups.setdefault(problem.key(problem.settings(o.point)), []).append(i)
    points = [problem.settings(observed[at[0]].point) for at in groups.values()]
    X = lifted(known.encoder.encode(points), known.encoder.layout)
    moments = {name: [t.detach().cpu().tolist() for t in s.predict(X.to(s.device))] for name, s in known.surrogates.items()}
    chances = log_chance(problem, known.surrogates, X).detach().exp().tolist()
    rows = []
    for k, at in enumerate(groups.values()):
        expected, measured = {}, {}
        for name, objective in problem.objectives.items():
            mean, sd = objective.sign * moments[name][0][k], moments[name][1][k]
            low, middle, high = (within(mean + k * sd, objective.limits) for k in (-_Z90, 0.0, _Z90))
            expected[name] = {"mean": middle, "sd": sd, "low": low, "high": high}
            measured[name] = math.fsum((observed[i].values or {})[name] for i in at) / len(at)
        rows.append(
            {
                "parameters": points[k], "experiments": [numbers[i] for i in at], "measured": measured, "expected": expected,
                **({"chance": chances[k]} if bounded(problem.objectives) else {}),
            }
        )  # fmt: skip
    return _ranked(problem, rows)


def _ranked(problem: Problem, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows by how good their expected values are: a single score at once, a front one layer after the other."""
    left = [(problem.standing({name: e["mean"] for name, e in row["expected"].items()}), row) for row in rows]
    if not problem.several and all(s.feasible for s, _ in left):
        return [row for _, row in sorted(left, key=lambda pair: pair[0].scores, reverse=True)]
    ranked: list[dict[str, Any]] = []
    while left and len(ranked) < MOST_TOLD:
        front: Front[tuple[Standing, dict[str, Any]]] = Front()
        for pair in left:
            front.add(pair[0], pair)
        best = list(front)
        ranked += [row for _, row in best]
        left = [pair for pair in left if not any(pair is found for found in best)]
    return ranked
