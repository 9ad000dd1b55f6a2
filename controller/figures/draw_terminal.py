"""Draws figures with characters: over ssh, in a log, wherever there is nothing but text."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from controller.figures.canvas import ESCAPES, Canvas, printable
from controller.figures.figure import (
    AnyLayer,
    Axis,
    Band,
    Bars,
    Cell,
    Colour,
    Edge,
    Figure,
    Interval,
    Line,
    Panel,
    Parallel,
    Points,
    Rule,
    Spans,
    Symbol,
    Table,
    series_of,
)
from controller.figures.given import number_text
from controller.figures.thinning import spread
from controller.figures.ticks import linear_ticks, log_ticks, time_ticks

SYMBOLS: dict[Symbol, str] = {
    "circle": "●", "ring": "○", "square": "■", "triangle": "▲", "diamond": "◆", "star": "★", "cross": "×", "plus": "+",
}  # fmt: skip
FILLS = "█▒░▓#%"
"""Of stretches of time, by series: they are told apart without colour too."""
NARROWEST = 40
"""On fewer columns nothing is drawn, and the data are told as a table."""
_PANEL, _BESIDE = 14, 100
_LANE_TEXT = 22
_MOST_LINES = 40


def text(figure: Figure, width: int, height: int | None = None, *, colour: bool = False) -> str:
    """Return a figure drawn with characters.

    Args:
        figure: What is drawn.
        width: Columns.
        height: Lines of each panel; None chooses.
        colour: Whether with escape sequences of terminals.
    """
    head = [_bold(part, colour) for part in _wrapped(figure.title, width)] + _wrapped(figure.subtitle, width)
    foot = [part for note in (figure.summary, *figure.notes) for part in _wrapped(note, width)]
    if width < NARROWEST:
        return "\n".join([*head, *table_lines(figure.table, width), *foot])
    columns = min(len(figure.panels), 2) if width >= _BESIDE else 1
    each = (width - 2 * (columns - 1)) // columns
    body: list[str] = []
    for i in range(0, len(figure.panels), columns):
        some = figure.panels[i : i + columns]
        drawn = [_panel(panel, each if len(some) == columns else width, height or _PANEL) for panel in some]
        body += _beside([(canvas.lines(colour=colour), canvas.width) for canvas in drawn], colour=colour)
        body.append("")
    legend = _legend(figure.panels, width, colour=colour)
    return "\n".join([*head, *legend, "", *body, *foot])


def table_lines(table: Table, width: int) -> list[str]:
    """Return a table as text, a line for each row; what does not fit is cut."""
    rows = [table.columns, *(tuple("" if c is None else number_text(c) for c in row) for row in table.rows)]
    if not table.columns:
        return []
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(table.columns))]
    lines = ["  ".join(printable(str(cell)).ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [line if len(line) <= width else f"{line[: width - 1]}…" for line in lines]


def _wrapped(line: str, width: int) -> list[str]:
    return textwrap.wrap(printable(line), width)


def _bold(line: str, colour: bool) -> str:
    return f"\x1b[1m{line}\x1b[0m" if colour else line


def _beside(drawn: Sequence[tuple[list[str], int]], *, colour: bool) -> list[str]:
    if len(drawn) == 1:
        return drawn[0][0]
    (left, width), (right, _) = drawn
    n = max(len(left), len(right))
    pad = [*left, *[""] * (n - len(left))], [*right, *[""] * (n - len(right))]
    return [f"{a}{' ' * (width - _seen(a, colour) + 2)}{b}".rstrip() for a, b in zip(*pad, strict=True)]


def _seen(line: str, colour: bool) -> int:
    """Return how many columns a line takes; escape sequences take none."""
    if not colour:
        return len(line)
    n, i = 0, 0
    while i < len(line):
        if line[i] == "\x1b":
            i = line.index("m", i) + 1
        else:
            n, i = n + 1, i + 1
    return n


def _legend(panels: Sequence[Panel], width: int, *, colour: bool) -> list[str]:
    fills = _fills(panels)
    entries = []
    for series, layer in series_of(panels).items():
        code = ESCAPES[layer.colour]
        mark = _mark(layer, fills)
        series = printable(series)
        entries.append((f"{mark} {series}", f"\x1b[{code}m{mark}\x1b[0m {series}" if colour and code else f"{mark} {series}"))
    lines: list[str] = []
    used = width
    for plain, shown in entries:
        if used + 3 + len(plain) > width:
            lines.append(shown)
            used = len(plain)
        else:
            lines[-1] += f"   {shown}"
            used += 3 + len(plain)
    return lines


def _fills(panels: Sequence[Panel]) -> dict[str, str]:
    names = dict.fromkeys(layer.series for panel in panels for layer in panel.layers if layer.mark == "spans")
    return {name: FILLS[i % len(FILLS)] for i, name in enumerate(names)}


def _mark(layer: AnyLayer, fills: dict[str, str]) -> str:
    if isinstance(layer, Points):
        return SYMBOLS[layer.symbol]
    if isinstance(layer, Spans):
        return fills[layer.series]
    if isinstance(layer, Interval):
        return "│" if layer.along == "y" else "─"
    return {"line": "⠤⠤", "band": "░", "bars": "█", "edge": "×", "rule": "┄"}.get(layer.mark, " ")


@dataclass(frozen=True)
class _Ruler:
    """One axis laid out: which place a coordinate has on the canvas."""

    axis: Axis
    low: float
    high: float
    first: float
    """Place of `low` [columns or lines]."""
    last: float

    def at(self, value: Cell) -> float | None:
        """Return the place of a coordinate; None where it has none."""
        if value is None:
            return None
        if self.axis.scale == "band":
            n = len(self.axis.categories)
            return self.first + (self.last - self.first) * (self.axis.categories.index(str(value)) + 0.5) / n
        number = float(value)
        if self.axis.scale == "log":
            if number <= 0.0:
                return None
            share = (math.log(number) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        else:
            share = (number - self.low) / (self.high - self.low)
        return self.first + (self.last - self.first) * share

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Return places that are marked, and what is written there."""
        if self.axis.scale == "band":
            return [(self.at(c) or 0.0, c) for c in self.axis.categories]
        make = {"linear": linear_ticks, "log": log_ticks, "time": time_ticks}[self.axis.scale]
        return [(self.at(value) or 0.0, shown) for value, shown in make(self.low, self.high, most)]


