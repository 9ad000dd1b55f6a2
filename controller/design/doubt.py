"""Where results that are not the best so far are no reason for doubt: long lists of molecules."""

from __future__ import annotations

from dataclasses import replace

from controller.design.acquisition import Acquisition, LogExpectedImprovement, WithSuccess


def undoubted(score: Acquisition) -> Acquisition:
    """Return the same score, the predicted spreads as the model gives them.

    In a short list a few results in a row that surpass nothing say that the model promises too much
    (`LogExpectedImprovement.doubt`). Of thousands of molecules hundreds are nearly as good as the best. A search that finds one of
    them after the other seldom finds a new best, and its results are not in vain; widened spreads would send it away from them.
    """
    if isinstance(score, WithSuccess):
        return replace(score, inner=undoubted(score.inner))
    if isinstance(score, LogExpectedImprovement) and score.doubt != 1.0:
        return replace(score, doubt=1.0, name=LogExpectedImprovement.name)
    return score
