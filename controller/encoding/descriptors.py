"""Numeric descriptors of choices as columns: few that say different things, and equal weight for each parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from controller.encoding.space import Array
from controller.encoding.structure import to_unit_distance

# Descriptors more correlated than this say the same thing; the first one listed is kept.
_MOST_CORRELATED = 0.7


def embed(columns: Mapping[str, Sequence[float]]) -> Array:
    """Return decorrelated, standardised descriptors, scaled so that the mean distance between choices is one.

    Args:
        columns: Descriptor name -> one finite number per choice.

    Returns:
        One row per choice; no columns where every descriptor is constant.
    """
    kept: list[Array] = []
    n = 0
    for values in columns.values():
        column = np.asarray(values, dtype=np.float64)
        n = len(column)
        spread = float(column.std())
        if spread <= 1e-12 * max(1.0, float(np.abs(column).max())):
            continue
        standard = (column - column.mean()) / spread
        if all(abs(float((standard * other).mean())) < _MOST_CORRELATED for other in kept):
            kept.append(standard)
    return to_unit_distance(np.array(kept).T) if kept else np.zeros((n, 0))
