"""Draws figures with matplotlib, for print: white ground, 150 dots per inch, colours that everybody can tell apart."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from controller.errors import MissingExtraError
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
    series_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHADES: dict[Colour, str] = {
    "ink": "#222222", "grey": "#8a8a8a", "blue": "#0072b2", "orange": "#e69f00", "green": "#009e73", "vermillion": "#d55e00",
    "purple": "#cc79a7", "sky": "#56b4e9", "yellow": "#f0e442",
}  # fmt: skip
"""The palette of Okabe and Ito (2008), and two neutral ones."""
BEST, WORST = "#004d38", "#cfdbe4"
SYMBOLS: dict[Symbol, str] = {
    "circle": "o", "ring": "o", "square": "s", "triangle": "^", "diamond": "D", "star": "*", "cross": "x", "plus": "+",
}  # fmt: skip
_STROKED = frozenset({"ring", "cross", "plus"})
_SOFT = "#555555"
_COLUMNS = 3
_LANE_IN, _PANEL_IN, _WIDE_IN = 0.34, 3.4, 11.0
_MANY = 400
_WRAP = 150
_ENTRIES = 5
"""Of the legend on a line."""


def draw(figures: Sequence[Figure], form: Literal["png", "svg"]) -> bytes:
    """Return figures, one below the other, as a picture.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Canvas
    except ImportError:
        raise MissingExtraError("matplotlib", "plot", "a picture") from None
    style: dict[Any, Any] = {"svg.hashsalt": "labwright", "svg.fonttype": "path", "font.size": 9, "font.family": ["DejaVu Sans"]}
    with rc_context(style):
        heights = [_height(figure) for figure in figures]
        canvas = Canvas(figsize=(_WIDE_IN, sum(heights)), dpi=150, layout="constrained", facecolor="white")
        FigureCanvasAgg(canvas)
        parts = canvas.subfigures(len(figures), 1, height_ratios=heights, squeeze=False)
        for part, figure in zip(parts[:, 0], figures, strict=True):
            _draw_figure(part, figure)
        out = io.BytesIO()
        # The same figure gives the same bytes: nothing of the moment or of the machine is written.
        metadata = {"Date": None, "Creator": "Labwright"} if form == "svg" else {"Software": "Labwright"}
        canvas.savefig(out, format=form, metadata=metadata)
    return out.getvalue()


def _grid(figure: Figure) -> tuple[int, int]:
    n = len(figure.panels)
    columns = min(n, _COLUMNS) if n != 4 else 2
    return math.ceil(n / columns), columns


def _rows_in(figure: Figure) -> list[float]:
    """Return the height of each row of panels [inch]."""
    rows, columns = _grid(figure)
    return [
        max(
            max(1.6, 0.9 + _LANE_IN * len(p.y.categories)) if p.y.scale == "band" else _PANEL_IN + 0.7 * (columns == 1)
            for p in figure.panels[r * columns : (r + 1) * columns]
        )
        for r in range(rows)
    ]  # fmt: skip


def _height(figure: Figure) -> float:
    return _head_in(figure) + sum(_rows_in(figure)) + _foot_in(figure)


def _head_in(figure: Figure) -> float:
    return 0.55 + 0.22 * math.ceil(len(series_of(figure.panels)) / _ENTRIES)


def _foot_in(figure: Figure) -> float:
    return 0.18 + 0.17 * len(_foot(figure).splitlines())


def _foot(figure: Figure) -> str:
    return "\n".join(textwrap.fill(text, _WRAP) for text in (figure.summary, *figure.notes))


def _draw_figure(part: Any, figure: Figure) -> None:
    head_in, foot_in = _head_in(figure), _foot_in(figure)
    head, body, foot = part.subfigures(3, 1, height_ratios=(head_in, sum(_rows_in(figure)), foot_in))
    ink = SHADES["ink"]
    head.text(0.01, 1 - 0.06 / head_in, figure.title, ha="left", va="top", fontsize=11, fontweight="bold", color=ink)
    weight = "bold" if figure.simulated else "normal"
    head.text(0.01, 1 - 0.29 / head_in, figure.subtitle, ha="left", va="top", fontsize=8.5, fontweight=weight, color=_SOFT)
    handles = [(_handle(layer), series) for series, layer in series_of(figure.panels).items()]
    if handles:
        head.legend(
            [h for h, _ in handles], [s for _, s in handles], loc="lower left", ncols=min(_ENTRIES, len(handles)), frameon=False,
            fontsize=8, bbox_to_anchor=(0.0, -0.03), borderaxespad=0.0,
        )  # fmt: skip
    rows, columns = _grid(figure)
    axes = body.subplots(rows, columns, squeeze=False, height_ratios=_rows_in(figure))
    for i, place in enumerate(axes.flat):
        if i < len(figure.panels):
            _draw_panel(place, figure.panels[i])
        else:
            place.set_axis_off()
    foot.text(0.01, 1 - 0.06 / foot_in, _foot(figure), ha="left", va="top", fontsize=8, color=_SOFT, linespacing=1.4)


