"""Bad training data are refused with the place, the value and what was expected."""

from __future__ import annotations

import pytest
import torch

from surrogates.data import Group, Layout, TrainingData
from surrogates.errors import ShapeError

X = torch.zeros(3, 2, dtype=torch.float64)
Y = torch.zeros(3, 1, dtype=torch.float64)
LAYOUT = Layout.numeric(2)


def _with(value: float) -> torch.Tensor:
    changed = X.clone()
    changed[2, 1] = value
    return changed


def test_good_data_are_kept() -> None:
    data = TrainingData(X, Y, LAYOUT, Y)
    assert data.n == 3
    picked = data.rows(torch.tensor([True, False, True]))
    assert picked.n == 2
    assert picked.noise_var is not None
    assert picked.noise_var.shape == (2, 1)


@pytest.mark.parametrize(
    ("X", "Y", "noise_var", "message"),
    [
        (X.float(), Y, None, r"X: expected torch\.float64"),
        (X, Y.squeeze(-1), None, "Y: expected two dimensions"),
        (_with(torch.nan), Y, None, r"X\[2, 1\]: expected a finite number, got nan"),
        (X, Y + torch.inf, None, r"Y\[0, 0\]: expected a finite number, got inf"),
        (X, Y + 1e200, None, "within"),
        (X[:0], Y[:0], None, "at least one row"),
        (X[:, :1], Y, None, "the layout names 2 columns"),
        (X, Y[:2], None, r"Y: expected shape \(3, 1\)"),
        (X, Y, Y - 1.0, "noise_var: expected variances"),
        (X, Y, X, r"noise_var: expected shape \(3, 1\)"),
    ],
)
def test_bad_data_are_refused(X: torch.Tensor, Y: torch.Tensor, noise_var: torch.Tensor | None, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        TrainingData(X, Y, LAYOUT, noise_var)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ((), "every column"),
        ((Group("a", (0,)), Group("b", (2,))), "every column"),
        ((Group("a", (0,)), Group("b", (0, 1))), "every column"),
        ((Group("a", (0,)), Group("a", (1,))), "names must differ"),
        ((Group("a", (0,)), Group("b", ())), "'b' has no columns"),
    ],
)
def test_bad_layouts_are_refused(groups: tuple[Group, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        Layout(groups)


def test_lengthscales_are_ordered_by_group() -> None:
    layout = Layout((Group("b", (2, 0), tied=True), Group("a", (3, 1), "category")))
    assert layout.d == 4
    assert layout.n_lengthscales == 3
    assert layout.lengthscale_of_column == (0, 2, 0, 1)
    assert layout.kind_of_lengthscale == ("numeric", "category", "category")
