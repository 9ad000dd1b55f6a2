"""A small picture of the best so far: blocks of eighths, its scale on the left."""

from __future__ import annotations

from collections.abc import Sequence

from controller.verbs.overview import short

_LEVELS = " ▁▂▃▄▅▆▇█"


def chart(trace: Sequence[tuple[int, float]], *, width: int, height: int) -> list[str]:
    """Return the lines of a picture of `trace` (number, best value), from the first number to the last.

    Args:
        trace: By number; the value of a number that is missing is that of the one before.
        width: Columns, the scale included.
        height: Lines.
    """
    if not trace or width < 20 or height < 2:
        return []
    low, high = min(v for _, v in trace), max(v for _, v in trace)
    labels = (short(high), short(low))
    margin = max(map(len, labels))
    columns = width - margin - 1
    first, last = trace[0][0], trace[-1][0]
    rows = [[" "] * columns for _ in range(height - 1)]
    steps, i = len(rows) * 8, 0
    for x in range(columns):
        number = first + (last - first) * (x + 1) / columns
        while i + 1 < len(trace) and trace[i + 1][0] <= number:
            i += 1
        # The lowest value is still a line, not nothing.
        level = 1 + round((steps - 1) * ((trace[i][1] - low) / (high - low) if high > low else 0.0))
        for row in range(len(rows)):
            rows[len(rows) - 1 - row][x] = _LEVELS[min(8, max(0, level - 8 * row))]
    scale = {0: labels[0], len(rows) - 1: labels[1]}
    lines = [f"{scale.get(y, ''):>{margin}} {''.join(row)}" for y, row in enumerate(rows)]
    return [*lines, f"{'':>{margin}} {first}{last:>{columns - len(str(first))}}"]
