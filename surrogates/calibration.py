"""Whether predicted intervals cover what they promise, and a factor that widens or narrows them until they do."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from surrogates.errors import ShapeError

# Observations at which the data and the Gaussian have an equal say in an interval's width.
_GAUSSIAN_WEIGHT = 20.0


def half_width(level: float) -> float:
    """Half width, in standard deviations, of a Gaussian's central interval.

    Raises:
        ShapeError: The level is not between 0 and 1.
    """
    if not 0.0 < level < 1.0:
        raise ShapeError(f"level: expected a share between 0 and 1, got {level}")
    return math.sqrt(2.0) * float(torch.erfinv(torch.tensor(level, dtype=torch.float64)))


def coverage(mean: Tensor, sd: Tensor, y: Tensor, level: float) -> float:
    """Share of values (n) inside the central Gaussian intervals of a level; `level` itself where all is well."""
    _same_shape(mean, sd, y)
    return float(((y - mean).abs() <= half_width(level) * sd).double().mean())


def miscalibration_area(mean: Tensor, sd: Tensor, y: Tensor) -> float:
    """Mean distance between level and coverage over all levels: 0 is perfect, 0.5 the worst.

    Kuleshov et al. 2018, with the absolute area instead of the sum of squares.
    """
    _same_shape(mean, sd, y)
    # The narrowest level that covers each value; its distribution function is the coverage curve.
    needed = torch.erf((y - mean).abs() / (sd * math.sqrt(2.0))).sort().values
    levels = torch.linspace(0.0, 1.0, 201, dtype=needed.dtype, device=needed.device)
    covered = torch.searchsorted(needed, levels, right=True) / needed.numel()
    return float(torch.trapezoid((covered - levels).abs(), levels))


def interval_factor(mean: Tensor, sd: Tensor, y: Tensor, level: float) -> float:
    """Factor on `half_width(level) * sd` learned from values that the predictions have not seen.

    Between the split-conformal factor (Vovk et al. 2005), which few values make wide and noisy, and one: the geometric
    mean with weight n / (n + 20). Use predictions of models fitted without the value, as `diagnostics.cross_validate`
    makes them: leave-one-out with hyperparameters held does not repair coverage. Points that a campaign chose are not
    exchangeable with future ones, so what this promises holds for randomly chosen points only.

    Args:
        mean: n.
        sd: n, positive.
        y: n.
        level: Share to be covered, between 0 and 1.

    Raises:
        ShapeError: Shapes differ or the level is not between 0 and 1.
    """
    _same_shape(mean, sd, y)
    n = y.numel()
    gaussian = half_width(level)
    scores = ((y - mean).abs() / sd).sort().values
    rank = min(n, math.ceil((n + 1) * level))
    conformal = max(float(scores[rank - 1]), 1e-3 * gaussian)
    weight = n / (n + _GAUSSIAN_WEIGHT)
    return math.exp(weight * math.log(conformal / gaussian))


def _same_shape(mean: Tensor, sd: Tensor, y: Tensor) -> None:
    if not (mean.ndim == 1 and mean.shape == sd.shape == y.shape and mean.numel() > 0):
        shapes = [tuple(tensor.shape) for tensor in (mean, sd, y)]
        raise ShapeError(f"mean, sd, y: expected three vectors of one length, at least 1, got shapes {shapes}")
