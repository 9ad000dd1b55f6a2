"""Cholesky factors of a batch of covariances, with what is done when one cannot be factored."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# Shares of the mean variance, added to the diagonal one after the other.
JITTERS = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4)


@dataclass(frozen=True)
class Factors:
    """Lower Cholesky factors of a batch.

    Attributes:
        L: B x n x n; rows that failed hold no meaning.
        ok: B booleans.
        jitter: B, the share of the mean variance that had to be added, mostly zero.
    """

    L: Tensor
    ok: Tensor
    jitter: Tensor


def factorise(K: Tensor) -> Factors:
    """Factor covariances (B x n x n), adding ever more jitter to those that are not positive definite."""
    L, info = torch.linalg.cholesky_ex(K)
    ok = (info == 0) & torch.isfinite(L).all(-1).all(-1)
    jitter = torch.zeros_like(K[:, 0, 0])
    for share in JITTERS:
        bad = (~ok).nonzero().squeeze(-1)
        if bad.numel() == 0:
            break
        again = K[bad]
        diagonal = share * again.diagonal(dim1=-2, dim2=-1).mean(-1)
        again = again + torch.diag_embed(diagonal.unsqueeze(-1).expand(again.shape[:-1]))
        L[bad], info = torch.linalg.cholesky_ex(again)
        ok[bad] = (info == 0) & torch.isfinite(L[bad]).all(-1).all(-1)
        jitter[bad] = share
    return Factors(L, ok, jitter)


def inverse_roots(K: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Upper triangular R with R Rᵀ = K⁻¹ of covariances (B x n x n), which could be factored, and the jitter it took (B each)."""
    factors = factorise(K)
    identity = torch.eye(K.shape[-1], dtype=K.dtype, device=K.device).expand_as(K)
    return torch.linalg.solve_triangular(factors.L, identity, upper=False).mT.contiguous(), factors.ok, factors.jitter
