"""Expected improvement of a few points, in numpy: a climb asks for them so often that bookkeeping takes longer than arithmetic."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import erfcx

from controller.encoding.space import Array

_HALF_LOG_2_PI = 0.5 * math.log(2.0 * math.pi)
_MILLS = math.sqrt(math.pi / 2.0)
# Below, the series of Mills' ratio takes over, as rounding leaves nothing of the difference; above, the improvement is z itself.
_LOW, _HIGH = -1e3, 30.0


def log_improvement_and_slope(z: Array) -> tuple[Array, Array]:
    """Logarithm of the expected improvement of a standard normal over -z, and its derivative, both like z.

    With the ratio r of Φ to φ the improvement φ + zΦ is φ (1 + z r), and the derivative r / (1 + z r). The values are those of
    `controller.design.acquisition.log_improvement`.
    """
    inner = np.clip(z, _LOW, _HIGH)
    ratio = _MILLS * erfcx(inner * -math.sqrt(0.5))
    share = 1.0 + inner * ratio
    value, slope = np.log(share) - 0.5 * inner * inner - _HALF_LOG_2_PI, ratio / share
    if z.min() < _LOW:
        value = np.where(z < _LOW, -0.5 * z * z - _HALF_LOG_2_PI - 2.0 * np.log(-np.minimum(z, _LOW)), value)
        slope = np.where(z < _LOW, -z, slope)
    if z.max() > _HIGH:
        value = np.where(z > _HIGH, np.log(np.maximum(z, _HIGH)), value)
        slope = np.where(z > _HIGH, 1.0 / np.maximum(z, _HIGH), slope)
    return value, slope
