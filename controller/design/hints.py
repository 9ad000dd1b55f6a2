"""What people expect, as a part of what is searched: it leads at first and is forgotten as results come in."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from controller.design.acquisition import Acquisition
from controller.domain.base import Point
from controller.domain.knowledge import Hint
from controller.domain.parameter import CategoricalParameter, DiscreteParameter
from controller.domain.space import Problem
from controller.encoding.columns import Encoder

_SHARE = 0.1
"""Of its range, how far off a guess of a number may be where nothing is said."""
_OTHER_CHOICE = 2.0
"""Another choice than the guessed one is so many standard deviations off."""
_STRENGTH = 10.0
"""After so many results a hint counts as what it says; before, for more (the beta of Hvarfner and others, a tenth of a hundred)."""
_SAME = 1e-6


@dataclass(frozen=True)
class WithHints:
    """An acquisition function times what people believe, to a power that falls with every result.

    Hvarfner and others, piBO: augmenting acquisition functions with user beliefs for Bayesian optimization (2022): the
    belief to the power beta / n. What nobody is sure of keeps 1 - confidence, so that nothing is ever ruled out.

    Attributes:
        inner: The acquisition function.
        beliefs: What is believed of columns (n x d): each hint.
        power: beta / n.
    """

    inner: Acquisition
    beliefs: tuple[Belief, ...]
    power: float

    @property
    def name(self) -> str:
        """What is computed."""
        return f"{self.inner.name}, with hints to the power of {self.power:.2g}"

    def __call__(self, X: Tensor) -> Tensor:
        """Return n scores."""
        believed = torch.stack([belief(X) for belief in self.beliefs]).mean(0)
        scores = self.inner(X)
        return scores + self.power * believed.log().to(scores)

    def widened(self, score: float) -> WithHints | None:
        """Return the widened inner function, with the same hints."""
        inner = self.inner.widened(score)
        return None if inner is None else replace(self, inner=inner)


@dataclass(frozen=True)
class Belief:
    """One hint in the columns of a model.

    Attributes:
        numbers: Columns of numbers that are named.
        centre: What they are expected to be.
        spread: Their standard deviations.
        choices: For each categorical parameter that is named its columns, and what they are for the expected choice.
        confidence: How sure one is.
    """

    numbers: tuple[int, ...]
    centre: Tensor
    spread: Tensor
    choices: tuple[tuple[tuple[int, ...], Tensor], ...]
    confidence: float

    @classmethod
    def of(cls, hint: Hint, problem: Problem, encoder: Encoder) -> Belief:
        """Return `hint` in the columns of `encoder`."""
        columns: dict[str, list[int]] = {}
        for group in encoder.layout.groups:
            columns.setdefault(group.name.partition(" (")[0], []).extend(group.columns)
        point = {**_anywhere(problem), **hint.near}
        at = encoder.encode([point])[0]
        numbers, spread, choices = [], [], []
        for name in hint.near:
            parameter = problem.parameters[name]
            if isinstance(parameter, CategoricalParameter):
                choices.append((tuple(columns[name]), at[columns[name]]))
                continue
            numbers.append(columns[name][0])
            spread.append(_spread(hint, name, point, at[columns[name][0]], problem, encoder, columns[name][0]))
        return cls(tuple(numbers), at[numbers], torch.tensor(spread, dtype=torch.float64), tuple(choices), hint.confidence)

    def __call__(self, X: Tensor) -> Tensor:
        """Return how probable the best is at the rows of X (n x d), from 1 - confidence to one: n."""
        off = ((X[:, list(self.numbers)] - self.centre.to(X)) / self.spread.to(X)).square().sum(-1)
        for columns, expected in self.choices:
            other = (X[:, list(columns)] - expected.to(X)).abs().amax(-1) > _SAME
            off = off + _OTHER_CHOICE**2 * other
        return (1.0 - self.confidence) + self.confidence * torch.exp(-0.5 * off)


def with_hints(score: Acquisition, problem: Problem, encoder: Encoder, n: int) -> Acquisition:
    """Return `score` with the problem's hints after `n` results; `score` itself where there are none."""
    if not problem.hints:
        return score
    beliefs = tuple(Belief.of(hint, problem, encoder) for hint in problem.hints)
    return WithHints(score, beliefs, _STRENGTH / (n + 1.0))


def _anywhere(problem: Problem) -> Point:
    """Return some setting of every parameter, to be encoded beside the ones that a hint names."""
    point: Point = {}
    for name, parameter in {**problem.parameters, **problem.context}.items():
        if isinstance(parameter, CategoricalParameter):
            point[name] = parameter.choices[0]
        else:
            point[name] = (parameter.values if isinstance(parameter, DiscreteParameter) else parameter.bounds)[0]
    return point


def _spread(hint: Hint, name: str, point: Point, at: Tensor, problem: Problem, encoder: Encoder, column: int) -> float:
    """Return the standard deviation of a guess in its column, which may run along a logarithm."""
    if name not in hint.spread:
        return _SHARE
    parameter = problem.parameters[name]
    assert not isinstance(parameter, CategoricalParameter)  # noqa: S101 - refused when the file was read
    ends = parameter.values if isinstance(parameter, DiscreteParameter) else parameter.bounds
    here, off = float(point[name]), hint.spread[name]
    moved = here + off if here + off <= ends[-1] or here - off < ends[0] else here - off
    found = abs(float(encoder.encode([{**point, name: moved}])[0, column] - at))
    return found if math.isfinite(found) and found > 0.0 else _SHARE
