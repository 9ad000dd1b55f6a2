"""Whether predicted intervals cover what they promise, and a factor that widens or narrows them until they do."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from surrogates.errors import ShapeError

FREEDOM = 3.0
"""Degrees of freedom of what is predicted of a new measurement: so heavy the tails of left-out residuals are on small data."""
# What is believed of the factor before there are residuals, and how many residuals that counts for.
_PRIOR_FACTOR, _PRIOR_WEIGHT = 1.2, 10.0
_LEAST = 0.8
# The same of a correction by predictions that were made before their results: nothing is to be corrected, says the prior.
_CORRECTION_WEIGHT = 10.0
_LEAST_CORRECTION = 0.7
_EM_STEPS = 20


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


def student_factor(z: Tensor) -> float:
    """Factor on predicted standard deviations that makes new residuals Student-t distributed with `FREEDOM` degrees of freedom.

    Its mode, given left-out residuals as data and a prior worth `_PRIOR_WEIGHT` of them, by the EM algorithm for the scale of a
    t distribution (Lange, Little and Taylor, Robust statistical modeling using the t distribution, 1989): one wild residual
    widens by its rank, not by its square. A t distribution, because the scale, the lengthscales and the noise that a small data
    set was fitted with are uncertain, and a Gaussian at the most probable of them leaves its tails too thin. The prior lies above
    one because the left-out predictions know hyperparameters that were fitted to what they left out. Neither do clustered
    points, which predict each other well, make intervals elsewhere narrower than `_LEAST` of what the model says.

    Args:
        z: n left-out residuals in predicted standard deviations; none gives the prior's factor.
    """
    return max(_LEAST, _student_scale(z, _PRIOR_FACTOR, _PRIOR_WEIGHT))


def correction(u: Tensor) -> float:
    """Factor on scales, from results of which something had been predicted before they were known; one where that was right.

    The most probable scale of Student-t distributed `u`, given a prior at one worth `_CORRECTION_WEIGHT` of them. That a campaign
    chooses its points by what it has seen does no harm: each prediction was made before its own result, so that the residuals of
    right predictions are Student-t distributed one after the other, however the points were chosen (Dawid, Statistical theory: the
    prequential approach, 1984). What is learned is how well predictions fare where the campaign goes.

    Args:
        u: n residuals in predicted scales that contain no correction of their own; none gives one.
    """
    return max(_LEAST_CORRECTION, _student_scale(u, 1.0, _CORRECTION_WEIGHT))


def _student_scale(z: Tensor, prior: float, weight: float) -> float:
    squares = z.detach().to("cpu", torch.float64).square().numpy()
    variance = prior**2
    for _ in range(_EM_STEPS):
        weights = (FREEDOM + 1.0) / (FREEDOM + squares / variance)
        variance = (float(weights @ squares) + weight * prior**2) / (len(squares) + weight)
    return math.sqrt(variance)


def _same_shape(mean: Tensor, sd: Tensor, y: Tensor) -> None:
    if not (mean.ndim == 1 and mean.shape == sd.shape == y.shape and mean.numel() > 0):
        shapes = [tuple(tensor.shape) for tensor in (mean, sd, y)]
        raise ShapeError(f"mean, sd, y: expected three vectors of one length, at least 1, got shapes {shapes}")
