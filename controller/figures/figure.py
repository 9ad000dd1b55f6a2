"""What a figure is: titles, panels with axes and layers of marks, and the same data as a table. Plain data, the same as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from controller.domain.base import Model

Cell = int | float | str | None
"""A coordinate, or an entry of a table: times are numbers [s since 1970-01-01 UTC]."""

Colour = Literal["ink", "grey", "blue", "orange", "green", "vermillion", "purple", "sky", "yellow"]
"""By name; renderers know the shade. M. Okabe and K. Ito, Color Universal Design (2008): told apart by everybody."""

Symbol = Literal["circle", "ring", "square", "triangle", "diamond", "star", "cross", "plus"]


class Axis(Model):
    """One axis of a panel."""

    label: str
    unit: str | None = None
    scale: Literal["linear", "log", "time", "band"] = "linear"
    """`time`: [s since 1970-01-01 UTC]; `band`: one place for each of `categories`."""
    categories: tuple[str, ...] = ()
    domain: tuple[float, float] | None = None
    """From where to where; where nothing is said, what the layers need."""

    @property
    def text(self) -> str:
        """The label with its unit."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label


class Layer(Model):
    """What all layers say: which series they show, and how it looks."""

    series: str
    """Its entry in the legend; layers of one series share it. Empty: none."""
    colour: Colour = "blue"


class Points(Layer):
    """A symbol at each place."""

    mark: Literal["points"] = "points"
    x: tuple[Cell, ...]
    y: tuple[Cell, ...]
    symbol: Symbol = "circle"
    tips: tuple[str, ...] = ()
    """What is told of each when it is pointed at."""
    labels: tuple[str, ...] = ()
    """What is written beside each; empty texts are left out."""


class Line(Layer):
    """Places joined in the order given; at a None the line is interrupted."""

    mark: Literal["line"] = "line"
    x: tuple[Cell, ...]
    y: tuple[float | None, ...]
    step: Literal["none", "after", "before"] = "none"
    """`after`: the value holds until the next place; `before`: since the one before."""
    dashed: bool = False
    tips: tuple[str, ...] = ()


class Band(Layer):
    """An area between two lines."""

    mark: Literal["band"] = "band"
    x: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


class Interval(Layer):
    """A line from `low` to `high` at each place."""

    mark: Literal["interval"] = "interval"
    at: tuple[Cell, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    along: Literal["x", "y"] = "y"
    """The axis that `low` and `high` are on."""
    tips: tuple[str, ...] = ()


class Bars(Layer):
    """Bars from zero to the right, one for each category of the axis y."""

    mark: Literal["bars"] = "bars"
    at: tuple[str, ...]
    value: tuple[float, ...]
    tips: tuple[str, ...] = ()


class Spans(Layer):
    """Stretches of time, each in a lane: a category of the axis y."""

    mark: Literal["spans"] = "spans"
    lane: tuple[str, ...]
    start: tuple[float, ...]
    end: tuple[float, ...]
    tips: tuple[str, ...] = ()


class Edge(Layer):
    """Marks at the lower edge of the panel: of what has a place on the axis x and no value."""

    mark: Literal["edge"] = "edge"
    x: tuple[float, ...]
    tips: tuple[str, ...] = ()


class Rule(Layer):
    """A straight line through the panel at one value of an axis."""

    mark: Literal["rule"] = "rule"
    along: Literal["x", "y"] = "y"
    """The axis that `value` is on."""
    value: float
    label: str = ""
    side: Literal["above", "below"] = "above"
    """Where the label stands: above the line or below it; of one across the axis x, right of it or left."""


class Scale(Model):
    """One of the parallel axes."""

    label: str
    unit: str | None = None
    ticks: tuple[tuple[float, str], ...] = ()
    """Place between 0 (bottom) and 1 (top), and what is written there."""


class Parallel(Layer):
    """Parallel coordinates: a line for each experiment across several scales."""

    mark: Literal["parallel"] = "parallel"
    scales: tuple[Scale, ...]
    rows: tuple[tuple[float | None, ...], ...]
    """Of each line its place on each scale, 0 to 1; None where it has none."""
    shade: tuple[float | None, ...]
    """How good each is: 0 the worst, 1 the best; None where nothing was measured that counts."""
    best: tuple[int, ...] = ()
    """Positions of the lines that are the best."""
    tips: tuple[str, ...] = ()


AnyLayer = Annotated[
    Points | Line | Band | Interval | Bars | Spans | Edge | Rule | Parallel, Field(discriminator="mark")
]


class Panel(Model):
    """One coordinate system."""

    title: str = ""
    x: Axis
    y: Axis
    layers: tuple[AnyLayer, ...]
    """Drawn in this order."""


class Table(Model):
    """The data of a figure: for screen readers, CSV and terminals that draw nothing."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()


class Figure(Model):
    """A picture of a campaign, described so that anything can draw it."""

    kind: str
    title: str
    subtitle: str = ""
    simulated: bool = False
    """Whether no real instrument gave the data; every picture says so."""
    summary: str
    """What is to be seen, in a sentence or two: for those who do not see it."""
    panels: tuple[Panel, ...]
    notes: tuple[str, ...] = ()
    """What must be known beside it: what was left out, or drawn as one."""
    table: Table = Table()

    def save(self, path: str | Path) -> Path:
        """Draw it into a file, whose name ends with .png, .svg or .html.

        Raises:
            UnknownNameError: If it ends otherwise, or cannot be written.
            MissingExtraError: If matplotlib is not installed (PNG and SVG).
        """
        from controller.figures.saving import save

        return save([self], Path(path))

    def text(self, width: int = 100, height: int | None = None, *, colour: bool = False) -> str:
        """Return it drawn with characters.

        Args:
            width: Columns.
            height: Lines of each panel; None chooses.
            colour: Whether with escape sequences of terminals.
        """
        from controller.figures.draw_terminal import text

        return text(self, width, height, colour=colour)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the picture, and the data below it."""
        from controller.figures.draw_html import fragment

        return fragment(self)

    def _repr_png_(self) -> bytes | None:
        """Return the picture for what shows no HTML; None without matplotlib."""
        from controller.errors import MissingExtraError
        from controller.figures.draw_matplotlib import draw

        try:
            return draw([self], "png")
        except MissingExtraError:
            return None


def series_of(panels: Sequence[Panel]) -> dict[str, AnyLayer]:
    """Return the entries of the legend in their order, each with the layer that shows how it looks.

    What shows a series by a symbol tells more than a line, and a line more than an area.
    """
    rank = {"points": 0, "line": 1, "bars": 1, "spans": 1, "edge": 1, "rule": 2, "interval": 2, "band": 3, "parallel": 4}
    found: dict[str, AnyLayer] = {}
    for layer in (layer for panel in panels for layer in panel.layers if layer.series and layer.mark != "parallel"):
        if layer.series not in found or rank[layer.mark] < rank[found[layer.series].mark]:
            found[layer.series] = layer
    return found
