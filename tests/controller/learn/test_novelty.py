"""Far points are flagged, near ones are not; the rank is a p-value."""

from __future__ import annotations

import pytest
import torch

from controller.learn.novelty import novelty
from surrogates.base import Surrogate
from surrogates.build import build
from surrogates.data import Layout, TrainingData
from surrogates.specs import DeepEnsembleSpec, GPSpec

SPECS = {
    "table": GPSpec(recipe="table"),
    "function": GPSpec(recipe="function"),
    "deep-ensemble": DeepEnsembleSpec(members=10, hidden=(32, 32), epochs=80),
}


def uniform(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.rand(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def fitted(spec: GPSpec | DeepEnsembleSpec, n: int = 20, corner: float = 0.5) -> Surrogate:
    """A model of a smooth function that was measured in one corner of the square alone."""
    X = corner * uniform(n, 2, 1)
    Y = torch.sin(7.0 * X[:, :1]) + torch.cos(9.0 * X[:, 1:])
    return build(spec, TrainingData(X, Y, Layout.numeric(2)), pool=False, seed=0)


@pytest.mark.parametrize("name", SPECS)
def test_far_points_are_flagged_and_near_ones_are_not(name: str) -> None:
    far, near = novelty(fitted(SPECS[name]), torch.tensor([[1.0, 1.0], [0.25, 0.25]], dtype=torch.float64))
    assert far.flagged
    assert far.rank <= 0.05
    assert not near.flagged
    assert near.rank > 0.1
    assert 0.0 <= near.spread < far.spread


def test_points_drawn_as_the_measured_ones_are_flagged_as_rarely_as_promised() -> None:
    flagged = [found.flagged for found in novelty(fitted(SPECS["function"], 39), 0.5 * uniform(400, 2, 2))]
    assert 0.005 <= sum(flagged) / 400 <= 0.12  # 0.05 on average over data; this is one set of them


def test_nothing_is_flagged_while_the_model_has_hardly_been_tested() -> None:
    (far,) = novelty(fitted(SPECS["table"], 4), torch.ones(1, 2, dtype=torch.float64))
    assert not far.flagged
    assert far.rank >= 0.2
