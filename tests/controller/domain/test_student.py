"""Intervals of Student's t distribution against SciPy's."""

from __future__ import annotations

import pytest
from scipy.stats import t

from controller.domain.student import central_share, interval


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 6, 7, 30, 101])
@pytest.mark.parametrize("level", [0.05, 0.5, 0.8, 0.9, 0.999])
def test_interval_is_that_of_scipy(freedom: int, level: float) -> None:
    low, high = interval(2.0, 0.5, freedom, level)
    assert (low, high) == pytest.approx(t.interval(level, freedom, loc=2.0, scale=0.5), rel=1e-9)


@pytest.mark.parametrize("freedom", [0, 2.5, -1])
def test_degrees_of_freedom_are_whole(freedom: float) -> None:
    with pytest.raises(ValueError, match="whole number from 1 on"):
        interval(0.0, 1.0, freedom, 0.9)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 30, 101])
def test_central_share_is_that_of_scipy(freedom: int) -> None:
    for x in (-40.0, -1.5, 0.0, 0.3, 2.0, 1e4):
        assert central_share(x, freedom) == pytest.approx(2.0 * t.cdf(abs(x), freedom) - 1.0, abs=1e-12)
