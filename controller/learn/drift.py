"""Learns how measurements drift, so that settings are compared as if all had been measured now.

What was measured is the sum of what the setting does, a slow drift over the order of the experiments, an offset of the block, and
noise: a Gaussian process with additive kernels (Rasmussen and Williams 2006, section 5.4.3, takes the Mauna Loa record apart in
the same way). Its hyperparameters are the most probable ones. The drift between an experiment and now is then taken out of its
value, and what is not known of it becomes noise of that value; the campaign's own model learns from the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from controller.domain.drift import Drift
from controller.domain.objective import Objective
from controller.domain.request import Observed
from surrogates.build import build
from surrogates.data import TrainingData
from surrogates.gp.kernels import Kernels, squared_distances
from surrogates.specs import GPSpec

_FEWEST = 4
# Medians and spreads (of the logarithm) of the priors, log-normal; variances as shares of that of all values. The length of the
# drift is a share of the experiments so far: what changes faster than that is noise.
_PRIORS = {
    "signal": (1.0, 1.0),
    "stretch": (1.0, 0.5),
    "drift": (0.1, 1.5),
    "length": (0.5, 0.7),
    "block": (0.1, 1.5),
    "noise": (0.02, 1.5),
}
_STARTS = (0.0, 2.0)
_STEPS = 60
_LEAST = 1e-6
_Z90 = 1.645


@dataclass(frozen=True)
class Drifted:
    """What was learned of the drift of one objective."""

    data: TrainingData
    """Values as they would be now, with the variance of the correction as noise."""
    shift: Tensor
    """n, by how much a value would be larger now, on the model's scale."""
    sd: Tensor
    """n, standard deviation of that."""


def corrected(data: TrainingData, numbers: Sequence[int], drift: Drift) -> Drifted:
    """Return `data` as it would have been measured now.

    Args:
        data: Of one objective.
        numbers: Of the experiments, in the order of the data.
        drift: What is said of it.
    """
    zero = torch.zeros(data.n, dtype=torch.float64)
    y = data.Y.squeeze(-1)
    scale = float(y.std()) if data.n > 1 else 0.0
    if data.n < _FEWEST or scale == 0.0:
        return Drifted(data, zero, zero)
    model = _Additive.of(data, numbers, drift, scale)
    shift, variance = model.since(model.fitted((y - y.mean()) / scale), (y - y.mean()) / scale)
    shift, variance = scale * shift, scale**2 * variance
    known = zero.unsqueeze(-1) if data.noise_var is None else data.noise_var
    now = TrainingData(data.X, data.Y + shift.unsqueeze(-1), data.layout, known + variance.unsqueeze(-1))
    return Drifted(now, shift, variance.sqrt())


