"""Exact search of large lists: every row is scored in chunks, and scored again only while it can still win.

The points of a batch are chosen one after the other, each under a model that believes the points before it. Believing a point
keeps the mean and narrows the spread, and expected improvement only falls with the spread: the score that a row had before is an
upper bound of the one it has now. So rows are scored again in the order of their bounds, until the best new scores are above all
bounds that are left: the lazy greedy algorithm (Minoux, Accelerated greedy algorithms for maximizing submodular set functions,
1978). The result is that of scoring everything again. Where a score could rise (a value to match), all rows are scored again.

The hypervolume of several objectives is an average over samples, up to a millisecond for each row. There all rows are scored by its
closed form, and the samples decide between the best few thousand.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from controller.design.acquisition import Acquisition, LogExpectedImprovement, LogHypervolumeImprovement, WithSuccess
from controller.design.candidates import Listing
from controller.encoding.columns import Encoder
from controller.encoding.space import Array

CHUNK = 16_384
"""Rows scored at a time."""
_THREADS = max(1, min(2, os.cpu_count() or 1))
"""A chunk is scored by one of them alone, so that their number does not change any sum."""
_FIRST = 4096
"""Rows scored again at first; then all at once that may still win."""
_SAMPLED = 4096
"""Rows, the best by a closed form, for which a score that is an average over samples is computed."""
_SLACK = 1e-6
"""Scores of one row in chunks of different sizes differ by rounding, by far less than this share."""


class Screen:
    """Scores the rows of one list, for the points of one batch.

    Args:
        encoder: Of the problem.
        listing: The list.
    """

    def __init__(self, encoder: Encoder, listing: Listing) -> None:
        self._encoder, self._listing = encoder, listing
        self._scores: Array = np.zeros(0)
        """Of each row: its newest score, or an upper bound of it."""
        self._last: Acquisition | None = None

    def best(self, acquisition: Acquisition, fresh: NDArray[np.bool_], n: int) -> tuple[NDArray[np.int64], Array]:
        """Return the `n` rows of highest finite score and their scores, best first; of equal ones the earlier first.

        Args:
            acquisition: The score.
            fresh: Which rows may be chosen, of all rows of the list.
            n: How many.
        """
        if self._last is not None and _never_above(acquisition, self._last):
            chosen = self._again(acquisition, fresh, n)
        elif (quick := _without_sampling(acquisition)) is not None and (rows := self._best_by(quick, fresh)) is not None:
            self._scores[rows] = self._scored(acquisition, rows)
            chosen = _top(self._scores, rows, n)
            acquisition = quick  # of most rows it is its score that is known
        else:
            self._scores = self._scored(acquisition, np.arange(len(self._listing)))
            chosen = _top(self._scores, np.flatnonzero(fresh), n)
        self._last = acquisition
        chosen = chosen[np.isfinite(self._scores[chosen])]
        return chosen, self._scores[chosen]

    def _best_by(self, quick: Quick, fresh: NDArray[np.bool_]) -> NDArray[np.int64] | None:
        """Score all rows by `quick`; return the best, or None where it tells too few apart."""
        self._scores = self._scored(quick, np.arange(len(self._listing)))
        rows = _top(self._scores, np.flatnonzero(fresh), _SAMPLED)
        return np.sort(rows) if len(rows) and np.isfinite(self._scores[rows[-1]]) else None

    def _again(self, acquisition: Acquisition, fresh: NDArray[np.bool_], n: int) -> NDArray[np.int64]:
        """Score those again that may be among the best `n`, and return these."""
        left = fresh.copy()
        done = np.zeros(0, np.int64)
        rows = _top(self._scores, np.flatnonzero(left), _FIRST)
        while len(rows):
            rows.sort()
            self._scores[rows] = self._scored(acquisition, rows)
            left[rows] = False
            done = np.sort(np.concatenate([done, rows]))
            best = _top(self._scores, done, n)
            least = float(self._scores[best[-1]]) if len(best) == n else -np.inf
            reach = least - _SLACK * (1.0 + abs(least)) if np.isfinite(least) else -np.inf
            rows = np.flatnonzero(left & (self._scores >= reach))
        return _top(self._scores, done, n)

    def _scored(self, acquisition: Acquisition, rows: NDArray[np.int64]) -> Array:
        """Return the scores of some rows; minus infinity for what is not a number."""
        chunks = list(_chunks(rows))
        if _THREADS == 1 or len(chunks) == 1:
            parts = [self._chunk(acquisition, chunk) for chunk in chunks]
        else:
            with ThreadPoolExecutor(_THREADS, "screen", torch.set_num_threads, (1,)) as pool:
                parts = list(pool.map(self._chunk, repeat(acquisition), chunks))
        scores = np.concatenate(parts)
        return np.where(np.isfinite(scores), scores, -np.inf)

    def _chunk(self, acquisition: Acquisition, rows: NDArray[np.int64]) -> Array:
        with torch.no_grad():
            z = self._listing.z
            # Neighbours are looked at where they stand, without a copy.
            part = z[rows[0] : rows[-1] + 1] if rows[-1] - rows[0] + 1 == len(rows) else z[rows]
            scores: Array = acquisition(self._encoder.columns(torch.from_numpy(part))).cpu().numpy()
        return scores


def _chunks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for begin in range(0, len(rows), CHUNK):
        yield rows[begin : begin + CHUNK]


def _top(scores: Array, rows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return those `n` of `rows` (ascending) that have the largest scores, the largest first; of equal ones the earlier first."""
    found = scores[rows]
    if len(rows) > n:
        least = torch.topk(torch.from_numpy(found), n, sorted=False).values.min().item()
        rows, found = rows[found >= least], found[found >= least]
    return rows[np.argsort(-found, kind="stable")[:n]]


@dataclass(frozen=True)
class Quick:
    """A sampled score in closed form."""

    score: LogHypervolumeImprovement
    log_probabilities: tuple[Callable[[Tensor], Tensor], ...] = ()
    name: str = "in closed form"

    def __call__(self, X: Tensor) -> Tensor:
        """Return n scores."""
        scores = self.score.in_closed_form(X)
        for log_probability in self.log_probabilities:
            scores = scores + log_probability(X).to(scores.device)
        return scores

    def widened(self, score: float) -> None:
        """Return None: there is nothing wider."""
        return None


def _without_sampling(acquisition: Acquisition) -> Quick | None:
    """Return a closed form of an acquisition function that draws samples, where there is one."""
    if isinstance(acquisition, WithSuccess):
        inner = _without_sampling(acquisition.inner)
        return None if inner is None else replace(inner, log_probabilities=(*inner.log_probabilities, acquisition.log_probability))
    return Quick(acquisition) if isinstance(acquisition, LogHypervolumeImprovement) and acquisition.has_closed_form else None


def _never_above(now: Acquisition, before: Acquisition) -> bool:
    """Say whether every row scores now at most what it scored before, only more points being believed since."""
    if isinstance(now, WithSuccess) and isinstance(before, WithSuccess):
        return now.log_probability == before.log_probability and _never_above(now.inner, before.inner)
    if not (isinstance(now, LogExpectedImprovement) and isinstance(before, LogExpectedImprovement)):
        return False
    same_members = now.even == before.even and len(now.best) == len(before.best)
    return same_members and now.doubt <= before.doubt and bool((now.best >= before.best).all())
