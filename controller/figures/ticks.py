"""Where an axis is marked: round numbers, decades, and moments of the clock."""

from __future__ import annotations

import math
from datetime import UTC, datetime

_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800)


def linear_ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Return at most about `most` round numbers between two ends, each with its text."""
    span = high - low
    if span <= 0.0 or not math.isfinite(span):
        return [(low, f"{low:.5g}")]
    raw = span / max(1, most)
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(m * size for m in (1, 2, 5, 10) if m * size >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    found = []
    for k in range(first, math.floor(high / step + 1e-9) + 1):
        value = k * step
        text = f"{value:.10g}" if abs(value) > step / 1e6 else "0"
        found.append((value, text if len(text) <= 8 else f"{value:.3g}"))
    return found


def log_ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Return decades, and where they are few their doubles and quintuples."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1,)):
        values = [f * 10.0**d for d in decades for f in factors]
        found = [v for v in values if low * 0.999 <= v <= high * 1.001]
        if len(found) <= most + 1:
            break
    return [(v, f"{v:g}") for v in found[:: max(1, math.ceil(len(found) / max(1, most + 1)))]]


def time_ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Return moments of the clock [s since 1970-01-01 UTC]; at the beginning of a day its date."""
    step = next((s for s in _STEPS_S if (high - low) / s <= most), _STEPS_S[-1])
    step *= max(1, math.ceil((high - low) / step / max(1, most)))
    found = []
    for k in range(math.ceil(low / step), math.floor(high / step) + 1):
        at = datetime.fromtimestamp(k * step, UTC)
        form = "%b %d" if (k * step) % 86400 == 0 else "%H:%M" if (k * step) % 60 == 0 else "%H:%M:%S"
        found.append((float(k * step), at.strftime(form)))
    return found
