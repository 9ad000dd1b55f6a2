"""How far a point lies from the data, and whether that is farther than the model was ever put to the test."""

from __future__ import annotations

import torch
from torch import Tensor

from controller.domain.proposal import Novelty
from surrogates.base import Surrogate

FEWEST = 5
"""Below this many observations no point is flagged: the model has hardly been put to the test at all."""
LEVEL = 0.05
"""A point is flagged when at most this share of the measured points, itself included, lie as far from the others."""
_EQUAL = 1e-9


def novelty(surrogate: Surrogate, X: Tensor) -> list[Novelty]:
    """Return how far the rows of `X` (n x d) lie from the data of `surrogate`, which must not be conditioned on pending points.

    Each measured point is as far from the others as leaving it out shows. The rank of a new point among these is a conformal
    p-value (Bates, Candès, Lei, Romano, Sesia, Testing for outliers with conformal p-values, 2023): were it drawn as the
    measured ones were, it would be flagged once in twenty times, or once in n + 1 while there are fewer than 19.
    """
    spread = surrogate.novelty(X.to(surrogate.device)).cpu()
    others = surrogate.left_out_novelty().cpu()
    n = len(others)
    farther = (others[None, :] >= spread[:, None] * (1.0 - _EQUAL)).sum(1)
    rank = (1.0 + farther.to(torch.float64)) / (n + 1)
    flagged = (rank <= max(LEVEL, 1.0 / (n + 1)) + _EQUAL) & (n >= FEWEST)
    return [
        Novelty(spread=s, rank=r, flagged=f)
        for s, r, f in zip(spread.tolist(), rank.tolist(), flagged.tolist(), strict=True)
    ]
