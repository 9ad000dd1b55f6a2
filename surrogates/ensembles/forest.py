"""The surrogate made of regression trees: a baseline that knows no distances between settings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surrogates.data import TrainingData
from surrogates.ensembles.moments import FOLDS, MomentEnsemble, folds, relative_precision
from surrogates.ensembles.trees import BatchedTrees, Grown
from surrogates.specs import RandomForestSpec
from surrogates.transforms import Standard


class RandomForest(MomentEnsemble):
    """Trees, each grown on observations drawn with replacement (Breiman 2001), read as one Gaussian.

    The spread is that between the trees, as Hutter and others use it to choose settings (Sequential model-based optimization
    for general algorithm configuration, 2011).
    """

    _spec: RandomForestSpec

    def __init__(self, spec: RandomForestSpec, data: TrainingData, seed: int) -> None:
        """Grow the trees.

        Args:
            spec: How many, and how deep.
            data: On the device that the model shall live on; the trees are grown on the CPU.
            seed: Of what is drawn and of who is kept from what.
        """
        super().__init__()
        began = time.perf_counter()
        self._layout, self._device = data.layout, data.X.device
        self._spec, self._seed = spec, seed
        self._trees, held_out, self._transform = _grow(spec, data, seed)
        self._settle(data, held_out)
        self.report = self._make_report(time.perf_counter() - began)

    def _values(self, X: Tensor) -> Tensor:
        """What each tree says at X: M x N."""
        return self._trees(X)

    def _parts(self) -> tuple[str, Sequence[Tensor]]:
        """What the members are, and the tensors that they are made of."""
        return f"{self._spec.trees} trees", self._trees.tensors


def _grow(spec: RandomForestSpec, data: TrainingData, seed: int) -> tuple[BatchedTrees, Tensor, Standard]:
    """Grow all trees.

    Returns:
        The trees, M x n ones where an observation was kept from a tree, and the transform of Y.
    """
    # Half a second that only this model shall cost.
    from sklearn.tree import DecisionTreeRegressor

    generator = torch.Generator().manual_seed(seed)
    transform = Standard.of(data.Y.squeeze(-1))
    held_out = folds(spec.trees, data.n, generator)
    # With very few observations nothing can be spared: every tree may draw them all.
    seen = 1.0 - held_out if data.n >= FOLDS else torch.ones_like(held_out)
    chances = seen * relative_precision(data, transform).cpu().double()
    # The learner compares columns in single precision, so that is what its splits are told apart by.
    X = data.X.cpu().numpy().astype(np.float32)
    # Rounded, so that of two splits that are equally good the last bits of Y do not choose.
    u = transform.forward(data.Y.squeeze(-1)).cpu().numpy().round(9)
    trees = []
    for chance in chances:
        drawn = torch.multinomial(chance, int(chance.count_nonzero()), replacement=True, generator=generator)
        rows = np.sort(drawn.numpy())
        learner = DecisionTreeRegressor(
            max_features=spec.features,
            min_samples_leaf=spec.leaf,
            random_state=int(torch.randint(2**31, (1,), generator=generator)),
        )
        learner.fit(X[rows], u[rows])
        trees.append(_read(learner.tree_, X[rows], learner.decision_path(X[rows]).toarray().astype(bool)))
    return BatchedTrees(trees, data.X.device), held_out.to(data.X.device), transform


def _read(tree: Any, X: NDArray[np.float32], visits: NDArray[np.bool_]) -> Grown:
    """Return a fitted tree with the gaps that its thresholds lie in.

    Args:
        tree: As the learner keeps it.
        X: What it was grown on (n x d).
        visits: n x k, which observation came to which node.
    """
    children = np.stack([tree.children_left, tree.children_right], 1)
    column: NDArray[np.int64] = tree.feature
    gap = np.zeros((len(column), 2))
    for node in np.flatnonzero(children[:, 0] >= 0):
        left, right = (X[visits[:, child], column[node]] for child in children[node])
        gap[node] = left.max(), right.min()
    return Grown(children, column, gap, tree.value.reshape(-1))
