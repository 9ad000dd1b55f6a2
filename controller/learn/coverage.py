"""Whether what was predicted of experiments before they were made covers what they showed, and whether a model deserves trust."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from scipy.special import bdtr, bdtrc, stdtr

from controller.domain.base import Model
from controller.domain.judged import Judged

FEWEST = 10
"""Below so many results nothing is said."""
NEWEST = 20
"""So many of the newest results decide whether a model deserves trust."""
SUSPICION, DISTRUST = 0.01, 0.001
"""Probability of so few hits, were the intervals right, below which they are called too narrow, and the model distrusted.

The distrusted are looked for after every result: over a campaign of a hundred experiments whose intervals are right, about one in
a hundred raises a false alarm.
"""
_LEVELS = (0.8, 0.9)

Verdict = Literal["too few", "fine", "too narrow", "too wide"]


class Coverage(Model):
    """Predictions of one objective, made before the experiments, against what these showed."""

    results: int
    """Experiments proposed by a model, completed, and not retracted."""
    inside_80: int
    """How many of them lie inside the 80 % interval that was predicted."""
    inside_90: int
    """The same for 90 %."""
    position: float | None
    """Mean of where the results lie within what was predicted: 0 below everything, 1 above everything, 0.5 where neither."""
    p_narrow: float | None
    """Probability of so few inside or fewer, were the intervals right (exact binomial tests of both levels, the smaller, twice)."""
    p_wide: float | None
    """The same of so many or more."""
    verdict: Verdict


def coverage(judged: Sequence[Judged]) -> Coverage:
    """Return how well predictions covered what was measured."""
    n = len(judged)
    if not n:
        return Coverage(results=0, inside_80=0, inside_90=0, position=None, p_narrow=None, p_wide=None, verdict="too few")
    t = np.array([(j.value - j.mean) / j.scale for j in judged])
    positions = stdtr(np.array([j.freedom for j in judged]), t)
    # A result is inside the central interval of every level above this.
    needed = np.abs(2.0 * positions - 1.0)
    inside = [int((needed <= level).sum()) for level in _LEVELS]
    p_narrow = min(1.0, 2.0 * min(float(bdtr(k, n, level)) for k, level in zip(inside, _LEVELS, strict=True)))
    p_wide = min(1.0, 2.0 * min(_at_least(k, n, level) for k, level in zip(inside, _LEVELS, strict=True)))
    verdict: Verdict = "fine"
    if n < FEWEST:
        verdict = "too few"
    elif p_narrow < SUSPICION:
        verdict = "too narrow"
    elif p_wide < SUSPICION:
        verdict = "too wide"
    return Coverage(
        results=n, inside_80=inside[0], inside_90=inside[1], position=float(positions.mean()), p_narrow=p_narrow, p_wide=p_wide,
        verdict=verdict,
    )  # fmt: skip


def _at_least(k: int, n: int, share: float) -> float:
    return 1.0 if k == 0 else float(bdtrc(k - 1, n, share))


def distrust(judged: Iterable[dict[str, Judged]]) -> str | None:
    """Return why a model deserves no trust any more, None while it does.

    Args:
        judged: Per experiment, oldest first, objective -> prediction and result.
    """
    rows = list(judged)[-NEWEST:]
    for name in dict.fromkeys(name for row in rows for name in row):
        found = coverage([row[name] for row in rows if name in row])
        if found.results >= FEWEST and found.p_narrow is not None and found.p_narrow < DISTRUST:
            return (
                f"the model of {name} no longer deserves trust: of the last {found.results} results that it predicted, "
                f"{found.inside_90} lie inside their 90 % intervals and {found.inside_80} inside their 80 % intervals, which "
                f"happens less than once in {1.0 / DISTRUST:.0f} times to a model that is right"
            )
    return None
