"""Where to measure when the aim is to know: everywhere, or where a quantity crosses a level."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from controller.design.candidates import Listing
from controller.design.drawing import draw
from controller.domain.objective import Objective
from controller.domain.space import Problem
from controller.encoding.columns import Encoder
from surrogates.base import Surrogate

_REFERENCES = 256
_CHUNK = 128
_LEAST = 1e-300


@dataclass(frozen=True)
class LogVarianceReduction:
    """Log of the share of the uncertainty over the whole space that measuring a point will take away.

    What a measurement at x takes from the variance of the function at r is cov(r, x)² / (var(x) + noise), whatever its
    outcome (Cohn, Ghahramani, Jordan, Active learning with statistical models, 1996; Seo, Wallat, Graepel, Obermayer, Gaussian
    process regression: active test point selection and generalization, 2000). Summed over reference points it is the
    integrated variance; weighted by how probably the function is at the level there, that around the level (Picheny, Ginsbourger,
    Roustant, Haftka, Kim, Adaptive designs of experiments for accurate approximation of a target region, 2010).

    Attributes:
        models: One per objective.
        references: k x d, points all over the space.
        weights: Per objective what knowing it at each reference point counts (k), scaled so that all uncertainty there is is one.
        name: What is computed, for people.
    """

    models: tuple[Surrogate, ...]
    references: Tensor
    weights: tuple[Tensor, ...]
    name: str

    def __call__(self, X: Tensor) -> Tensor:
        """Return n scores."""
        return torch.cat([self._chunk(rows) for rows in torch.split(X, _CHUNK)])

    def _chunk(self, X: Tensor) -> Tensor:
        k = len(self.references)
        total = torch.zeros(len(X), dtype=torch.float64, device=X.device)
        for model, weights in zip(self.models, self.weights, strict=True):
            covariance = model.posterior(torch.cat([self.references, X]).to(model.device)).distribution.covariance_matrix
            cross, variance = covariance[k:, :k], covariance.diagonal()[k:]
            taken = (cross.square() @ weights.to(cross)) / (variance + _noise(model, X).to(cross)).clamp_min(_LEAST)
            total = total + taken.to(total)
        return total.clamp_min(_LEAST).log()

    def widened(self, score: float) -> None:
        """Return None: there is no peak that the members could be mistaken about."""
        return None


def exploration(
    problem: Problem, encoder: Encoder, listing: Listing | None, models: Mapping[str, Surrogate], seed: int
) -> LogVarianceReduction:
    """Return the acquisition function for objectives that are to be known.

    Args:
        problem: All its objectives are explored.
        encoder: Of the problem.
        listing: The only settings possible, where they are listed.
        models: One per objective, already conditioned on pending points.
        seed: Of the reference points.
    """
    if listing is None:
        z = draw(encoder.space, _REFERENCES, seed)
    else:
        rows = np.random.default_rng(seed).permutation(len(listing))[:_REFERENCES]
        z = listing.z[np.sort(rows)]
    references = encoder.columns(torch.from_numpy(np.ascontiguousarray(z)))
    chosen = [models[name] for name in problem.objectives]
    weights = [_weights(model, o, references) for model, o in zip(chosen, problem.objectives.values(), strict=True)]
    return LogVarianceReduction(tuple(chosen), references, tuple(weights), _name(list(problem.objectives.values())))


def _weights(model: Surrogate, objective: Objective, references: Tensor) -> Tensor:
    """Return what knowing the objective at each reference point counts (k)."""
    with torch.no_grad():
        posterior = model.posterior(references.to(model.device).unsqueeze(-2))
        mean, variance = posterior.mean.reshape(-1), posterior.variance.reshape(-1).clamp_min(_LEAST)
        wanted = torch.ones_like(mean)
        if objective.target is not None:
            sd = variance.sqrt()
            log_density = -0.5 * ((mean - objective.target) / sd).square() - sd.log() - 0.5 * math.log(2.0 * math.pi)
            # Only the ratios count; however far the level lies from all predictions, something is left of them.
            wanted = (log_density - log_density.max()).exp()
        return wanted / (wanted * variance).sum()


def _noise(model: Surrogate, X: Tensor) -> Tensor:
    """Return the variance of an observation around the function at X (n x d): n."""
    X = X.detach()
    noisy, without = (model.predict(X.to(model.device), observation_noise=flag)[1] for flag in (True, False))
    return (noisy.square() - without.square()).clamp_min(0.0)


def _name(objectives: Sequence[Objective]) -> str:
    levels = [o.target is not None for o in objectives]
    where = "around the level" if all(levels) else "everywhere or around the level" if any(levels) else "everywhere"
    return f"log share of the uncertainty {where} that a measurement takes away"
