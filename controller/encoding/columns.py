"""From search coordinates to the columns of a model, and what the columns mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from controller.domain.base import Point, Value
from controller.domain.fidelity import FIDELITY
from controller.domain.parameter import CategoricalParameter, ContinuousParameter
from controller.domain.space import Problem
from controller.encoding import descriptors, structure
from controller.encoding.space import Array, Axis, SearchSpace, context_axes
from surrogates.data import Group, GroupKind, Layout

# Kind, whether one lengthscale serves all columns, and the columns of each choice.
_Block: TypeAlias = tuple[GroupKind, bool, Array]

# Coordinates of two choices closer than this do not tell them apart.
_APART = 1e-3


@dataclass(frozen=True)
class Encoder:
    """Encodes the settings of one problem.

    Attributes:
        space: The search coordinates.
        layout: What the columns mean.
        tables: Per coordinate, the columns of each choice (k x c); None for numbers.

    A parameter that is not always active has one column more, 1 where it is and 0 where it is not; there its other columns hold
    what stands for nothing: the middle of a range, no choice.

    The columns of context variables follow those of the parameters. They are no coordinates of the search: where a point, or
    coordinates, say nothing of the context, it is `now`.
    """

    space: SearchSpace
    layout: Layout
    tables: tuple[Tensor | None, ...]
    context: tuple[Axis, ...] = ()
    now: tuple[float, ...] = ()
    """Coordinates of the context; as long as nobody has told, neutral ones."""

    @classmethod
    def of(cls, problem: Problem) -> Encoder:
        """Return the encoder of `problem`.

        Raises:
            MissingExtraError: If structures are given and RDKit is not installed.
            ValueError: If a structure cannot be read.
        """
        space = SearchSpace.of(problem)
        groups: list[Group] = []
        tables: list[Tensor | None] = []
        start = 0
        context = context_axes(problem)
        for axis in (*space.axes, *context):
            if isinstance(axis.parameter, CategoricalParameter):
                blocks = _blocks(axis.name, axis.parameter, problem)
                tables.append(torch.from_numpy(np.hstack([block for _, _, block in blocks])))
            else:
                blocks = [("numeric", False, np.zeros((1, 1)))]
                tables.append(None)
            for position, (kind, tied, block) in enumerate(blocks):
                columns = tuple(range(start, start + block.shape[1]))
                name = axis.name if position == 0 else f"{axis.name} ({position + 1})"
                groups.append(Group(name, columns, kind, tied))
                start += block.shape[1]
            if axis.name in problem.conditional:
                groups.append(Group(f"{axis.name} (active)", (start,), "category"))
                start += 1
        return cls(space, Layout(tuple(groups)), tuple(tables), context, tuple(axis.neutral for axis in context))

    def at(self, context: Mapping[str, Value]) -> Encoder:
        """Return the same for what the context is now; what `context` does not tell stays as it was."""
        known = zip(self.context, self.now, strict=True)
        return replace(self, now=tuple(a.coordinate(context[a.name]) if a.name in context else n for a, n in known))

    def columns(self, z: Tensor) -> Tensor:
        """Return the columns at coordinates `z`, differentiable in the numbers.

        Args:
            z: ... x p; the coordinate of a choice is its position. With the coordinates of the context behind them, ... x (p + c).

        Returns:
            ... x d, double.
        """
        if self._plain:
            return z
        parts = []
        active = self._active(z)
        if self.context and z.shape[-1] == self.space.p:
            z = torch.cat([z, torch.tensor(self.now, dtype=z.dtype, device=z.device).expand(*z.shape[:-1], -1)], -1)
        for j, (axis, table) in enumerate(zip((*self.space.axes, *self.context), self.tables, strict=True)):
            if table is not None:
                part = table.to(z.device)[z[..., j].detach().round().long()]
            else:
                part = _column(axis, z[..., j]).unsqueeze(-1)
            if axis.name in active:
                on = active[axis.name].unsqueeze(-1)
                part = torch.cat([torch.where(on, part, self._nothing(j, part)), on.to(part)], -1)
            parts.append(part)
        return torch.cat(parts, -1)

    def pull(self, z: Tensor, by_columns: Tensor) -> Tensor:
        """Return the gradient by coordinates `z` (n x p) of what has the gradient `by_columns` (n x d) by the columns there."""
        if self._plain:
            return by_columns
        z = z.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(self.columns(z), z, by_columns)
        return gradient

    @cached_property
    def _plain(self) -> bool:
        """Whether the columns are the coordinates themselves."""
        return (
            all(table is None for table in self.tables)
            and not any(_is_bent(axis) for axis in self.space.axes)
            and not self.space.problem.conditional
            and not self.context
        )

    def _active(self, z: Tensor) -> dict[str, Tensor]:
        """Say for each parameter that is not always active at which rows it is (... booleans)."""
        names = self.space.problem.conditional
        if not names:
            return {}
        z = z[..., : self.space.p]
        flat = self.space.active(z.detach().cpu().numpy().reshape(-1, self.space.p))
        active = torch.from_numpy(flat).reshape(z.shape).to(z.device)
        return {axis.name: active[..., j] for j, axis in enumerate(self.space.axes) if axis.name in names}

    def _nothing(self, j: int, part: Tensor) -> Tensor:
        axis, table = self.space.axes[j], self.tables[j]
        if table is not None:
            return torch.zeros_like(part)
        return _column(axis, torch.full_like(part, axis.neutral))

    def encode(self, points: Sequence[Mapping[str, Value]]) -> Tensor:
        """Return the columns of `points` (n x d)."""
        z = self.space.coordinates(points)
        if self.context:
            told = [
                [a.coordinate(p[a.name]) if a.name in p else n for a, n in zip(self.context, self.now, strict=True)] for p in points
            ]
            z = np.hstack([z, np.array(told, dtype=np.float64).reshape(len(points), len(self.context))])
        return self.columns(torch.from_numpy(z))

    def decode(self, X: Tensor) -> list[Point]:
        """Return the settings whose columns are nearest to the rows of `X` (n x d), without the context."""
        z = np.zeros((len(X), self.space.p))
        start = 0
        for j, (axis, table) in enumerate(zip(self.space.axes, self.tables[: self.space.p], strict=True)):
            width = 1 if table is None else table.shape[1]
            part = X[:, start : start + width]
            start += width + (axis.name in self.space.problem.conditional)
            z[:, j] = _coordinates(axis, part[:, 0].numpy()) if table is None else torch.cdist(part, table).argmin(-1)
        return [self.space.point(row) for row in z]


def _blocks(name: str, parameter: CategoricalParameter, problem: Problem) -> list[_Block]:
    """Return (kind, tied, columns per choice) for each way in which the choices of one parameter resemble each other."""
    if problem.fidelity is not None and name == FIDELITY:
        marks = np.eye(len(parameter.choices))
        return [("source", False, np.delete(marks, parameter.choices.index(problem.fidelity.target), axis=1))]
    table = problem.descriptors.get(name)
    blocks: list[_Block] = []
    if table is not None and table.smiles is not None:
        blocks.append(("structure", True, structure.embed(table.smiles)))
    if table is not None and table.columns:
        numbers = descriptors.embed(table.columns)
        if numbers.shape[1]:
            blocks.append(("structure", False, numbers))
    if not blocks or not _tells_apart(np.hstack([block for _, _, block in blocks])):
        blocks.append(("category", False, np.eye(len(parameter.choices))))
    return blocks


def _tells_apart(coordinates: Array) -> bool:
    if len(coordinates) > structure.MOST_EXACT:
        return True  # of so many a column each is no help; what looks alike counts as alike
    gaps = np.abs(coordinates[:, None, :] - coordinates[None, :, :]).max(-1)
    return bool((gaps + np.eye(len(coordinates)) > _APART).all())


def _is_bent(axis: Axis) -> bool:
    """Whether the model sees the logarithm although the coordinate is even in the value."""
    return isinstance(axis.parameter, ContinuousParameter) and axis.parameter.scale == "log" and not axis.logarithmic


def _column(axis: Axis, z: Tensor) -> Tensor:
    if not _is_bent(axis):
        return z
    ratio = axis.upper / axis.lower
    return torch.log1p(z * (ratio - 1.0)) / math.log(ratio)


def _coordinates(axis: Axis, column: Array) -> Array:
    if not _is_bent(axis):
        return column
    ratio = axis.upper / axis.lower
    return np.expm1(column * math.log(ratio)) / (ratio - 1.0)
