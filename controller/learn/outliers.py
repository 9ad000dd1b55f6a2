"""Observations that the others contradict, named so that a person can look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from controller.domain.request import Observed
from surrogates.base import Surrogate


def outliers(observed: Sequence[Observed], surrogates: Mapping[str, Surrogate]) -> dict[str, list[int]]:
    """Return per objective the positions in `observed` of what its model takes for outliers; none where it looks for none."""
    found = {}
    for name, surrogate in surrogates.items():
        learned = [i for i, o in enumerate(observed) if o.values is not None and name in o.values]
        if surrogate.report.outliers:
            found[name] = [learned[position] for position in surrogate.report.outliers]
    return found


def outlier_notes(observed: Sequence[Observed], surrogates: Mapping[str, Surrogate]) -> list[str]:
    """Return one sentence for each objective that has outliers."""
    notes = []
    for name, positions in outliers(observed, surrogates).items():
        values = ", ".join(f"{(observed[i].values or {})[name]:.4g} at {_setting(observed[i])}" for i in positions[:3])
        more = f" and {len(positions) - 3} more" if len(positions) > 3 else ""
        notes.append(f"outliers of {name}, which count for less: {values}{more}")
    return notes


def _setting(observed: Observed) -> str:
    return "{" + ", ".join(f"{k}: {v:.4g}" if isinstance(v, float) else f"{k}: {v}" for k, v in observed.point.items()) + "}"