@dataclass(frozen=True)
class _Additive:
    """The additive process, before its hyperparameters are known."""

    r2: Tensor
    """n x n squared distances of settings, over the lengthscales of a model that knows of no drift."""
    order: Tensor
    """n + 1, place among the experiments as a share of all; the last is now."""
    block: Tensor
    """n."""
    known: Tensor
    """n, variances known beforehand."""
    uses: tuple[str, ...]

    @classmethod
    def of(cls, data: TrainingData, numbers: Sequence[int], drift: Drift, scale: float) -> _Additive:
        plain = build(GPSpec(recipe="table"), data, pool=True, seed=0)
        lengths = plain.report.members[0].hyperparameters
        per_group = torch.tensor(
            [v for g in data.layout.groups for v in np.atleast_1d(lengths[f"lengthscale.{g.name}"])], dtype=torch.float64
        )
        A = data.X.cpu() / per_group[list(data.layout.lengthscale_of_column)]
        every = [*numbers, max(numbers) + 1]
        order = torch.tensor(every, dtype=torch.float64)
        order = (order - order.min()) / float(order.max() - order.min())
        known = torch.zeros(data.n, dtype=torch.float64) if data.noise_var is None else data.noise_var.squeeze(-1).cpu() / scale**2
        unused = () if drift.block is not None else ("block",)
        uses = tuple(name for name in _PRIORS if name not in unused)
        return cls(squared_distances(A, A), order, torch.tensor(drift.blocks(numbers)), known, uses)

    def _values(self, t: Tensor) -> dict[str, Tensor]:
        values = {name: _PRIORS[name][0] * torch.exp(_PRIORS[name][1] * t[i]) for i, name in enumerate(self.uses)}
        return {"block": torch.zeros((), dtype=torch.float64), **values}

    def _drift(self, v: dict[str, Tensor]) -> Tensor:
        """Covariance of the drift between all experiments and now: (n + 1) x (n + 1)."""
        gap = (self.order.unsqueeze(1) - self.order) / v["length"]
        return v["drift"] * torch.exp(-0.5 * gap.square())

    def _offset(self, v: dict[str, Tensor]) -> Tensor:
        """Covariance of the offsets of all experiments: n x n."""
        return v["block"] * (self.block.unsqueeze(1) == self.block).double()

    def _covariance(self, v: dict[str, Tensor]) -> Tensor:
        matern = Kernels(torch.tensor([False]))
        signal = v["signal"] * matern.value((self.r2 / v["stretch"].square()).unsqueeze(0)).squeeze(0)
        # A constant that nothing is known of: its variance is large against that of all values.
        return signal + self._drift(v)[:-1, :-1] + self._offset(v) + 10.0 + torch.diag(v["noise"] + _LEAST + self.known)

    def _negative_log_posterior(self, t: Tensor, y: Tensor) -> Tensor:
        v = self._values(t)
        factor = torch.linalg.cholesky(self._covariance(v))
        a = torch.cholesky_solve(y.unsqueeze(-1), factor).squeeze(-1)
        value: Tensor = 0.5 * (y @ a) + factor.diagonal().log().sum() + 0.5 * t.square().sum()
        return value

    def fitted(self, y: Tensor) -> Tensor:
        """Return the most probable hyperparameters for standardised values, in standard deviations of their priors."""

        def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            t = torch.tensor(flat, dtype=torch.float64, requires_grad=True)
            value = self._negative_log_posterior(t, y)
            (gradient,) = torch.autograd.grad(value, t)
            return float(value.detach()), gradient.numpy()

        found = []
        for drift in _STARTS:
            start = np.array([drift if name == "drift" else 0.0 for name in self.uses])
            bounds = [(-4.0, 4.0)] * len(start)
            found.append(minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _STEPS}))
        return torch.from_numpy(min(found, key=lambda f: float(f.fun)).x)

    def since(self, t: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance (n each) of how much larger each value would be now, in a block like the average of all."""
        with torch.no_grad():
            v = self._values(t)
            D, B = self._drift(v), self._offset(v)
            factor = torch.linalg.cholesky(self._covariance(v))
            # Of each experiment what its offset is lower than the average of the blocks, as weights of offsets.
            sizes = (self.block.unsqueeze(1) == self.block).sum(-1)
            lower = 1.0 / (sizes * len(set(self.block.tolist()))) - torch.eye(len(B), dtype=torch.float64)
            # Of each experiment: covariance of (now - then) with what was measured.
            cross = D[-1, :-1] - D[:-1, :-1] + lower @ B
            mean = cross @ torch.cholesky_solve(y.unsqueeze(-1), factor).squeeze(-1)
            prior = D[-1, -1] + D.diagonal()[:-1] - 2.0 * D[-1, :-1] + ((lower @ B) * lower).sum(-1)
            explained = (cross * torch.cholesky_solve(cross.T, factor).T).sum(-1)
            return mean, (prior - explained).clamp_min(0.0)


def drifts(drift: Drift, data: Mapping[str, TrainingData], observed: Sequence[Observed]) -> dict[str, Drifted]:
    """Return what is learned of the drift of each objective.

    Args:
        drift: What is said of it.
        data: By objective, of the experiments in `observed` that have a value for it.
        observed: With their numbers; without, their order stands for them.
    """
    numbers = [i + 1 if o.number is None else o.number for i, o in enumerate(observed)]
    found = {}
    for name, rows in data.items():
        known = [n for n, o in zip(numbers, observed, strict=True) if o.values is not None and name in o.values]
        found[name] = corrected(rows, known, drift)
    return found


def drift_note(name: str, objective: Objective, drifted: Drifted) -> str:
    """Return in words how much an objective has drifted since the first experiment that is known, with a 90 % interval."""
    shift, sd = objective.sign * float(drifted.shift[0]), float(drifted.sd[0])
    unit = f" {objective.unit}" if objective.unit else ""
    return f"{name} has drifted by {shift:+.3g} ± {_Z90 * sd:.2g}{unit} since the first experiment"
