"""The expected growth of the overall desirability: several objectives combined into one score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from botorch.utils.safe_math import log_fatplus, logmeanexp
from botorch.utils.sampling import draw_sobol_normal_samples
from torch import Tensor

from controller.domain.desirability import Desirability
from controller.domain.objective import Objective
from surrogates.base import Surrogate

_DRAWS = 256
_CHUNK = 2048
# Below this share of the way a desirability falls off exponentially instead of ending at zero: where everything known is
# worthless the search still sees which way is better.
_TAIL = 0.02
# Width of the smooth corner at no improvement, on the scale from 0 to 1.
_CORNER = 1e-3


@dataclass(frozen=True)
class Wish:
    """One objective with its desirability; works on the scale of its model."""

    objective: Objective
    desirability: Desirability
    weight: float
    """Share of all weights."""

    def log_of(self, values: Tensor) -> Tensor:
        """Return the weighted logarithm of the desirability of values on the model's scale, smooth below the worthless."""
        value, wish, target = self.objective.sign * values, self.desirability, self.objective.target
        if target is None:
            share = (value - wish.worthless) / (wish.perfect - wish.worthless)
        else:
            rising = (value - wish.worthless) / (target - wish.worthless)
            share = torch.minimum(rising, (wish.perfect - value) / (wish.perfect - target))
        tail = math.log(_TAIL) + share / _TAIL - 1.0
        log_share = torch.where(share > _TAIL, share.clamp(_TAIL, 1.0).log(), tail)
        return self.weight * wish.shape * log_share


def wishes_of(objectives: Mapping[str, Objective], desirability: Mapping[str, Desirability]) -> list[Wish]:
    """Return what is wished of each objective, in the order of `desirability`."""
    total = sum(wish.weight for wish in desirability.values())
    return [Wish(objectives[name], wish, wish.weight / total) for name, wish in desirability.items()]


class LogDesirabilityImprovement:
    """Log of the expected growth of the overall desirability, over joint draws of all objectives."""

    name = "log expected improvement of the overall desirability"

    def __init__(
        self,
        surrogates: Mapping[str, Surrogate],
        objectives: Mapping[str, Objective],
        desirability: Mapping[str, Desirability],
        baseline: Tensor,
        seed: int,
    ) -> None:
        """Prepare the draws.

        Args:
            surrogates: By objective.
            objectives: By name.
            desirability: By objective.
            baseline: n x m, values that hold already, in the order of `desirability`, on the scale of the models.
            seed: Of the quasi-random draws; the same for every point, so that scores can be compared.
        """
        self._wishes = wishes_of(objectives, desirability)
        self._models: Sequence[Surrogate] = [surrogates[name] for name in desirability]
        self._best = float(self._overall(list(baseline.unbind(-1))).max())
        self._draws = draw_sobol_normal_samples(len(self._models), _DRAWS, dtype=torch.float64, seed=seed)

    def _overall(self, values: Sequence[Tensor]) -> Tensor:
        logs = [wish.log_of(v) for wish, v in zip(self._wishes, values, strict=True)]
        return torch.stack(logs).sum(0).exp()

    def __call__(self, X: Tensor) -> Tensor:
        """Return n scores."""
        return torch.cat([self._score(rows) for rows in torch.split(X, _CHUNK)])

    def _score(self, X: Tensor) -> Tensor:
        drawn = []
        for model, eps in zip(self._models, self._draws.unbind(-1), strict=True):
            posterior = model.posterior(X.to(model.device).unsqueeze(-2))
            mean, sd = posterior.mean.reshape(-1), posterior.variance.clamp_min(1e-300).sqrt().reshape(-1)
            drawn.append((mean + eps.to(mean).unsqueeze(1) * sd).to(X.device))
        gained = self._overall(drawn) - self._best
        return logmeanexp(log_fatplus(gained, tau=_CORNER), dim=0)

    def widened(self, score: float) -> None:
        """Return None: the members already count together, by their common mean and spread."""
        return None
