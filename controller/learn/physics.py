"""A physical model as the mean of a surrogate: its parameters are fitted too, and it is believed as far as it predicts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from controller.domain.knowledge import Physics
from controller.domain.space import Problem
from controller.encoding.columns import Encoder
from controller.errors import ProposalError
from controller.learn.remarks import with_remark
from surrogates.base import Surrogate
from surrogates.blend import Blend
from surrogates.data import TrainingData
from surrogates.mean import AroundMean

Array = NDArray[np.float64]
WITHOUT, WITH_PHYSICS = "without physics", "with physics"
PRIOR = 0.7
TIME_S = 30.0
"""So long a model may take each time that it is fitted [real s]."""
_STEP = 1e-4
_STARTS = 4
_REACH = 2.0
"""The prior on each fitted parameter: its bounds are so many standard deviations from their middle."""
_NOISE = 0.1
"""How well a law is expected to hold before anything is known, as a share of the spread of the values."""


@contextmanager
def _in_time(seconds: float) -> Iterator[None]:
    """End what takes longer; only the main thread can be interrupted, elsewhere nothing is ended."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def late(*_: object) -> None:
        raise TimeoutError(f"it took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@lru_cache(maxsize=8)
def _function(source: str, name: str) -> Callable[..., Any]:
    module = ModuleType("physics")
    exec(compile(source, "physics", "exec"), module.__dict__)
    return getattr(module, name)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Law:
    """A physical model of one objective on the columns of an encoder."""

    physics: Physics
    encoder: Encoder
    sign: float

    def values(self, X: Tensor, theta: Mapping[str, float]) -> Array:
        """Return what the model says at the rows of X (n x d): n, on the scale on which larger is better.

        Raises:
            ProposalError: If the user's function fails, or does not return n finite numbers.
        """
        return self._at(self._settings(X), len(X), theta)

    def _settings(self, X: Tensor) -> dict[str, NDArray[Any]]:
        points = self.encoder.decode(X.detach().cpu())
        return {name: np.array([point[name] for point in points]) for name in self.encoder.space.problem.parameters}

    def _at(self, settings: Mapping[str, NDArray[Any]], n: int, theta: Mapping[str, float]) -> Array:
        try:
            function = _function(self.physics.source, self.physics.function)
            found = np.asarray(function(dict(settings), dict(theta)), dtype=np.float64)
        except TimeoutError:
            raise
        except Exception as error:
            raise ProposalError(f"the physics {self.physics.function} failed ({type(error).__name__}: {error})") from error
        if found.shape != (n,) or not np.isfinite(found).all():
            what = "numbers that are not finite" if found.shape == (n,) else f"an array of shape {found.shape}"
            raise ProposalError(f"the physics {self.physics.function} must return {n} finite numbers, one a setting; got {what}")
        return self.sign * found

    def fitted(self, data: TrainingData) -> tuple[dict[str, float], float, float]:
        """Return the most probable parameters, and the level and the factor between the model and what was measured.

        Least squares with a Gaussian prior between the bounds of each parameter, from several starts; level and factor are
        profiled out, the factor with a prior around one.
        """
        names, y = list(self.physics.parameters), data.Y.squeeze(-1).cpu().numpy()
        spread = max(float(y.std()), 1e-9 * max(1.0, float(np.abs(y).max())))
        axes = [self.physics.parameters[name] for name in names]
        settings = self._settings(data.X)

        def theta(unit: Array) -> dict[str, float]:
            return {n: axis.at(float(u)) for n, axis, u in zip(names, axes, np.clip(unit, 0.0, 1.0), strict=True)}

        def loss(unit: Array) -> float:
            level, factor, h = _scaled(self._at(settings, data.n, theta(unit)), y, spread)
            misfit = float(((y - level - factor * h) ** 2).sum()) / (_NOISE * spread) ** 2
            return 0.5 * misfit + 0.5 * float((((unit - 0.5) * 2.0 * _REACH) ** 2).sum())

        best = np.full(len(names), 0.5)
        if names:
            starts = [best, *np.random.default_rng(0).random((_STARTS - 1, len(names)))]
            options = {"maxiter": 60 * len(names)}
            found = [minimize(loss, start, method="Nelder-Mead", bounds=[(0, 1)] * len(names), options=options) for start in starts]
            best = min(found, key=lambda f: float(f.fun)).x
        level, factor, _ = _scaled(self._at(settings, data.n, theta(best)), y, spread)
        return theta(best), level, factor

    def mean(self, theta: Mapping[str, float], level: float, factor: float) -> Callable[[Tensor], Tensor]:
        """Return the model as a differentiable function of columns; slopes are finite differences."""

        def value(X: Tensor) -> Tensor:
            found: Tensor = _Differenced.apply(X, lambda Z: level + factor * self.values(Z, theta))  # type: ignore[no-untyped-call]
            return found

        return value


def law_of(problem: Problem, encoder: Encoder, objective: str) -> Law | None:
    """Return the physical model of an objective, None where there is none."""
    physics = None if problem.knowledge is None else problem.knowledge.physics
    if physics is None or physics.objective != objective:
        return None
    return Law(physics, encoder, problem.objectives[objective].sign)


def _scaled(h: Array, y: Array, spread: float) -> tuple[float, float, Array]:
    """Return level, factor and values of a law that meet what was measured best, the factor being near one beforehand."""
    centred = h - h.mean()
    weight = (_NOISE * spread) ** 2 / 0.25**2
    factor = (weight + float(centred @ (y - y.mean()))) / (weight + float(centred @ centred))
    return float(y.mean() - factor * h.mean()), factor, h


class _Differenced(torch.autograd.Function):
    """A function of rows that is no tensor function, with the slopes of finite differences."""

    @staticmethod
    def forward(ctx: Any, X: Tensor, function: Callable[[Tensor], Array]) -> Tensor:
        ctx.save_for_backward(X)
        ctx.function = function
        return torch.from_numpy(function(X.detach())).to(X)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (X,), (grad,) = ctx.saved_tensors, grads
        slopes = torch.zeros_like(X)
        here = torch.from_numpy(ctx.function(X)).to(X)
        for j in range(X.shape[1]):
            step = torch.zeros_like(X)
            step[:, j] = torch.where(X[:, j] > 0.5, -_STEP, _STEP)
            slopes[:, j] = (torch.from_numpy(ctx.function(X + step)).to(X) - here) / step[:, j]
        return grad.unsqueeze(-1) * slopes, None


def fit_with_physics(
    data: TrainingData, law: Law, fit: Callable[[TrainingData], Surrogate], fit_unbent: Callable[[TrainingData], Surrogate]
) -> Surrogate:
    """Return a surrogate around a law, as far as it predicts better than one without; its report says how far.

    Args:
        data: Observations.
        law: The physical model.
        fit: Fits a surrogate.
        fit_unbent: The same with members that do not bend values.
    """
    without = fit(data)
    try:
        with _in_time(TIME_S):
            theta, level, factor = law.fitted(data)
        around = AroundMean(fit_unbent, law.mean(theta, level, factor), data)
    except (ProposalError, TimeoutError) as error:
        return with_remark(without, f"done without the physics: {error}")
    blend = Blend((without, around), (WITHOUT, WITH_PHYSICS), (1.0 - PRIOR, PRIOR))
    parameters = ", ".join(f"{name} = {value:.4g}" for name, value in theta.items()) or "nothing to fit"
    blend.remark = f"physics ({parameters}) believed by {blend.shares[WITH_PHYSICS]:.0%}"
    return blend