def _panel(panel: Panel, width: int, height: int) -> Canvas:
    parallel = next((layer for layer in panel.layers if isinstance(layer, Parallel)), None)
    if parallel is not None:
        return _parallel(parallel, width, height)
    lanes = panel.y.scale == "band"
    rows = len(panel.y.categories) if lanes else height
    low, high = _range(panel, "y")
    probe = _Ruler(panel.y, low, high, rows - 0.5, 0.5)
    names = [name for _, name in probe.ticks(5)]
    gutter = min(max((len(name) for name in names), default=1), _LANE_TEXT if lanes else 10) + 1
    title = panel.title if lanes or panel.y.text in ("", panel.title) else f"{panel.title} ↑ {panel.y.text}"
    titles = textwrap.wrap(title, width) or [""]
    canvas = Canvas(width, len(titles) + rows + 3)
    for i, part in enumerate(titles):
        canvas.put(0, i, part)
    top, left, right = len(titles), gutter + 1, width - 2
    y = _Ruler(panel.y, low, high, *((top, top + rows) if lanes else (top + rows - 0.5, top + 0.5)))
    x = _Ruler(panel.x, *_range(panel, "x"), left + 0.5, right + 0.5)
    for line in range(top, top + rows):
        canvas.put(gutter, line, "│", "grey")
    canvas.put(gutter, top + rows, "└" + "─" * (right - left + 1), "grey")
    for place, name in y.ticks(5):
        shown = name if len(name) < gutter else f"{name[: gutter - 2]}…"
        canvas.put(gutter - 1 - len(shown), int(place), shown)
        if not lanes:
            canvas.put(gutter, int(place), "┤", "grey")
    _write_below(canvas, x, top + rows, left, right)
    label = panel.x.text
    canvas.put(max(left, right + 1 - len(label)), top + rows + 2, label)
    fills = _fills([panel])
    # Areas first, symbols last: a symbol is what a reader looks for.
    order = {"band": 0, "rule": 1, "interval": 2, "bars": 3, "spans": 3, "line": 4, "points": 5, "edge": 6}
    for layer in sorted(panel.layers, key=lambda one: order.get(one.mark, 9)):
        _DRAW[layer.mark](canvas, x, y, layer, fills)
    return canvas


