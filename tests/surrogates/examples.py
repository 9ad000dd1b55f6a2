"""Small problems that several tests share."""

from __future__ import annotations

import torch
from torch import Tensor

from surrogates.data import Layout, TrainingData


def smooth(X: Tensor) -> Tensor:
    """A function of the first three columns: n x 1."""
    return torch.sin(4.0 * X[:, :1]) + X[:, 1:2].square() - 3.0 * (X[:, 2:3] - 0.5).square()


def uniform(n: int, d: int, seed: int = 0) -> Tensor:
    """Points in the unit cube: n x d."""
    return torch.rand(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def smooth_data(n: int, d: int, seed: int = 0) -> TrainingData:
    """Noiseless observations of `smooth` at `uniform` points."""
    X = uniform(n, d, seed)
    return TrainingData(X, smooth(X), Layout.numeric(d))
