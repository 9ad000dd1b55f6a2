"""Calibration measures recognise good, narrow and wide intervals, and the factor repairs them."""

from __future__ import annotations

import pytest
import torch

from surrogates.calibration import coverage, half_width, interval_factor, miscalibration_area
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


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_interval_factor_repairs_the_width_when_values_are_many(factor: float) -> None:
    assert interval_factor(MEAN, SD / factor, Y, 0.9) == pytest.approx(factor, rel=0.05)


def test_interval_factor_trusts_few_values_little() -> None:
    few = torch.full((2,), 8.0, dtype=torch.float64)
    factor = interval_factor(torch.zeros_like(few), torch.ones_like(few), few, 0.9)
    assert 1.0 < factor < 1.2


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ShapeError, match="between 0 and 1"):
        half_width(90.0)
    with pytest.raises(ShapeError, match="one length"):
        coverage(MEAN, SD, Y[:5], 0.9)
    with pytest.raises(ShapeError, match="at least 1"):
        interval_factor(Y[:0], Y[:0], Y[:0], 0.9)
