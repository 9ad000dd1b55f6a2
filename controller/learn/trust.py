"""What will be measured somewhere, with a spread that can be believed; the acquisition functions work without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch import Tensor

from surrogates.base import Surrogate
from surrogates.calibration import FREEDOM, correction, student_factor
from surrogates.data import TrainingData


@dataclass(frozen=True)
class Trusted:
    """The models of all objectives, which must not be conditioned on pending points, and what their spreads are worth.

    Attributes:
        surrogates: By objective.
        factors: By objective, on the standard deviation of a new measurement; see `surrogates.calibration.student_factor`.
        corrections: By objective, the part of the factor that earlier predictions ask for (`surrogates.calibration.correction`);
            missing where there are none.
    """

    surrogates: Mapping[str, Surrogate]
    factors: Mapping[str, float]
    corrections: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls, surrogates: Mapping[str, Surrogate], data: Mapping[str, TrainingData],
        surprises: Mapping[str, Sequence[float]] = MappingProxyType({}),
    ) -> Trusted:  # fmt: skip
        """Return what left-out observations, and the campaign's own earlier predictions, say of `surrogates`.

        Args:
            surrogates: By objective.
            data: That they were fitted to; a surrogate without any is taken at its word.
            surprises: By objective how earlier predictions fared; see `domain.judged.surprises`.
        """
        corrections = {
            name: correction(torch.tensor(surprises[name], dtype=torch.float64)) for name in surrogates if surprises.get(name)
        }
        factors = {
            name: (factor_of(s, data[name]) if name in data else 1.0) * corrections.get(name, 1.0) for name, s in surrogates.items()
        }
        return cls(surrogates, factors, corrections)

    def scales(self, name: str, X: Tensor) -> list[float]:
        """Return the scales of what would be measured at `X` (n x d): Student-t, `FREEDOM` degrees of freedom."""
        surrogate = self.surrogates[name]
        _, sd = surrogate.predict(X.to(surrogate.device), observation_noise=True)
        return [self.factors[name] * s for s in sd.detach().cpu().tolist()]


def factor_of(surrogate: Surrogate, data: TrainingData) -> float:
    """Return the factor between the standard deviation of a new measurement and its scale."""
    left_out = surrogate.leave_one_out()
    return student_factor((data.Y.squeeze(-1).to(left_out.mean) - left_out.mean) / left_out.sd)


__all__ = ["FREEDOM", "Trusted", "factor_of"]
