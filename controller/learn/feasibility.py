"""Learns where experiments fail, so that fewer are spent there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from controller.domain.request import Observed
from controller.encoding.columns import Encoder
from surrogates.base import Surrogate
from surrogates.build import build
from surrogates.data import TrainingData
from surrogates.specs import GPSpec

_LABELS = GPSpec(recipe="table")
# However sure the model is, a failure may have had another cause: the point stays possible.
_LEAST = 1e-3


@dataclass(frozen=True)
class Feasibility:
    """Probability of success, from a Gaussian process on labels.

    Least-squares classification (Rasmussen and Williams 2006, section 6.5): regression on 1 for success and 0 for failure,
    and the probability that the latent function lies above one half. Far from all data it returns to the share of
    successes.
    """

    surrogate: Surrogate

    def log_probability(self, X: Tensor) -> Tensor:
        """Return the logarithm of the probability of success at `X` (n x d): n values, differentiable."""
        moments = self.surrogate.member_posteriors(X)
        transform = moments.transforms[0]
        threshold = transform.forward(torch.tensor(0.5, dtype=torch.float64))
        probability = torch.special.ndtr((moments.mean[0] - threshold) / moments.sd[0])
        return torch.log(_LEAST + (1.0 - _LEAST) * probability)


def fit_feasibility(encoder: Encoder, observed: Sequence[Observed], device: str) -> Feasibility | None:
    """Return what success depends on, or None unless some experiments failed and some did not."""
    labels = [float(o.values is not None) for o in observed]
    if not 0.0 < sum(labels) < len(labels):
        return None
    Y = torch.tensor([[label] for label in labels], dtype=torch.float64)
    data = TrainingData(encoder.encode([o.point for o in observed]), Y, encoder.layout)
    return Feasibility(build(_LABELS, data, pool=True, seed=0, device="cpu" if device == "auto" else device))
