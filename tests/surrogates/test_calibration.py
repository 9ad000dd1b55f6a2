"""Calibration measures recognise good, narrow and wide intervals, and the factor repairs them."""

from __future__ import annotations

import pytest
import torch

from surrogates.calibration import FREEDOM, correction, coverage, half_width, miscalibration_area, student_factor
from surrogates.errors import ShapeError

Y = torch.randn(4000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
MEAN, SD = torch.zeros_like(Y), torch.ones_like(Y)


def test_half_width_is_the_normal_quantile() -> None:
    assert half_width(0.9) == pytest.approx(1.6448536, rel=1e-6)
    assert half_width(0.5) == pytest.approx(0.6744898, rel=1e-6)


def test_honest_intervals_cover_their_level() -> None:
    for level in (0.5, 0.9):
        assert coverage(MEAN, SD, Y, level) == pytest.approx(level, abs=0.025)
    assert miscalibration_area(MEAN, SD, Y) < 0.015


def test_narrow_and_wide_intervals_are_found_out() -> None:
    assert coverage(MEAN, 0.3 * SD, Y, 0.9) < 0.45
    assert coverage(MEAN, 3.0 * SD, Y, 0.5) > 0.9
    assert miscalibration_area(MEAN, 0.01 * SD, Y) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("factor", [1.0, 1.5, 3.0])
def test_student_factor_finds_the_scale_of_many_residuals(factor: float) -> None:
    generator = torch.Generator().manual_seed(1)
    chi = torch.randn(4000, int(FREEDOM), dtype=torch.float64, generator=generator).square().sum(-1)
    assert student_factor(factor * Y / (chi / FREEDOM).sqrt()) == pytest.approx(factor, rel=0.05)


def test_student_factor_trusts_few_residuals_little_and_a_wild_one_less() -> None:
    assert student_factor(Y[:0]) == pytest.approx(1.2)
    assert 1.2 < student_factor(torch.full((2,), 8.0, dtype=torch.float64)) < 2.0
    ordinary = torch.tensor([-1.0, -0.3, 0.2, 0.7, 1.1] * 4, dtype=torch.float64)
    with_one_wild = torch.cat([ordinary, torch.tensor([1e6], dtype=torch.float64)])
    assert student_factor(with_one_wild) < 1.15 * student_factor(ordinary)


def test_student_factor_does_not_believe_that_everything_is_known() -> None:
    assert student_factor(torch.zeros(500, dtype=torch.float64)) == 0.8


@pytest.mark.parametrize("factor", [0.75, 1.0, 2.0])
def test_correction_finds_by_how_much_many_predictions_were_off(factor: float) -> None:
    generator = torch.Generator().manual_seed(2)
    chi = torch.randn(4000, int(FREEDOM), dtype=torch.float64, generator=generator).square().sum(-1)
    assert correction(factor * Y / (chi / FREEDOM).sqrt()) == pytest.approx(factor, rel=0.05)


def test_correction_needs_evidence_and_never_trusts_everything() -> None:
    assert correction(Y[:0]) == 1.0
    assert 1.0 < correction(torch.full((3,), 4.0, dtype=torch.float64)) < 1.8
    assert correction(torch.zeros(500, dtype=torch.float64)) == 0.7


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ShapeError, match="between 0 and 1"):
        half_width(90.0)
    with pytest.raises(ShapeError, match="one length"):
        coverage(MEAN, SD, Y[:5], 0.9)
    with pytest.raises(ShapeError, match="at least 1"):
        coverage(Y[:0], Y[:0], Y[:0], 0.9)
