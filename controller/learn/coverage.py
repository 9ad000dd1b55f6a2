"""Whether what was predicted of experiments before they were made covers what they showed, and whether a model deserves trust."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from controller.domain.base import Model
from controller.domain.judged import Judged
from controller.domain.student import central_share

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
    # A result is inside the central interval of every level above this.
    needed = [central_share(j.off, j.freedom) for j in judged]
    inside = [sum(share <= level for share in needed) for level in _LEVELS]
    counted = list(zip(inside, _LEVELS, strict=True))
    p_narrow = min(1.0, 2.0 * min(_probability(range(k + 1), n, level) for k, level in counted))
    p_wide = min(1.0, 2.0 * min(_probability(range(k, n + 1), n, level) for k, level in counted))
    position = math.fsum(0.5 + math.copysign(0.5 * share, j.off) for j, share in zip(judged, needed, strict=True)) / n
    verdict: Verdict = "fine"
    if n < FEWEST:
        verdict = "too few"
    elif p_narrow < SUSPICION:
        verdict = "too narrow"
    elif p_wide < SUSPICION:
        verdict = "too wide"
    return Coverage(
        results=n, inside_80=inside[0], inside_90=inside[1], position=position, p_narrow=p_narrow, p_wide=p_wide,
        verdict=verdict,
    )  # fmt: skip


def _probability(counts: Iterable[int], n: int, share: float) -> float:
    """Return the probability that as many as one of `counts` of `n` lie inside, where a share of all does (binomial)."""
    whole, hit, miss = math.lgamma(n + 1), math.log(share), math.log1p(-share)
    logs = (whole - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * hit + (n - k) * miss for k in counts)
    return math.fsum(map(math.exp, logs))


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
