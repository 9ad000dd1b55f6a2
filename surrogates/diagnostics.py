"""How well a surrogate predicts what it has not seen, and which observations look wrong."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogates.base import LooResult, gaussian_log_density
from surrogates.build import build
from surrogates.calibration import coverage, miscalibration_area
from surrogates.data import TrainingData
from surrogates.errors import FitError, ShapeError
from surrogates.specs import AnySpec


@dataclass(frozen=True)
class Diagnostics:
    """Quality of left-out predictions.

    Attributes:
        log_density: Mean log predictive density per observation, per unit of Y; larger is better.
        rmse: Root mean squared error, in units of Y.
        r2: Share of the variance explained; below zero when the mean of Y would predict better, nan for equal values.
        coverage_50: Share of observations inside their 50 % intervals.
        coverage_90: Share of observations inside their 90 % intervals.
        miscalibration_area: As in `surrogates.calibration`.
        z: Per observation the residual in predicted standard deviations; far beyond 3 is worth a look at the bench.
    """

    log_density: float
    rmse: float
    r2: float
    coverage_50: float
    coverage_90: float
    miscalibration_area: float
    z: tuple[float, ...]


def diagnose(predicted: LooResult, Y: Tensor) -> Diagnostics:
    """Compare left-out predictions with what was observed.

    Args:
        predicted: From `Surrogate.leave_one_out` or `cross_validate`.
        Y: n x 1, in the same order.

    Raises:
        ShapeError: Y has another number of rows.
    """
    if Y.shape != (predicted.mean.numel(), 1):
        raise ShapeError(f"Y: expected shape ({predicted.mean.numel()}, 1), got {tuple(Y.shape)}")
    y = Y.squeeze(-1).to(predicted.mean)
    residual = y - predicted.mean
    total = float((y - y.mean()).square().mean())
    error = float(residual.square().mean())
    return Diagnostics(
        log_density=float(predicted.log_density.mean()),
        rmse=error**0.5,
        r2=1.0 - error / total if total > 0 else float("nan"),
        coverage_50=coverage(predicted.mean, predicted.sd, y, 0.5),
        coverage_90=coverage(predicted.mean, predicted.sd, y, 0.9),
        miscalibration_area=miscalibration_area(predicted.mean, predicted.sd, y),
        z=tuple((residual / predicted.sd).tolist()),
    )


def cross_validate(
    spec: AnySpec,
    data: TrainingData,
    *,
    pool: bool,
    seed: int,
    folds: int = 10,
    device: str = "cpu",
) -> LooResult:
    """Predict each observation from a surrogate fitted without its fold, hyperparameters included.

    Args:
        spec: Which surrogate.
        data: At least two observations.
        pool: As for `build`.
        seed: Of the folds and of the surrogates.
        folds: At most this many; never more than there are observations.
        device: As for `build`.

    Returns:
        Predictions in the order of the data; the log density is that of the Gaussian with their moments.

    Raises:
        FitError: There are fewer than two observations or folds.
    """
    if data.n < 2 or folds < 2:
        raise FitError(f"cross-validation: expected two observations and two folds, got {data.n} and {folds}")
    generator = torch.Generator().manual_seed(seed)
    fold = torch.randperm(data.n, generator=generator) % min(folds, data.n)
    mean = torch.empty(data.n, dtype=torch.float64)
    sd = torch.empty_like(mean)
    for k in range(int(fold.max()) + 1):
        left_out = fold == k
        surrogate = build(spec, data.rows(~left_out), pool=pool, seed=seed, device=device)
        predicted, spread = surrogate.predict(data.X[left_out], observation_noise=True)
        mean[left_out], sd[left_out] = predicted.cpu(), spread.cpu()
    y = data.Y.squeeze(-1).cpu()
    return LooResult(mean, sd, gaussian_log_density(y, mean, sd.square()))
