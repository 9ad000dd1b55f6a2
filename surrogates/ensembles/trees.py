"""Regression trees as one batch of tensors, smooth between the observations that they tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Grown:
    """One tree of k nodes; node 0 is the root.

    Attributes:
        children: k x 2, left and right; -1 in leaves.
        column: k, the column that a node asks for.
        gap: k x 2, the largest value of that column on the left and the smallest one on the right.
        value: k, what a node predicts.
    """

    children: NDArray[np.int64]
    column: NDArray[np.int64]
    gap: NDArray[np.float64]
    value: NDArray[np.float64]


@dataclass(frozen=True)
class _Level:
    """The nodes of one depth, of all trees, those that split first.

    Attributes:
        parent: Per node, the position of its parent among the splitting nodes of the level above; at the top its tree.
        right: Per node, whether it is the right child.
        column, low, high: Per splitting node.
        tree, value: Per leaf.
    """

    parent: Tensor
    right: Tensor
    column: Tensor
    low: Tensor
    high: Tensor
    tree: Tensor
    value: Tensor


class BatchedTrees:
    """M trees as one program.

    At the observations and beyond them each is the tree that was grown. Between the two observations that a split tells
    apart it goes over from one side to the other by a cubic step: an acquisition function then has a slope to climb along.
    """

    def __init__(self, trees: Sequence[Grown], device: torch.device) -> None:
        """Lay the trees out level by level."""
        self.size = len(trees)
        self._levels = tuple(_levels(trees, device))

    @property
    def tensors(self) -> list[Tensor]:
        """What tells one forest from another."""
        return [part for level in self._levels for part in vars(level).values()]

    def __call__(self, X: Tensor) -> Tensor:
        """What each tree says at X (N x d): M x N; differentiable."""
        total = X.new_zeros(X.shape[0], self.size)
        # How much of each point comes to each node (N x nodes), and how much of that a splitting node sends to the right.
        arrives, sent = X.new_ones(X.shape[0], self.size), X.new_zeros(X.shape[0], self.size)
        for level in self._levels:
            share = sent[:, level.parent]
            arrives = arrives[:, level.parent] * torch.where(level.right, share, 1.0 - share)
            splits = len(level.column)
            total = total.index_add(1, level.tree, arrives[:, splits:] * level.value)
            arrives = arrives[:, :splits]
            t = ((X[:, level.column] - level.low) / (level.high - level.low)).clamp(0.0, 1.0)
            sent = t.square() * (3.0 - 2.0 * t)
        return total.T


def _levels(trees: Sequence[Grown], device: torch.device) -> list[_Level]:
    # Nodes as (tree, node, parent's position, whether right).
    nodes = [(m, 0, m, False) for m in range(len(trees))]
    levels = []
    while nodes:
        splits = [entry for entry in nodes if trees[entry[0]].children[entry[1], 0] >= 0]
        leaves = [entry for entry in nodes if trees[entry[0]].children[entry[1], 0] < 0]
        ordered = [*splits, *leaves]
        levels.append(
            _Level(
                parent=torch.tensor([parent for _, _, parent, _ in ordered], device=device),
                right=torch.tensor([right for *_, right in ordered], device=device),
                column=torch.tensor([int(trees[m].column[k]) for m, k, *_ in splits], dtype=torch.long, device=device),
                low=_double([trees[m].gap[k, 0] for m, k, *_ in splits], device),
                high=_double([trees[m].gap[k, 1] for m, k, *_ in splits], device),
                tree=torch.tensor([m for m, *_ in leaves], dtype=torch.long, device=device),
                value=_double([trees[m].value[k] for m, k, *_ in leaves], device),
            )
        )
        nodes = [
            (m, int(trees[m].children[k, side]), position, side == 1)
            for position, (m, k, *_) in enumerate(splits)
            for side in (0, 1)
        ]
    return levels


def _double(values: Sequence[float], device: torch.device) -> Tensor:
    return torch.tensor([float(v) for v in values], dtype=torch.float64, device=device)
