"""How well the model of an objective predicted what it had not seen, for people to judge it by."""

from __future__ import annotations

import math

from controller.domain.base import Model
from surrogates.base import Surrogate
from surrogates.data import TrainingData
from surrogates.diagnostics import diagnose

# Below this many observations shares of observations say nothing.
FEWEST = 5


class CalibrationReport(Model):
    """Leave-one-out quality of one objective's model."""

    observations: int
    coverage_50: float
    """Share of observations inside the 50 % intervals predicted from the others."""
    coverage_90: float
    """The same for 90 %."""
    rmse: float
    """Root mean squared error [unit of the objective]."""
    r2: float | None
    """Share of the variance explained; None for equal values."""
    worst: int
    """Position of the observation that surprises most."""
    worst_z: float
    """How far it lies from its prediction, in predicted standard deviations."""


def calibration(surrogate: Surrogate, data: TrainingData) -> CalibrationReport | None:
    """Return how `surrogate` predicts each observation of `data` from the others; None below five observations."""
    if data.n < FEWEST:
        return None
    found = diagnose(surrogate.leave_one_out(), data.Y)
    worst = max(range(data.n), key=lambda i: abs(found.z[i]))
    return CalibrationReport(
        observations=data.n,
        coverage_50=found.coverage_50,
        coverage_90=found.coverage_90,
        rmse=found.rmse,
        r2=found.r2 if math.isfinite(found.r2) else None,
        worst=worst,
        worst_z=abs(found.z[worst]),
    )