def _write_below(canvas: Canvas, x: _Ruler, line: int, left: int, right: int) -> None:
    """Write the ticks of the axis x; those that would touch the one before are left out."""
    band = x.axis.scale == "band"
    room = (right - left + 1) // max(1, len(x.axis.categories)) - 1 if band else 10
    free = left
    for place, name in x.ticks(max(2, (right - left) // 12)):
        shown = name if len(name) <= max(3, room) else f"{name[: max(2, room - 1)]}…"
        column = min(int(place) - len(shown) // 2, right + 2 - len(shown))
        canvas.put(int(place), line, "┴", "grey")
        if column >= free - (column < left and free == left) * len(shown):
            canvas.put(max(0, column), line + 1, shown)
            free = column + len(shown) + 1


def _range(panel: Panel, which: str) -> tuple[float, float]:
    """Return from where to where an axis goes: as said, or what the layers need and a little more."""
    axis = panel.x if which == "x" else panel.y
    if axis.scale == "band":
        return 0.0, 1.0
    if axis.domain is not None:
        return axis.domain
    values = [float(v) for layer in panel.layers for v in _coordinates(layer, which) if v is not None and not isinstance(v, str)]
    if axis.scale == "log":
        values = [v for v in values if v > 0.0]
    if not values:
        return (1.0, 10.0) if axis.scale == "log" else (0.0, 1.0)
    low, high = min(values), max(values)
    if axis.scale == "log":
        return (low / 1.1, high * 1.1) if high > low else (low / 2, high * 2)
    margin = 0.03 * (high - low) or abs(high) * 0.1 or 1.0
    return (low - margin, high + margin) if which == "y" else (low, high) if high > low else (low - margin, high + margin)


def _coordinates(layer: AnyLayer, which: str) -> Sequence[Cell]:
    if isinstance(layer, (Points, Line)):
        return layer.x if which == "x" else layer.y
    if isinstance(layer, Band):
        return layer.x if which == "x" else (*layer.low, *layer.high)
    if isinstance(layer, Interval):
        return (*layer.low, *layer.high) if layer.along == which else layer.at
    if isinstance(layer, Bars):
        return (0.0, *layer.value) if which == "x" else ()
    if isinstance(layer, Spans):
        return (*layer.start, *layer.end) if which == "x" else ()
    if isinstance(layer, Rule):
        return (layer.value,) if layer.along == which else ()
    return layer.x if isinstance(layer, Edge) and which == "x" else ()


def _points(canvas: Canvas, x: _Ruler, y: _Ruler, layer: Points, fills: dict[str, str]) -> None:
    del fills
    for i, (a, b) in enumerate(zip(layer.x, layer.y, strict=True)):
        column, line = x.at(a), y.at(b)
        if column is not None and line is not None:
            canvas.put(int(column), int(line), SYMBOLS[layer.symbol], layer.colour)
            if layer.labels and layer.labels[i]:
                for k, character in enumerate(layer.labels[i], start=1):
                    canvas.shade(int(column) + k, int(line), character, layer.colour)


def _line(canvas: Canvas, x: _Ruler, y: _Ruler, layer: Line, fills: dict[str, str]) -> None:
    del fills
    before: tuple[float, float] | None = None
    for a, b in zip(layer.x, layer.y, strict=True):
        column, line = x.at(a), y.at(b)
        if column is None or line is None:
            before = None
            continue
        if before is not None:
            x0, y0 = before
            if layer.step == "after":
                canvas.stroke(x0, y0, column, y0, layer.colour, dashed=layer.dashed)
                canvas.stroke(column, y0, column, line, layer.colour, dashed=layer.dashed)
            elif layer.step == "before":
                canvas.stroke(x0, y0, x0, line, layer.colour, dashed=layer.dashed)
                canvas.stroke(x0, line, column, line, layer.colour, dashed=layer.dashed)
            else:
                canvas.stroke(x0, y0, column, line, layer.colour, dashed=layer.dashed)
        before = (column, line)


def _band(canvas: Canvas, x: _Ruler, y: _Ruler, layer: Band, fills: dict[str, str]) -> None:
    del fills
    ends = [(x.at(a), y.at(lo), y.at(hi)) for a, lo, hi in zip(layer.x, layer.low, layer.high, strict=True)]
    whole = [(a, lo, hi) for a, lo, hi in ends if a is not None and lo is not None and hi is not None]
    for (x0, low0, high0), (x1, low1, high1) in itertools.pairwise(whole):
        for column in range(int(x0), int(x1) + 1):
            share = min(1.0, max(0.0, (column + 0.5 - x0) / (x1 - x0))) if x1 > x0 else 0.0
            low, high = low0 + share * (low1 - low0), high0 + share * (high1 - high0)
            for line in range(max(int(high), int(min(y.first, y.last))), int(low) + 1):
                canvas.shade(column, line, "░", layer.colour)


def _interval(canvas: Canvas, x: _Ruler, y: _Ruler, layer: Interval, fills: dict[str, str]) -> None:
    del fills
    for at, low, high in zip(layer.at, layer.low, layer.high, strict=True):
        if layer.along == "y":
            column, ends = x.at(at), (y.at(high), y.at(low))
            if column is not None and ends[0] is not None and ends[1] is not None:
                for line in range(int(ends[0]), int(ends[1]) + 1):
                    canvas.shade(int(column), line, "│", layer.colour)
        else:
            line_at, sides = y.at(at), (x.at(low), x.at(high))
            if line_at is not None and sides[0] is not None and sides[1] is not None:
                for column_at in range(int(sides[0]), int(sides[1]) + 1):
                    canvas.shade(column_at, int(line_at), "─", layer.colour)


def _bars(canvas: Canvas, x: _Ruler, y: _Ruler, layer: Bars, fills: dict[str, str]) -> None:
    del fills
    for at, value in zip(layer.at, layer.value, strict=True):
        line, start, end = y.at(at), x.at(0.0), x.at(value)
        if line is not None and start is not None and end is not None:
            canvas.put(int(start), int(line), "█" * max(1, round(end - start)) if value > 0 else "▏", layer.colour)


def _spans(canvas: Canvas, x: _Ruler, y: _Ruler, layer: Spans, fills: dict[str, str]) -> None:
    for lane, start, end in zip(layer.lane, layer.start, layer.end, strict=True):
        line, left, right = y.at(lane), x.at(start), x.at(end)
        if line is not None and left is not None and right is not None:
            canvas.put(int(left), int(line), fills[layer.series] * max(1, int(right) - int(left)), layer.colour)


def _edge(canvas: Canvas, x: _Ruler, y: _Ruler, layer: Edge, fills: dict[str, str]) -> None:
    del fills
    for a in layer.x:
        column = x.at(a)
        if column is not None:
            canvas.put(int(column), int(max(y.first, y.last) - 0.01), "×", layer.colour)


def _rule(canvas: Canvas, x: _Ruler, y: _Ruler, layer: Rule, fills: dict[str, str]) -> None:
    del fills
    if layer.along == "y":
        line = y.at(layer.value)
        if line is not None:
            for column in range(int(x.first), int(x.last) + 1):
                canvas.shade(column, int(line), "┄", layer.colour)
            beside = min(int(line) + (layer.side == "below"), int(max(y.first, y.last)))
            canvas.put(int(x.last) + 1 - len(layer.label), beside, layer.label, layer.colour)
    else:
        at = x.at(layer.value)
        if at is not None:
            for line_at in range(int(min(y.first, y.last)), int(max(y.first, y.last)) + 1):
                canvas.shade(int(at), line_at, "┆", layer.colour)


_DRAW: dict[str, Callable[[Canvas, _Ruler, _Ruler, Any, dict[str, str]], None]] = {
    "points": _points, "line": _line, "band": _band, "interval": _interval, "bars": _bars, "spans": _spans, "edge": _edge,
    "rule": _rule,
}  # fmt: skip


def _parallel(layer: Parallel, width: int, height: int) -> Canvas:
    """Draw parallel coordinates; each scale has its name above and its ends written above and below."""
    n = len(layer.scales)
    rows = height + 2
    canvas = Canvas(width, rows + 4)
    room = max(4, width // n - 1)
    places = [int((k + 0.5) * width / n) for k in range(n)]
    top, bottom = 2, rows + 2
    best = set(layer.best)
    others = [i for i in range(len(layer.rows)) if i not in best]
    order = [*sorted(spread(others, _MOST_LINES), key=lambda i: layer.shade[i] or 0.0), *layer.best]
    for i in order:
        shade = layer.shade[i]
        colour: Colour = "vermillion" if i in best else "grey" if shade is None or shade < 0.5 else "sky" if shade < 0.8 else "blue"
        ends = [None if place is None else bottom - 0.5 - place * (bottom - top - 1) for place in layer.rows[i]]
        for k, (a, b) in enumerate(itertools.pairwise(ends)):
            if a is not None and b is not None:
                canvas.stroke(places[k] + 0.5, a, places[k + 1] + 0.5, b, colour, dashed=shade is None)
    for k, scale in enumerate(layer.scales):
        for line in range(top, bottom):
            canvas.put(places[k], line, "│")
        name = f"{scale.label} [{scale.unit}]" if scale.unit else scale.label
        upper = max(scale.ticks, default=(1.0, ""))[1]
        lower = min(scale.ticks, default=(0.0, ""))[1]
        for line, shown in ((0, name), (1, upper), (bottom, lower)):
            cut = shown if len(shown) <= room else f"{shown[: room - 1]}…"
            canvas.put(min(max(0, places[k] - len(cut) // 2), width - len(cut)), line, cut)
    return canvas
