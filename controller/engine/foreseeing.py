"""From what is known to what further experiments will probably bring: a pure function of the question and a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from controller.design.candidates import listing
from controller.design.forecast import Belief, Worth, play, possible, reached
from controller.design.sampling import draw
from controller.design.search import around
from controller.design.wandering import wander
from controller.domain.forecast import Forecast, Outlook
from controller.domain.objective import wanted
from controller.domain.request import Observed, Request, settings_of
from controller.domain.space import Problem
from controller.encoding.space import Array
from controller.engine.thinking import Reconsidered, reconsider
from controller.errors import ConflictError
from surrogates.calibration import FREEDOM
from surrogates.gp.ensemble import GPEnsemble
from surrogates.gp.paths import Paths

PATHS = 400
FEWEST = 5
MOST = 100
"""So many further experiments are foreseen at most: beyond, it is the models that would have to be foreseen."""
_CANDIDATES, _SPREAD_OUT = 300, 100
_LOOKED_AT = 4000
_NEAR = 25
_INSIDE = 0.8
# Paths that learn everywhere take time by the square and more of the number of results, those to come included: up to so many
# results, and so many paths, fewer where there are more than so many results.
_MOST_WANDERED, _MOST_PATHS, _FEWEST_PATHS, _FEW_RESULTS = 150, 200, 60, 80


def foresee(request: Request, k: int, *, by: float | None = None, worth: float | None = None, paths: int = PATHS) -> Forecast:
    """Return what `k` further experiments will probably bring.

    Args:
        request: As for the next proposal; what is under way comes first.
        k: At most `MOST`.
        by: An amount of improvement whose probability is asked for [what is told].
        worth: What one experiment must bring at least [the same], for `stop_after`.
        paths: Functions to be drawn.

    Raises:
        ConflictError: If too little is known, no setting is left, or a number cannot be.
    """
    problem = request.problem
    complete = _results(request)
    if problem.explored:
        raise ConflictError("what is explored has no best that could be foreseen; labwright campaign show tells how much is known")
    if not 1 <= k <= MOST:
        raise ConflictError(f"{k} experiments cannot be foreseen; ask for 1 to {MOST}")
    for name, amount in (("by", by), ("worth", worth)):
        if amount is not None and not (math.isfinite(amount) and amount > 0):
            raise ConflictError(f"{name} {amount:g} is no amount of improvement; give one above 0")
    if len(complete) < FEWEST:
        raise ConflictError(
            f"{len(complete)} results are too few for a forecast; carry out {FEWEST - len(complete)} more experiments first"
        )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the same numbers on every machine of a kind
    try:
        return _foresee(request, problem, k, by, worth, paths)
    finally:
        torch.set_num_threads(threads)


def _foresee(request: Request, problem: Problem, k: int, by: float | None, worth: float | None, paths: int) -> Forecast:
    thought = reconsider(request)
    complete = _results(request)
    measured = torch.tensor(
        [[o.sign * c.values[name] for name, o in problem.objectives.items()] for c in complete if c.values is not None],
        dtype=torch.float64,
    )
    seed = int(np.random.default_rng([request.seed, request.number, 7]).integers(2**31))
    if _anywhere(problem, thought, len(complete) + k):
        affordable = max(_FEWEST_PATHS, int(_MOST_PATHS * min(1.0, _FEW_RESULTS / (len(complete) + k)) ** 2))
        shown = _wandered(request, thought, k, min(paths, affordable), seed)
        return _told(problem, reached(problem, measured, shown), by, worth, len(request.pending), len(complete))
    z, forced = _candidates(request, thought, min(k, MOST))
    X = thought.encoder.columns(torch.from_numpy(z))
    if not len(X):
        raise ConflictError("no setting is left to be proposed: nothing more can be expected")
    beliefs = {
        name: Belief.of(thought.surrogates[name], X, thought.trusted.factors[name], objective)
        for name, objective in problem.objectives.items()
    }
    chance = torch.ones(len(X), dtype=torch.float64)
    if thought.feasibility is not None:
        with torch.no_grad():
            chance = thought.feasibility.log_probability(X).exp().cpu().double()
    k = min(k, len(X))
    shown = play(problem, beliefs, measured, chance, forced[:k], k, paths=paths, seed=seed)
    return _told(problem, reached(problem, measured, shown), by, worth, len(forced), len(complete))


def _anywhere(problem: Problem, thought: Reconsidered, n: int) -> bool:
    """Say whether paths can search the whole space: for one value that is to be large or small, in a space that cannot be listed.

    The models of several sources together know no functions that could be drawn.
    """
    (objective, *others), (surrogate, *_) = problem.objectives.values(), thought.surrogates.values()
    alone = not others and not problem.desirability and not objective.bounded and objective.goal in ("maximize", "minimize")
    drawable = isinstance(surrogate, GPEnsemble) and surrogate.device.type == "cpu" and n <= _MOST_WANDERED
    return alone and drawable and listing(thought.encoder.space) is None


def _wandered(request: Request, thought: Reconsidered, k: int, paths: int, seed: int) -> Tensor:
    """Return what `k` experiments show on each of `paths` functions (paths x k x 1)."""
    ((name, objective),) = request.problem.objectives.items()
    model, data, space = thought.surrogates[name], thought.data[name], thought.encoder.space
    assert isinstance(model, GPEnsemble)  # noqa: S101 - `_anywhere` says so
    generator = torch.Generator().manual_seed(seed)
    chi = torch.randn(paths, int(FREEDOM), generator=generator, dtype=torch.float64).square().sum(1)
    drawn = Paths(model, data, paths, thought.trusted.factors[name] * (FREEDOM / chi).sqrt(), generator)
    success = thought.feasibility

    def log_chance(X: Tensor) -> Tensor:
        assert success is not None  # noqa: S101 - else it is not asked
        with torch.no_grad():
            return success.log_probability(X).cpu().double()

    measured = [o.point for o in request.observed.rows() if o.values is not None and name in o.values]
    return wander(
        thought.encoder, drawn, space.coordinates(measured), space.coordinates(request.pending), k, limits=possible(objective),
        seed=seed, log_chance=None if success is None else log_chance,
    )  # fmt: skip


def _results(request: Request) -> list[Observed]:
    """Return the results that may be the best: complete ones, of the fidelity that counts."""
    problem = request.problem
    return [
        o for o in request.observed.rows()
        if o.values is not None and problem.objectives.keys() <= o.values.keys() and problem.counts(o.point)
    ]  # fmt: skip


def _candidates(request: Request, thought: Reconsidered, k: int) -> tuple[Array, list[int]]:
    """Return settings that the loop may choose among (C x p), and the positions of those under way, which come first."""
    space, rng = thought.encoder.space, np.random.default_rng([request.seed, request.number])
    pending = space.coordinates(request.pending)
    seen = [*request.observed.settings(), *settings_of(request.others), *request.pending]
    listed = listing(space)
    if listed is not None:
        free = np.flatnonzero(listed.fresh(space.coordinates(seen)))
        looked_at = listed.z[rng.permutation(free)[:_LOOKED_AT]]
        chosen = _most_promising(thought, looked_at)
    else:
        best = sorted(request.observed.rows(), key=lambda o: _rank(request.problem, o.values), reverse=True)[:4]
        looked_at = draw(space, _LOOKED_AT // 2, int(rng.integers(2**62)))
        chosen = _most_promising(thought, looked_at)
        # The real loop climbs from the best of these, and around what it has measured: so do their neighbours here.
        centres = np.vstack([chosen[:_NEAR], space.coordinates([o.point for o in best])])
        chosen = np.vstack([_most_promising(thought, around(space, centres, rng, _LOOKED_AT // 4)), chosen[-_SPREAD_OUT:]])
    if request.problem.fidelity is not None:  # what is foreseen are experiments that count
        chosen = chosen[[request.problem.counts(space.point(row)) for row in chosen]]
    return np.vstack([pending, chosen]), list(range(len(pending)))


def _rank(problem: Problem, values: dict[str, float] | None) -> tuple[bool, float]:
    if values is None or not problem.objectives.keys() <= values.keys():
        return False, -math.inf
    standing = problem.standing(values)
    return standing.feasible, sum(standing.scores)


def _most_promising(thought: Reconsidered, z: Array) -> Array:
    """Return the settings that the campaign's acquisition function scores highest, best first, and after them some at random."""
    if len(z) <= _CANDIDATES + _SPREAD_OUT or thought.score is None:
        return z
    with torch.no_grad():
        scores = thought.score(thought.encoder.columns(torch.from_numpy(z))).cpu().numpy()
    order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")
    every = max(1, (len(z) - _CANDIDATES) // _SPREAD_OUT)
    return np.asarray(z[np.concatenate([order[:_CANDIDATES], order[_CANDIDATES::every]])])


def _told(
    problem: Problem, quality: Tensor, by: float | None, worth: float | None, under_way: int, learned_from: int
) -> Forecast:
    """Return quantiles of how good the best is (paths x (k + 1)) on the scale of what is told."""
    several, goals = Worth(problem).several, wanted(problem.objectives)
    name, objective = next(iter(goals.items()))
    single = not several and not problem.desirability
    now = float(quality[0, 0])
    if several:
        quality = quality / now if now > 0 else quality
    factor = 1.0
    if single:
        factor = -1.0 if objective.goal != "maximize" else 1.0  # a distance is told as it is, less being better
    steps = range(1, quality.shape[1])
    gains = (quality[:, 1:] - quality[:, :-1]).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).mean(0).tolist()
    outlook = []
    start = quality[:, :1]
    for step in steps:
        column = quality[:, step : step + 1]
        low, high = _shortest(column.squeeze(1))
        median = _finite(float(column.median()))
        ends = [None if q is None else factor * q for q in ((low, high) if factor > 0 else (high, low))]
        outlook.append(
            Outlook(
                experiments=step, median=None if median is None else factor * median, low=ends[0], high=ends[1],
                improved=float((column > start).double().mean()),
                improved_by=None if by is None else float((column >= start + by).double().mean()), gain=gains[step - 1],
            )
        )  # fmt: skip
    return Forecast(
        measure="hypervolume" if several else "desirability" if problem.desirability else "objective" if objective.target is None
        else "distance",
        objective=name if single else None, unit=objective.unit if single else None, larger_is_better=factor > 0,
        now=None if not math.isfinite(now) else 1.0 if several and now > 0 else factor * now,
        experiments=len(outlook), under_way=under_way, learned_from=learned_from, outlook=outlook,
        stop_after=None if worth is None else _stop_after(gains, worth), paths=len(quality),
    )  # fmt: skip


def _shortest(values: Tensor) -> tuple[float | None, float | None]:
    """Return the shortest interval that holds four fifths of `values`.

    The best never falls below what it is now, and often stays there: an interval between two quantiles would hold that whole lump
    at its lower end and still leave a tenth above, which is nine tenths in all.
    """
    ordered = values.sort().values
    n, inside = len(ordered), math.ceil(_INSIDE * len(values))
    if bool(torch.isinf(ordered).any()):  # paths on which nothing acceptable is known come first
        at = n - inside
        return _finite(float(ordered[at // 2])), _finite(float(ordered[n - 1 - at // 2]))
    at = int((ordered[inside - 1 :] - ordered[: n - inside + 1]).argmin())
    return float(ordered[at]), float(ordered[at + inside - 1])


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _stop_after(gains: Sequence[float], worth: float) -> int | None:
    """Return after how many experiments none of those to come is expected to bring `worth`; None where the last one still does."""
    keep = [step for step, gain in enumerate(gains, start=1) if gain >= worth]
    after = keep[-1] if keep else 0
    return None if after == len(gains) else after
