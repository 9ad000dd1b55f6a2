"""Covariances that are hard to factor get jitter; those that cannot be are marked, without harm to the others."""

from __future__ import annotations

import torch

from surrogates.gp.factors import factorise


def test_good_matrix_is_factored_without_jitter() -> None:
    K = torch.tensor([[[2.0, 0.5], [0.5, 1.0]]], dtype=torch.float64)
    factors = factorise(K)
    torch.testing.assert_close(factors.L @ factors.L.mT, K)
    assert factors.jitter.tolist() == [0.0]


def test_singular_matrix_needs_jitter_and_hopeless_one_fails() -> None:
    good = torch.eye(3, dtype=torch.float64)
    # Rank one, made slightly indefinite.
    singular = torch.ones(3, 3, dtype=torch.float64) - 1e-7 * good
    hopeless = -good
    factors = factorise(torch.stack([good, singular, hopeless]))
    assert factors.ok.tolist() == [True, True, False]
    assert 1e-8 < factors.jitter[1].item() <= 1e-5
    rebuilt = factors.L[1] @ factors.L[1].mT
    torch.testing.assert_close(rebuilt, singular, rtol=0, atol=1e-5)


def test_not_a_number_fails() -> None:
    K = torch.eye(2, dtype=torch.float64)[None].repeat(2, 1, 1)
    K[0, 0, 0] = torch.nan
    assert factorise(K).ok.tolist() == [False, True]
