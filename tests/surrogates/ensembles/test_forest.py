"""The random forest: trees as tensors, and what only trees can do."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from surrogates.build import build
from surrogates.data import Group, Layout, TrainingData
from surrogates.ensembles.forest import RandomForest
from surrogates.ensembles.trees import BatchedTrees, Grown
from surrogates.specs import RandomForestSpec

CPU = torch.device("cpu")


def points(n: int, d: int) -> Tensor:
    return torch.rand(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(8))


def test_a_tree_is_a_step_that_is_smooth_only_in_its_gap() -> None:
    stump = Grown(
        children=np.array([[1, 2], [-1, -1], [-1, -1]]),
        column=np.array([0, -2, -2]),
        gap=np.array([[0.4, 0.6], [0.0, 0.0], [0.0, 0.0]]),
        value=np.array([0.5, -1.0, 3.0]),
    )
    leaf = Grown(np.array([[-1, -1]]), np.array([-2]), np.zeros((1, 2)), np.array([7.0]))
    X = torch.tensor([[0.0], [0.4], [0.5], [0.6], [2.0]]).double()
    said = BatchedTrees([leaf, stump], CPU)(X)
    assert said[0].tolist() == [7.0] * 5
    torch.testing.assert_close(said[1], torch.tensor([-1.0, -1.0, 1.0, 3.0, 3.0]).double())


def test_trees_that_may_draw_everything_interpolate() -> None:
    X, n = points(40, 3), 40
    Y = torch.where(X[:, :1] > 0.5, 5.0, -5.0) + X[:, 1:2]
    forest = RandomForest(RandomForestSpec(trees=60), TrainingData(X, Y, Layout.numeric(3)), seed=1)
    mean, sd = forest.predict(X)
    assert float((mean - Y.squeeze(-1)).abs().mean()) < 0.5
    away = torch.tensor([[0.1, 0.5, 0.5], [0.9, 0.5, 0.5]]).double()
    low, high = forest.predict(away)[0].tolist()
    assert low < -4.0
    assert high > 4.0
    assert sd.shape == (n,)


def test_effects_of_categories_that_hang_on_each_other_are_found() -> None:
    """One choice is good only together with another one: no sum of effects, and no distance, says so."""
    generator = torch.Generator().manual_seed(2)
    first, second = (torch.randint(3, (90,), generator=generator) for _ in range(2))
    X = torch.cat([torch.nn.functional.one_hot(c, 3) for c in (first, second)], -1).double()
    Y = ((first == 0) ^ (second == 0)).double().unsqueeze(-1)
    layout = Layout((Group("a", (0, 1, 2), "category"), Group("b", (3, 4, 5), "category")))
    surrogate = build(RandomForestSpec(trees=40), TrainingData(X, Y, layout), pool=True, seed=0)
    predicted = surrogate.leave_one_out()
    assert float((predicted.mean - Y.squeeze(-1)).square().mean()) < 0.05 * float(Y.var())


def test_one_observation_is_enough_to_say_something() -> None:
    for n in (1, 2, 4):
        data = TrainingData(points(n, 2), points(n, 1), Layout.numeric(2))
        mean, sd = build(RandomForestSpec(trees=5), data, pool=True, seed=0).predict(points(6, 2))
        assert bool(torch.isfinite(mean).all())
        assert bool((sd > 0).all())


def test_observations_known_to_be_noisy_count_less() -> None:
    X = points(30, 1)
    Y = torch.zeros(30, 1).double()
    Y[::2] = 10.0
    noise = torch.full_like(Y, 1e-4)
    noise[::2] = 1e4
    forest = build(RandomForestSpec(), TrainingData(X, Y, Layout.numeric(1), noise), pool=False, seed=0)
    assert float(forest.predict(X)[0].mean()) < 1.0