def _draw_panel(axes: Axes, panel: Panel) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    parallel = any(layer.mark == "parallel" for layer in panel.layers)
    if not parallel:
        axes.grid(color="#ececec", linewidth=0.8, axis="x" if panel.y.scale == "band" else "both")
    _prepare(axes, "x", panel.x)
    _prepare(axes, "y", panel.y)
    for depth, layer in enumerate(panel.layers):
        _DRAW[layer.mark](axes, panel, layer, 2 + 0.01 * depth)
    if panel.y.scale == "band":
        axes.set_ylim(len(panel.y.categories) - 0.5, -0.5)
    axes.set_title(panel.title, fontsize=9, loc="left", color=SHADES["ink"])
    if not parallel:
        axes.set_xlabel(panel.x.text, color=SHADES["ink"])
        label = "" if panel.y.scale == "band" else textwrap.fill(panel.y.text, 36, break_long_words=False)
        axes.set_ylabel(label, color=SHADES["ink"])


def _prepare(axes: Axes, which: Literal["x", "y"], axis: Axis) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    ruler = axes.xaxis if which == "x" else axes.yaxis
    if axis.scale == "band":
        ruler.set_ticks(range(len(axis.categories)), labels=[_short(c) for c in axis.categories])
    if axis.scale == "log":
        axes.set(**{f"{which}scale": "log"})
        ruler.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ruler.set_major_formatter(StrMethodFormatter("{x:g}"))
        ruler.set_minor_formatter(NullFormatter())
    if axis.scale == "time":
        locator = AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]
        ruler.set_major_locator(locator)
        ruler.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call]
    if axis.domain is not None:
        low, high = _place(axis, list(axis.domain))
        axes.set(**{f"{which}lim": (low, high)})


def _short(text: str) -> str:
    return text if len(text) <= 28 else f"{text[:27]}…"


def _place(axis: Axis, values: Sequence[Cell]) -> list[Any]:
    """Return coordinates as matplotlib takes them: places of categories, dates, and not-a-number for None."""
    if axis.scale == "band":
        return [axis.categories.index(str(v)) for v in values]
    if axis.scale == "time":
        return [datetime.fromtimestamp(float(v or 0.0), UTC) for v in values]
    return [math.nan if v is None else float(v) for v in values]


def _points(axes: Axes, panel: Panel, layer: Points, depth: float) -> None:
    x, y = _place(panel.x, layer.x), _place(panel.y, layer.y)
    many = len(x) > _MANY
    axes.plot(x, y, linestyle="none", zorder=depth, clip_on=False, **_marker(layer, 3.0 if many else 5.5))
    for i, text in enumerate(layer.labels):
        if text:
            axes.annotate(
                text, (x[i], y[i]), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=7, color=SHADES[layer.colour],
                zorder=depth,
            )  # fmt: skip


def _marker(layer: Points, size: float) -> dict[str, Any]:
    shade = SHADES[layer.colour]
    stroked = layer.symbol in _STROKED
    return {
        "marker": SYMBOLS[layer.symbol], "markersize": size * (1.4 if layer.symbol == "star" else 1.0),
        "markerfacecolor": "none" if stroked else shade, "markeredgecolor": shade if stroked else "white",
        "markeredgewidth": 1.4 if stroked else 0.6,
    }  # fmt: skip


def _line(axes: Axes, panel: Panel, layer: Line, depth: float) -> None:
    style = {"none": "default", "after": "steps-post", "before": "steps-pre"}[layer.step]
    axes.plot(
        _place(panel.x, layer.x), _place(panel.y, layer.y), color=SHADES[layer.colour], linewidth=1.6, drawstyle=style,
        linestyle="--" if layer.dashed else "-", zorder=depth,
    )  # fmt: skip


def _band(axes: Axes, panel: Panel, layer: Band, depth: float) -> None:
    x = _place(panel.x, layer.x)
    axes.fill_between(x, layer.low, layer.high, color=SHADES[layer.colour], alpha=0.25, linewidth=0, zorder=depth)


def _interval(axes: Axes, panel: Panel, layer: Interval, depth: float) -> None:
    at = _place(panel.x if layer.along == "y" else panel.y, layer.at)
    draw_lines = axes.vlines if layer.along == "y" else axes.hlines
    many = len(at) > _MANY
    draw_lines(
        at, layer.low, layer.high, color=SHADES[layer.colour], linewidth=0.6 if many else 1.8, alpha=0.4 if many else 0.7,
        zorder=depth,
    )  # fmt: skip


def _bars(axes: Axes, panel: Panel, layer: Bars, depth: float) -> None:
    axes.barh(_place(panel.y, layer.at), layer.value, height=0.6, color=SHADES[layer.colour], zorder=depth)


