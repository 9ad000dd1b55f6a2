"""Figures drawn with characters: they fit the width, show what there is, and steer no terminal."""

from __future__ import annotations

import pytest

from controller.figures.canvas import Canvas
from controller.figures.draw_terminal import text
from controller.figures.figure import Axis, Figure, Panel, Points, Table
from controller.figures.ticks import linear_ticks, log_ticks, time_ticks
from controller.verbs.plotting import figure
from controller.verbs.stores import Found


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("kind", ["progress", "front", "parallel", "calibration", "timeline"])
def test_every_kind_fits_the_width(two: Found, kind: str, width: int) -> None:
    told = figure(two, kind)
    drawn = text(told, width)
    lines = drawn.splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0] == told.title
    assert "SIMULATED DATA" in lines[1]
    assert " ".join(told.summary.split()[:3]) in drawn.replace("\n", " ")
    assert "\x1b" not in drawn


def test_progress_shows_each_experiment_by_its_symbol(one: Found) -> None:
    drawn = text(figure(one, "progress"), 80)
    body = drawn.split("\n\n")[1]
    for symbol, count in (("■", 2), ("▲", 1), ("●", 1), ("★", 1), ("◆", 1), ("×", 2), ("○", 2)):
        assert body.count(symbol) == count, symbol
    assert "■ space-filling" in drawn
    assert "yield (maximize) ↑ yield [%]" in drawn
    assert drawn.count("┤") >= 4


def test_panels_stand_beside_each_other_where_there_is_room(two: Found) -> None:
    told = figure(two, "progress")
    assert any("yield (maximize)" in line and "cost (minimize)" in line for line in text(told, 120).splitlines())
    assert not any("yield (maximize)" in line and "cost (minimize)" in line for line in text(told, 80).splitlines())


def test_colour_takes_no_room(two: Found) -> None:
    import re

    told = figure(two, "progress")
    assert re.sub(r"\x1b\[\d*m", "", text(told, 120, colour=True)) == text(told, 120)


def test_narrow_screen_gets_the_table(one: Found) -> None:
    drawn = text(figure(one, "progress"), 36)
    assert max(map(len, drawn.splitlines())) <= 36
    assert "┤" not in drawn
    assert "space-filling" in drawn


def test_nothing_of_a_file_steers_the_terminal() -> None:
    axis = Axis(label="a\x1b[2J", scale="band", categories=("\x1b]0;x\x07", "b"))
    points = Points(series="s\x1b[31m", x=("b",), y=(1.0,), labels=("\x07",))
    told = Figure(
        kind="x", title="t\x1b[2J", summary="s\x9b", panels=(Panel(x=axis, y=Axis(label="y"), layers=(points,)),),
        table=Table(columns=("a",), rows=(("\x1b[2J",),)),
    )  # fmt: skip
    for drawn in (text(told, 80), text(told, 30)):
        assert all(c.isprintable() or c == "\n" for c in drawn)


def test_ticks_are_round() -> None:
    assert [t for _, t in linear_ticks(0.13, 0.87, 4)] == ["0.2", "0.4", "0.6", "0.8"]
    assert [v for v, _ in log_ticks(1.5, 300.0, 8)] == [2, 5, 10, 20, 50, 100, 200]
    assert [t for _, t in time_ticks(1_780_000_000.0, 1_780_007_200.0, 4)] == ["20:30", "21:00", "21:30", "22:00"]
    assert linear_ticks(3.0, 3.0, 4) == [(3.0, "3")]


def test_strokes_leave_symbols_alone() -> None:
    canvas = Canvas(5, 1)
    canvas.put(2, 0, "●", "blue")
    canvas.stroke(0.0, 0.5, 4.9, 0.5, "green")
    (line,) = canvas.lines(colour=False)
    assert line[2] == "●"
    assert line[0] == line[4] == "⠤"
