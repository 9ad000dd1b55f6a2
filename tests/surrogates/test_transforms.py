"""Output transforms go there and back, and their slopes are slopes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from surrogates.transforms import LogTail, OutputTransform, Standard, centre_and_scale

VALUES: dict[str, Tensor] = {
    "skewed": torch.tensor([-1000.0, -50.0, -2.0, 0.5, 1.0, 3.0], dtype=torch.float64),
    "two": torch.tensor([1.0, 4.0], dtype=torch.float64),
    "one": torch.tensor([-7.0], dtype=torch.float64),
    "constant": torch.full((4,), 3.0, dtype=torch.float64),
    "most-at-the-top": torch.tensor([0.0, 5.0, 5.0, 5.0, 5.0], dtype=torch.float64),
    "zeros": torch.zeros(3, dtype=torch.float64),
}
CASES = pytest.mark.parametrize("name", VALUES)
KINDS = pytest.mark.parametrize("kind", [Standard, LogTail])


@CASES
@KINDS
def test_there_and_back(kind: type[Standard | LogTail], name: str) -> None:
    y = VALUES[name]
    transform = kind.of(y)
    probe = torch.cat([y, y - 2.5, y + 2.5])
    torch.testing.assert_close(transform.inverse(transform.forward(probe)), probe)
    assert bool((transform.forward(probe + 0.1) > transform.forward(probe)).all())


@CASES
@KINDS
def test_slope_equals_autograd(kind: type[Standard | LogTail], name: str) -> None:
    transform: OutputTransform = kind.of(VALUES[name])
    y = (VALUES[name] + 0.013).requires_grad_()
    (expected,) = torch.autograd.grad(transform.forward(y).sum(), y)
    torch.testing.assert_close(transform.slope(y.detach()), expected)


@KINDS
def test_result_is_standardised(kind: type[Standard | LogTail]) -> None:
    u = kind.of(VALUES["skewed"]).forward(VALUES["skewed"])
    assert u.mean().item() == pytest.approx(0.0, abs=1e-12)
    assert u.std().item() == pytest.approx(1.0)


def test_log_tail_is_affine_above_the_median_and_compresses_below() -> None:
    transform = LogTail.of(VALUES["skewed"])
    above = transform.forward(torch.tensor([-0.75, 1.0, 2.75]).double())
    assert (above[1] - above[0]).item() == pytest.approx((above[2] - above[1]).item())
    below = transform.forward(torch.tensor([-1000.0, -500.0, 3.0]).double())
    assert below[1] - below[0] < 0.3 * (below[2] - below[1])


def test_gain_keeps_the_chance_of_beating_the_best() -> None:
    y = VALUES["skewed"]
    transform = LogTail.of(y)
    u = torch.tensor([-3.0, -1.0, 0.2], dtype=torch.float64)
    own = transform.forward(y.max()) - u
    raw = (y.max() - transform.inverse(u)) / transform.gain(u)
    torch.testing.assert_close(raw, own)


@KINDS
def test_moments_are_half_the_central_interval(kind: type[Standard | LogTail]) -> None:
    transform = kind.of(VALUES["skewed"])
    centre, width = transform.moments(torch.tensor(0.2).double(), torch.tensor(0.5).double())
    ends = transform.inverse(torch.tensor([-0.3, 0.7]).double())
    assert centre.item() == pytest.approx(transform.inverse(torch.tensor(0.2).double()).item())
    assert width.item() == pytest.approx((ends[1] - ends[0]).item() / 2)


@pytest.mark.parametrize(
    ("y", "expected"),
    [([0.0], (0.0, 1.0)), ([-4.0], (-4.0, 4.0)), ([2.0, 2.0], (2.0, 2.0)), ([1.0, 3.0], (2.0, 2.0**0.5))],
)
def test_scale_has_a_stand_in_when_nothing_varies(y: list[float], expected: tuple[float, float]) -> None:
    assert centre_and_scale(torch.tensor(y, dtype=torch.float64)) == pytest.approx(expected)
