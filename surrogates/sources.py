"""Several sources of one quantity (an assay and a quicker one, this campaign and earlier ones) in one surrogate.

A source is a column of its own that is one where an observation came from it and zero everywhere else; the source that counts
has none. A stationary kernel over such columns is a multi-task kernel in which each source's correlation with the one that
counts falls with a lengthscale of its own: long, and its observations are as good as one's own; short, and they say nothing. It is
a coregionalisation of rank one plus a diagonal (Kennedy and O'Hagan 2000; Bonilla and others 2007) with positive correlations.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from surrogates.base import LooResult, MemberPosterior, Surrogate
from surrogates.data import Group, Layout, TrainingData


def with_sources(own: TrainingData, others: tuple[tuple[str, TrainingData], ...]) -> TrainingData:
    """Return observations of several sources in one, each of the others with a column of its own behind those of `own`.

    Args:
        own: Of the source that counts; may have columns of sources already.
        others: Name and observations of each further source, with the same columns, on the same scale.

    Returns:
        The rows of `own` first, then those of the others in order. Noise is known only where it is known everywhere.
    """
    d, J = own.layout.d, len(others)
    groups = tuple(Group(name, (d + j,), "source") for j, (name, _) in enumerate(others))
    parts = [own, *(data for _, data in others)]
    marks = [torch.zeros(own.n, J, dtype=torch.float64)]
    for j, (_, data) in enumerate(others):
        mark = torch.zeros(data.n, J, dtype=torch.float64)
        mark[:, j] = 1.0
        marks.append(mark)
    X = torch.cat([torch.cat([part.X, mark.to(part.X)], 1) for part, mark in zip(parts, marks, strict=True)])
    known = [part.noise_var for part in parts if part.noise_var is not None]
    noise = torch.cat(known) if len(known) == len(parts) else None
    return TrainingData(X, torch.cat([part.Y for part in parts]), Layout((*own.layout.groups, *groups)), noise)


class Seen(Surrogate):
    """A surrogate whose columns are some of those asked for, and zeros behind them.

    With zeros in the columns of other sources it is the model of the source that counts; without the columns of sources it is
    a model that knows of one source only.

    Args:
        inner: The surrogate.
        d: Number of columns that are asked for.
        columns: Which of them the surrogate has, in order.
        zeros: How many columns of zeros it has behind them.
        rows: Which of its observations count when it is asked to predict them (indices); all when left out.
    """

    def __init__(self, inner: Surrogate, d: int, columns: tuple[int, ...], zeros: int = 0, rows: Tensor | None = None) -> None:
        super().__init__()
        # In a tuple, or a copy would share it: a module among the attributes of a module is kept in a common table.
        self._held, self._d, self._zeros, self._rows = (inner,), d, zeros, rows
        self._columns = torch.tensor(columns, dtype=torch.long)
        self._left_out = torch.tensor([j for j in range(d) if j not in columns], dtype=torch.long)
        # Positions among all observations would be taken for positions among those that count.
        self.report = inner.report.model_copy(update={"outliers": ()})

    @property
    def inner(self) -> Surrogate:
        """The surrogate behind."""
        return self._held[0]

    @property
    def d(self) -> int:
        """Number of columns."""
        return self._d

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self.inner.device

    def condition_on_pending(self, X: Tensor) -> Seen:
        """Believe in pending points (k x d); of other sources only where the surrogate has their columns."""
        X = self._checked(X)
        other = copy.copy(self)
        here = (X[:, self._left_out.to(X.device)] == 0.0).all(1)
        other._held = (self.inner.condition_on_pending(self._own(X[here])),)
        other.report = other.inner.report.model_copy(update={"outliers": ()})
        return other

    def member_posteriors(self, X: Tensor) -> MemberPosterior:
        """Marginal moments per member (M x n)."""
        return self.inner.member_posteriors(self._own(self._checked(X)))

    def predict(self, X: Tensor, *, observation_noise: bool = False) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (n each) to report, in units of Y."""
        return self.inner.predict(self._own(self._checked(X)), observation_noise=observation_noise)

    def leave_one_out(self) -> LooResult:
        """Those observations that count, each predicted from all the others."""
        found = self.inner.leave_one_out()
        if self._rows is None:
            return found
        return LooResult(found.mean[self._rows], found.sd[self._rows], found.log_density[self._rows])

    def similarity(self, A: Tensor, B: Tensor) -> Tensor:
        """How much the surrogate holds the rows of A (n x d) and B (m x d) to be alike before it has seen any data."""
        return self.inner.similarity(self._own(self._checked(A)), self._own(self._checked(B)))

    def novelty(self, X: Tensor) -> Tensor:
        """How far points (n x d) lie from the data."""
        return self.inner.novelty(self._own(self._checked(X)))

    def left_out_novelty(self) -> Tensor:
        """The same for each observation that counts, as seen from all the others."""
        found = self.inner.left_out_novelty()
        return found if self._rows is None else found[self._rows]

    def _joint(self, X: Tensor, observation_noise: bool) -> tuple[Tensor, Tensor]:
        return self.inner._joint(self._own(X), observation_noise)

    def _own(self, X: Tensor) -> Tensor:
        columns = X.index_select(-1, self._columns.to(X.device))
        return torch.cat([columns, columns.new_zeros(*columns.shape[:-1], self._zeros)], -1)
