"""Choices as points in a plane that is learned from the results: for categories of which nothing else is known.

The distance between two settings is that of the numbers, and that of the places of their choices, and what a choice has of its own.
So catalysts that act alike come to lie together, and what one of them teaches holds for the others (the low-rank correlation of
Y. Zhang, S. Tao, W. Chen, D. W. Apley, A latent variable approach to Gaussian process modeling with qualitative and quantitative
factors, Technometrics 62, 2020). Places are those that are most probable together with the hyperparameters of all members.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from surrogates.base import LooResult, MemberPosterior, Pull, Surrogate, fingerprint
from surrogates.data import Group, Layout, TrainingData
from surrogates.gp.ensemble import problem_of
from surrogates.gp.likelihood import Problem
from surrogates.specs import GPMember
from surrogates.transforms import TRANSFORMS

Fit: TypeAlias = Callable[[tuple[GPMember, ...], TrainingData], Surrogate]

_DIMENSIONS = 2
# Spread of a coordinate around zero: two choices then lie 0.94 apart (root mean square), where Matérn's correlation is 0.56.
_SPREAD = 0.47
# With all choices in one place no direction is better than another: the search begins elsewhere, twice.
_STARTS = 2
_STEPS = 40
# Of more observations so many, evenly spaced, say where choices lie.
_MOST = 200
_FAILED = 1e10


def embedded(fit: Fit, members: tuple[GPMember, ...], data: TrainingData) -> Surrogate:
    """Fit members to whom choices are also points in a plane.

    Args:
        fit: Fits an ensemble of the members.
        members: At least one.
        data: Where no group is a category, the result is what `fit` makes of it.
    """
    if not _categories(data.layout):
        return fit(members, data)
    places = learned_places(members, data)
    return Embedded(fit(members, _extended(data, places)), places, data.layout)


def learned_places(members: tuple[GPMember, ...], data: TrainingData) -> Tensor:
    """Return where choices lie: d x 2c, c being the number of categories, zero for columns that are none.

    Minimises the mean of the members' negative log posteriors over the places, which they share, and their hyperparameters. Choices
    that were never tried stay near the origin, as all do where the data say nothing.
    """
    few = data.rows(torch.linspace(0, data.n - 1, _MOST).round().long()) if data.n > _MOST else data
    few = few.to(torch.device("cpu"))
    at = _positions(data.layout)
    places = torch.zeros(data.layout.d, _DIMENSIONS * len(_categories(data.layout)), dtype=torch.float64)
    y = few.Y.squeeze(-1)
    problem = problem_of(members, tuple(TRANSFORMS[member.transform].of(y) for member in members), _extended(few, places))
    value = _Value(problem, few.X, places, at)
    found = [value.lowest(_drawn(len(at[0]), start)) for start in range(_STARTS)]
    best, lowest = min(found, key=lambda pair: pair[1])
    if lowest < _FAILED:
        places[at] = torch.from_numpy(best)
    return places.to(data.X.device)


class _Value:
    """What is minimised: coordinates of the places, then hyperparameters (M x p), in one row."""

    def __init__(self, problem: Problem, X: Tensor, places: Tensor, at: tuple[Tensor, Tensor]) -> None:
        self._problem, self._X, self._places, self._at = problem, X, places, at
        self._shape = problem.priors.start.shape

    def packed(self, coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        """The row that begins with `coordinates`, hyperparameters where their priors are high."""
        return np.concatenate([coordinates, self._problem.priors.start.flatten().numpy()])

    def lowest(self, coordinates: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Return coordinates at the end of a descent from `coordinates`, and the value there."""
        k, priors = len(coordinates), self._problem.priors
        lower, upper = priors.lower.flatten().tolist(), priors.upper.flatten().tolist()
        bounds = [(None, None)] * k + list(zip(lower, upper, strict=True))
        most = {"maxiter": _STEPS, "maxfun": 2 * _STEPS}
        end = minimize(self, self.packed(coordinates), jac=True, method="L-BFGS-B", bounds=bounds, options=most)
        return end.x[:k], float(end.fun)

    def __call__(self, row: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the value and its gradient; a large value without one where a covariance cannot be factored."""
        free = torch.from_numpy(row).clone().requires_grad_()
        k = len(row) - self._shape.numel()
        with torch.enable_grad():
            places = self._places.index_put(self._at, free[:k])
            problem = replace(self._problem, X=torch.cat([self._X, self._X @ places], -1))
            value = problem.value(free[k:].view(self._shape)).mean() + 0.5 * free[:k].square().sum() / _SPREAD**2
            if not bool(torch.isfinite(value)):
                return _FAILED, np.zeros_like(row)
            (gradient,) = torch.autograd.grad(value, free)
        return float(value.detach()), gradient.nan_to_num().numpy()


def _categories(layout: Layout) -> list[Group]:
    return [group for group in layout.groups if group.kind == "category" and len(group.columns) > 1]


def _positions(layout: Layout) -> tuple[Tensor, Tensor]:
    """Rows and columns of the coordinates in `learned_places`, in one order."""
    at = [
        (column, _DIMENSIONS * c + q)
        for c, group in enumerate(_categories(layout))
        for column in group.columns
        for q in range(_DIMENSIONS)
    ]
    rows, columns = zip(*at, strict=True)
    return torch.tensor(rows), torch.tensor(columns)


def _drawn(k: int, start: int) -> NDArray[np.float64]:
    return _SPREAD * np.random.default_rng([k, start]).standard_normal(k)


def _extended(data: TrainingData, places: Tensor) -> TrainingData:
    """The data with the coordinates of choices as further columns."""
    d = data.layout.d
    added = tuple(
        Group(f"{group.name} (place)", tuple(d + _DIMENSIONS * c + q for q in range(_DIMENSIONS)), "place", tied=True)
        for c, group in enumerate(_categories(data.layout))
    )
    return TrainingData(torch.cat([data.X, data.X @ places], -1), data.Y, Layout(data.layout.groups + added), data.noise_var)


class Embedded(Surrogate):
    """A surrogate that is asked with the columns of a layout, and knows where choices lie besides.

    Args:
        inner: Fitted to the columns and the coordinates behind them.
        places: d x 2c.
        layout: Of the d columns.
    """

    def __init__(self, inner: Surrogate, places: Tensor, layout: Layout) -> None:
        super().__init__()
        self._places = places
        self._told = {
            f"place.{group.name}": tuple(places[list(group.columns), _DIMENSIONS * c : _DIMENSIONS * (c + 1)].flatten().tolist())
            for c, group in enumerate(_categories(layout))
        }
        self._take(inner)

    def _take(self, inner: Surrogate) -> None:
        # In a tuple, or a copy would share it: a module among the attributes of a module is kept in a common table.
        self._held = (inner,)
        report, told = inner.report, self._told
        members = tuple(m.model_copy(update={"hyperparameters": {**m.hyperparameters, **told}}) for m in report.members)
        marks = fingerprint([report.fingerprint, self._places])
        self.report = report.model_copy(update={"members": members, "fingerprint": marks})

    @property
    def inner(self) -> Surrogate:
        """The surrogate that knows the places as columns."""
        return self._held[0]

    @property
    def d(self) -> int:
        """Number of columns."""
        return self._places.shape[0]

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self.inner.device

    def _placed(self, X: Tensor) -> Tensor:
        """The columns (... x d) and the coordinates of the choices behind them."""
        return torch.cat([X, X @ self._places], -1)

    def condition_on_pending(self, X: Tensor) -> Embedded:
        """Believe that pending points (k x d) will show what is predicted there."""
        other = copy.copy(self)
        other._take(self.inner.condition_on_pending(self._placed(self._checked(X))))
        return other

    def member_posteriors(self, X: Tensor) -> MemberPosterior:
        """Marginal moments per member (M x n)."""
        return self.inner.member_posteriors(self._placed(self._checked(X)))

    def member_posteriors_and_pull(self, X: Tensor) -> tuple[MemberPosterior, Pull]:
        """The same with their gradient: places are linear in the columns."""
        moments, pull = self.inner.member_posteriors_and_pull(self._placed(self._checked(X)))

        def by_columns(by_mean: Tensor, by_sd: Tensor) -> Tensor:
            by = pull(by_mean, by_sd)
            return by[:, : self.d] + by[:, self.d :] @ self._places.T

        return moments, by_columns

    def member_means(self, X: Tensor) -> Tensor:
        """Means per member (M x n)."""
        return self.inner.member_means(self._placed(self._checked(X)))

    def predict(self, X: Tensor, *, observation_noise: bool = False) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (n each) to report, in units of Y."""
        return self.inner.predict(self._placed(self._checked(X)), observation_noise=observation_noise)

    def leave_one_out(self) -> LooResult:
        """Each observation predicted from the others, the places held."""
        return self.inner.leave_one_out()

    def similarity(self, A: Tensor, B: Tensor) -> Tensor:
        """Correlation of the function at the rows of A (n x d) and B (m x d) before any data, the places known."""
        return self.inner.similarity(self._placed(self._checked(A)), self._placed(self._checked(B)))

    def novelty(self, X: Tensor) -> Tensor:
        """How far points (n x d) lie from the data."""
        return self.inner.novelty(self._placed(self._checked(X)))

    def left_out_novelty(self) -> Tensor:
        """The same for each observation (n), as seen from the others."""
        return self.inner.left_out_novelty()

    def _joint(self, X: Tensor, observation_noise: bool) -> tuple[Tensor, Tensor]:
        return self.inner._joint(self._placed(X), observation_noise)
