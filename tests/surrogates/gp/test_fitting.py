"""The optimiser finds what an unrelated optimiser finds, and respects its bounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from surrogates.data import TrainingData
from surrogates.gp import fitting
from surrogates.gp.ensemble import problem_of
from surrogates.gp.fitting import fit
from surrogates.gp.likelihood import Problem
from surrogates.gp.recipes import FUNCTION, TABLE
from surrogates.specs import GPMember
from surrogates.transforms import TRANSFORMS
from tests.surrogates.examples import smooth_data


def _of(members: tuple[GPMember, ...], data: TrainingData) -> Problem:
    return problem_of(members, tuple(TRANSFORMS[m.transform].of(data.Y.squeeze(-1)) for m in members), data)


def _scipy_best(problem: Problem) -> float:
    """The lowest negative log posterior that L-BFGS-B finds from many random starts."""
    lower, upper = problem.priors.lower[0].numpy(), problem.priors.upper[0].numpy()
    start = problem.priors.start[0].numpy()

    def value(t: np.ndarray) -> tuple[float, np.ndarray]:
        f, g, _ = problem.evaluate(torch.from_numpy(t)[None])
        return float(f[0]), g[0].numpy()

    rng = np.random.default_rng(0)
    starts = [start, *(np.clip(start + rng.normal(size=start.size), lower, upper) for _ in range(7))]
    bounds = list(zip(lower, upper, strict=True))
    return min(float(minimize(value, t, jac=True, method="L-BFGS-B", bounds=bounds).fun) for t in starts)


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each evaluation from now on is of."""
    evaluated: list[int] = []
    evaluate = Problem.evaluate_rows
    monkeypatch.setattr(Problem, "evaluate_rows", lambda self, t, rows: evaluated.append(len(t)) or evaluate(self, t, rows))
    return evaluated


@pytest.mark.parametrize(("n", "d"), [(4, 2), (15, 4), (40, 3)])
def test_fit_is_as_good_as_many_restarts_of_another_optimiser(n: int, d: int) -> None:
    for member in (*TABLE, *FUNCTION):
        problem = _of((member,), smooth_data(n, max(d, 3)))
        assert fit(problem)[1].item() <= _scipy_best(problem) + 0.05


def test_fit_in_a_batch_equals_fit_alone() -> None:
    data = smooth_data(20, 3)
    problem = _of(FUNCTION, data)
    together, promised = fit(problem)
    torch.testing.assert_close(problem.value(together), promised, rtol=0, atol=0.02)  # the last step is not looked at
    for row, member in enumerate(FUNCTION):
        alone, value = fit(_of((member,), data))
        torch.testing.assert_close(alone[0], together[row], rtol=0, atol=0.2)
        torch.testing.assert_close(value[0], promised[row], rtol=0, atol=0.02)


def test_fit_of_many_observations_ends_where_a_fit_to_all_of_them_does(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = _of((*TABLE, *FUNCTION), smooth_data(100, 4))
    _, value = fit(problem)
    monkeypatch.setattr(fitting, "_MANY", 1000)
    _, whole = fit(problem)
    assert bool((value <= whole + 0.05).all()), value - whole


def test_of_very_many_observations_a_part_says_what_the_hyperparameters_are(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = _of(FUNCTION, smooth_data(160, 3))
    t, _ = fit(problem)
    monkeypatch.setattr(fitting, "_MOST", 100)
    part, _ = fit(problem)
    # Not the same, but nearly all that is to be gained over the prior's guess.
    assert not torch.equal(t, part)
    start = problem.value(problem.priors.start)
    assert bool((start - problem.value(part) > 0.8 * (start - problem.value(t))).all())


def test_members_of_several_priors_each_have_a_first_one() -> None:
    data = smooth_data(70, 3)
    mixed = (FUNCTION[3], TABLE[0], FUNCTION[0], GPMember(kernel="rbf", prior="tight"), FUNCTION[1])
    _, value = fit(_of(mixed, data))
    for row, member in enumerate(mixed):
        assert value[row].item() <= _scipy_best(_of((member,), data)) + 0.05


def test_few_evaluations_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated = _counted(monkeypatch)
    fit(_of(FUNCTION, smooth_data(40, 4)))
    assert sum(evaluated) <= 75  # BFGS from three starts took 137


def test_a_row_that_cannot_be_factored_stays_where_it_is() -> None:
    problem = _of(FUNCTION[:2], smooth_data(12, 3))
    t = problem.priors.start.clone()
    t[1, -1] = torch.nan
    found, value = fitting.minimise(problem, t, 0.01)
    assert bool(torch.isfinite(value[0]))
    assert value[1] == torch.inf
    torch.testing.assert_close(found[1], t[1], equal_nan=True)


def test_starts_that_meet_go_on_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = _of(FUNCTION, smooth_data(60, 5))
    evaluated = _counted(monkeypatch)
    _, together = fit(problem)
    shared = sum(evaluated)
    monkeypatch.setattr(fitting, "_SAME_PEAK", 0.0)
    evaluated.clear()
    _, apart = fit(problem)
    assert shared < sum(evaluated)
    torch.testing.assert_close(together, apart, rtol=0, atol=0.2)


def test_hyperparameters_stay_within_bounds() -> None:
    problem = _of((*TABLE, *FUNCTION), smooth_data(60, 3))
    t, _ = fit(problem)
    assert bool((t >= problem.priors.lower).all())
    assert bool((t <= problem.priors.upper).all())
    # Noiseless data push the noise of the tight prior onto its floor, and its output scale is held.
    assert t[0, -2].exp().item() == pytest.approx(0.01)
    assert t[0, -1].item() == 0.0