def _spans(axes: Axes, panel: Panel, layer: Spans, depth: float) -> None:
    from matplotlib.dates import date2num

    numbers: Callable[[Any], Any] = date2num
    start, end = (numbers(_place(panel.x, list(times))) for times in (layer.start, layer.end))
    axes.barh(
        _place(panel.y, layer.lane), end - start, left=start, height=0.6, color=(SHADES[layer.colour], 0.7),
        edgecolor=SHADES[layer.colour], linewidth=0.7, zorder=depth,
    )  # fmt: skip
    axes.xaxis_date(UTC)


def _edge(axes: Axes, panel: Panel, layer: Edge, depth: float) -> None:
    x = _place(panel.x, layer.x)
    shade = SHADES[layer.colour]
    axes.plot(
        x, [0.02] * len(x), linestyle="none", marker="x", color=shade, markersize=5, markeredgewidth=1.4, zorder=depth,
        transform=axes.get_xaxis_transform(), clip_on=False,
    )  # fmt: skip


def _rule(axes: Axes, panel: Panel, layer: Rule, depth: float) -> None:
    (value,) = _place(panel.x if layer.along == "x" else panel.y, [layer.value])
    shade = SHADES[layer.colour]
    style: dict[str, Any] = {"color": shade, "linewidth": 1.0, "linestyle": ":", "zorder": depth}
    offset: dict[str, Any] = {"textcoords": "offset points", "fontsize": 7, "color": shade, "zorder": depth}
    below = layer.side == "below"
    if layer.along == "y":
        axes.axhline(value, **style)
        place: dict[str, Any] = {"xytext": (0, -9 if below else 3), "ha": "right"}
        axes.annotate(layer.label, (1.0, value), xycoords=axes.get_yaxis_transform(), **place, **offset)
    else:
        axes.axvline(value, **style)
        place = {"xytext": (-3 if below else 3, -8), "ha": "right" if below else "left"}
        axes.annotate(layer.label, (value, 1.0), xycoords=axes.get_xaxis_transform(), **place, **offset)


def _parallel(axes: Axes, panel: Panel, layer: Parallel, depth: float) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("worst-best", [WORST, BEST])
    best = set(layer.best)
    alpha = 0.35 if len(layer.rows) > _MANY else 0.8
    order = sorted(range(len(layer.rows)), key=lambda i: (i in best, -1.0 if (s := layer.shade[i]) is None else s))
    for i in order:
        shade = layer.shade[i]
        colour = SHADES["grey"] if shade is None else SHADES["vermillion"] if i in best else shades(shade)
        y = [math.nan if place is None else place for place in layer.rows[i]]
        style = ":" if shade is None else "-"
        axes.plot(range(len(y)), y, color=colour, linestyle=style, linewidth=1.1, alpha=1.0 if i in best else alpha, zorder=depth)
    for x, scale in enumerate(layer.scales):
        axes.axvline(x, color=SHADES["ink"], linewidth=1.0, zorder=depth + 0.001)
        for y_tick, text in scale.ticks:
            axes.annotate(
                _short(text), (x, y_tick), xytext=(3, 0), textcoords="offset points", fontsize=7, va="center", zorder=depth + 0.002,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6},
            )  # fmt: skip
    width = max(8, 90 // max(1, len(layer.scales)))
    heads = [textwrap.fill(f"{s.label} [{s.unit}]" if s.unit else s.label, width, break_long_words=False) for s in layer.scales]
    axes.set_xticks(range(len(heads)), labels=heads)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_yticks([])
    axes.set_xlim(-0.1, len(heads) - 0.6)
    axes.set_ylim(-0.04, 1.04)
    axes.spines[:].set_visible(False)


_DRAW: dict[str, Callable[[Any, Panel, Any, float], None]] = {
    "points": _points, "line": _line, "band": _band, "interval": _interval, "bars": _bars, "spans": _spans, "edge": _edge,
    "rule": _rule, "parallel": _parallel,
}  # fmt: skip


def _handle(layer: AnyLayer) -> Any:
    """Return what stands for a series in the legend."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    shade = SHADES[layer.colour]
    if isinstance(layer, Points):
        return Line2D([], [], linestyle="none", **_marker(layer, 5.5))
    if isinstance(layer, Edge):
        return Line2D([], [], linestyle="none", marker="x", color=shade, markersize=5, markeredgewidth=1.4)
    if isinstance(layer, Line):
        return Line2D([], [], color=shade, linewidth=1.6, linestyle="--" if layer.dashed else "-")
    if isinstance(layer, Rule):
        return Line2D([], [], color=shade, linewidth=1.0, linestyle=":")
    return Patch(facecolor=shade, alpha=0.5 if isinstance(layer, (Band, Interval)) else 1.0)
