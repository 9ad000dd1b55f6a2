"""Noise that is not the same everywhere: outliers, and noise that depends on the setting.

Both fit an ensemble, look at what each observation says against the others, give observations known variances of their own, and
fit again. Nothing is dropped: an outlier only counts for less.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from surrogates.data import TrainingData
from surrogates.gp.ensemble import GPEnsemble
from surrogates.specs import GPMember

# At most this share of the observations is taken for outliers: beyond it, it is the model that is wrong.
_MOST_OUTLIERS = 0.2
_FEWEST = 6
_ROUNDS = 2
# Log of a squared standard normal: its mean (digamma(1/2) + log 2) and variance (trigamma(1/2)).
_LOG_CHI_MEAN = -1.2703628454614782
_LOG_CHI_VARIANCE = math.pi**2 / 2
# Noise variances differ at most by this factor from their geometric mean, either way.
_WIDEST = 100.0


def robust(members: tuple[GPMember, ...], data: TrainingData) -> GPEnsemble:
    """Fit an ensemble that gives outliers a noise of their own, the most glaring one after the other.

    With r the residual of an observation predicted from the others, and s² the variance of that prediction, the likelihood is
    greatest where the observation has the extra variance r² - s², and grows by (r²/s² - 1 - log(r²/s²)) / 2. It is given where
    that exceeds log n + 2, and a model with it is fitted anew before the next one is looked for: relevance pursuit (Ament,
    Santorella, Eriksson, Letham, Balandat, Bakshy 2024, Robust Gaussian processes via relevance pursuit), with the price of an
    outlier as in the Bayesian information criterion.

    Args:
        members: As for `GPEnsemble`.
        data: Fewer than six observations show no outlier.

    Returns:
        The fitted ensemble; its report names the outliers by their position in the data.
    """
    model = GPEnsemble(members, data)
    known = torch.zeros_like(data.Y) if data.noise_var is None else data.noise_var
    extra = torch.zeros_like(known)
    threshold = math.log(max(data.n, 2)) + 2.0
    for _ in range(int(_MOST_OUTLIERS * data.n) if data.n >= _FEWEST else 0):
        gain, wanted = _gains(model, data, extra)
        fresh = torch.where(extra.squeeze(-1) > 0, -torch.inf, gain)
        if float(fresh.max()) <= threshold:
            break
        # What no longer stands out once the worst is known for an outlier is taken in again.
        kept = (extra.squeeze(-1) > 0) & (gain > threshold)
        kept[fresh.argmax()] = True
        extra = torch.where(kept, wanted, torch.zeros_like(wanted)).unsqueeze(-1)
        model = GPEnsemble(members, _with_noise(data, known + extra))
    return model.with_outliers(tuple(extra.squeeze(-1).nonzero().squeeze(-1).tolist()))


def _gains(model: GPEnsemble, data: TrainingData, extra: Tensor) -> tuple[Tensor, Tensor]:
    """What extra variance each observation would gain in log likelihood by, and that variance (n each)."""
    left_out = model.leave_one_out()
    residual = (data.Y.squeeze(-1) - left_out.mean).square()
    variance = (left_out.sd.square() - extra.squeeze(-1)).clamp_min(1e-12 * float(data.Y.var()) + 1e-300)
    ratio = (residual / variance).clamp_min(1.0)
    return 0.5 * (ratio - 1.0 - ratio.log()), (residual - variance).clamp_min(0.0)


def heteroscedastic(members: tuple[GPMember, ...], data: TrainingData) -> GPEnsemble:
    """Fit an ensemble whose noise depends on the setting.

    The logarithm of what each squared residual says of the noise is smoothed over the settings by another Gaussian process, and
    the observations get the smoothed variances (Kersting, Plagemann, Pfaff, Burgard 2007, Most likely heteroscedastic Gaussian
    process regression). Where variances are known already, they are kept.

    Args:
        members: As for `GPEnsemble`.
        data: Fewer than six observations show no difference.
    """
    model = GPEnsemble(members, data)
    if data.noise_var is not None or data.n < _FEWEST:
        return model
    smoother = (GPMember(kernel="matern52", transform="standard", prior="tight"),)
    noise = torch.zeros_like(data.Y)
    for _ in range(_ROUNDS):
        left_out = model.leave_one_out()
        residual = (data.Y.squeeze(-1) - left_out.mean).square()
        # The spread of what is predicted holds what the others leave open; only the rest is noise.
        open_ = model.predict(data.X)[1].square()
        floor = 1e-6 * float(data.Y.var()) + 1e-300
        told = (residual - open_).clamp_min(0.1 * residual).clamp_min(floor).log() - _LOG_CHI_MEAN
        weights = torch.full_like(data.Y, _LOG_CHI_VARIANCE)
        smooth = GPEnsemble(smoother, TrainingData(data.X, told.unsqueeze(-1), data.layout, weights)).predict(data.X)[0]
        middle = smooth.mean()
        noise = (middle + (smooth - middle).clamp(-math.log(_WIDEST), math.log(_WIDEST))).exp().unsqueeze(-1)
        model = GPEnsemble(members, _with_noise(data, noise))
    return model


def _with_noise(data: TrainingData, noise: Tensor) -> TrainingData:
    return TrainingData(data.X, data.Y, data.layout, noise)
