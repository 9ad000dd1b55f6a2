"""Training data and the meaning of its columns, validated once here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from surrogates.errors import ShapeError

_LARGEST = 1e100  # squares must not overflow
_MANY_STRUCTURES = 64  # coordinates

GroupKind = Literal["numeric", "category", "structure", "source", "place"]


@dataclass(frozen=True)
class Group:
    """Columns that belong together, usually those of one parameter.

    Attributes:
        name: Of the parameter; unique in a layout.
        columns: Positions in X.
        kind: `numeric` columns run from 0 to 1, `category` columns are one-hot, `structure` columns are coordinates whose
            mean distance between levels is one, a `source` column is one for what came from another source (`surrogates.sources`),
            `place` columns are learned coordinates of choices (`surrogates.gp.embedding`).
        tied: Whether one lengthscale serves all columns of the group.
    """

    name: str
    columns: tuple[int, ...]
    kind: GroupKind = "numeric"
    tied: bool = False

    @property
    def n_lengthscales(self) -> int:
        """Number of lengthscales of the group."""
        return 1 if self.tied else len(self.columns)


@dataclass(frozen=True)
class Layout:
    """All groups; together they name every column exactly once.

    Raises:
        ShapeError: A column is missing, named twice or negative, a group is empty, or a name comes twice.
    """

    groups: tuple[Group, ...]

    def __post_init__(self) -> None:
        names = [group.name for group in self.groups]
        if len(set(names)) != len(names):
            raise ShapeError(f"layout: group names must differ, got {names}")
        for group in self.groups:
            if not group.columns:
                raise ShapeError(f"layout: group {group.name!r} has no columns")
        columns = sorted(column for group in self.groups for column in group.columns)
        if not columns or columns != list(range(len(columns))):
            raise ShapeError(f"layout: groups must name every column from 0 on exactly once, got {columns}")

    @classmethod
    def numeric(cls, d: int) -> Layout:
        """`d` numeric columns, each a group of its own named `x0`, `x1`, and so on."""
        return cls(tuple(Group(f"x{column}", (column,)) for column in range(d)))

    @property
    def d(self) -> int:
        """Number of columns."""
        return sum(len(group.columns) for group in self.groups)

    @property
    def n_lengthscales(self) -> int:
        """Number of lengthscales over all groups."""
        return sum(group.n_lengthscales for group in self.groups)

    @property
    def many_structures(self) -> bool:
        """Whether the levels of one group are so many different structures that networks of this size do not learn them."""
        return any(group.kind == "structure" and group.tied and len(group.columns) >= _MANY_STRUCTURES for group in self.groups)

    @cached_property
    def lengthscale_of_column(self) -> tuple[int, ...]:
        """For each column the position of its lengthscale; lengthscales are ordered by group."""
        index = [0] * self.d
        position = 0
        for group in self.groups:
            for offset, column in enumerate(group.columns):
                index[column] = position if group.tied else position + offset
            position += group.n_lengthscales
        return tuple(index)

    @cached_property
    def kind_of_lengthscale(self) -> tuple[GroupKind, ...]:
        """For each lengthscale the kind of its group."""
        return tuple(group.kind for group in self.groups for _ in range(group.n_lengthscales))


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Observations as tensors.

    Attributes:
        X: n x d, double; numeric columns from 0 to 1.
        Y: n x 1, double, in the objective's own units; larger is always better.
        layout: What the columns of X mean.
        noise_var: n x 1, double, known variances of the observations in squared units of Y, or None.

    Raises:
        ShapeError: Shapes do not fit, a tensor is not double, a value is not finite or beyond 1e100, or a variance is negative.
    """

    X: Tensor
    Y: Tensor
    layout: Layout
    noise_var: Tensor | None = None

    def __post_init__(self) -> None:
        tensors = {"X": self.X, "Y": self.Y} | ({} if self.noise_var is None else {"noise_var": self.noise_var})
        for name, tensor in tensors.items():
            if tensor.dtype != torch.float64:
                raise ShapeError(f"{name}: expected torch.float64, got {tensor.dtype}; convert it with .double()")
            if tensor.ndim != 2:
                raise ShapeError(f"{name}: expected two dimensions, got shape {tuple(tensor.shape)}")
            finite = torch.isfinite(tensor)
            if not bool(finite.all()):
                row, column = (~finite).nonzero()[0].tolist()
                value = tensor[row, column].item()
                raise ShapeError(f"{name}[{row}, {column}]: expected a finite number, got {value}; leave that row out")
        if self.n < 1:
            raise ShapeError("X: expected at least one row, got none")
        if self.X.shape[1] != self.layout.d:
            raise ShapeError(f"X: the layout names {self.layout.d} columns, got shape {tuple(self.X.shape)}")
        for name in tensors.keys() - {"X"}:
            if tensors[name].shape != (self.n, 1):
                raise ShapeError(f"{name}: expected shape ({self.n}, 1) as X has, got {tuple(tensors[name].shape)}")
        if float(self.Y.abs().max()) > _LARGEST:
            raise ShapeError(f"Y: expected values within ±{_LARGEST:g}, got {self.Y.abs().max().item():g}")
        if self.noise_var is not None and bool((self.noise_var < 0).any()):
            raise ShapeError(f"noise_var: expected variances, got {self.noise_var.min().item()}")

    @property
    def n(self) -> int:
        """Number of observations."""
        return self.X.shape[0]

    def to(self, device: torch.device) -> TrainingData:
        """The same data on another device."""
        noise_var = None if self.noise_var is None else self.noise_var.to(device)
        return TrainingData(self.X.to(device), self.Y.to(device), self.layout, noise_var)

    def rows(self, index: Tensor) -> TrainingData:
        """The rows that an index or a mask (n) picks."""
        noise_var = None if self.noise_var is None else self.noise_var[index]
        return TrainingData(self.X[index], self.Y[index], self.layout, noise_var)
