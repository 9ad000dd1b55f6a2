"""What `labwright run` shows while it works: the live picture and the lines."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from controller.cli.lines import LineDisplay
from controller.cli.live import LiveDisplay
from controller.cli.render import duration
from controller.engine.snapshot import Snapshot
from tests.controller.store.samples import make_definition

SNAPSHOT = Snapshot(
    campaign="sample", status="running", reason="begun", counts={"completed": 3, "failed": 1, "running": 1, "cancelled": 2},
    budget=10, spent=5,
    best=[
        {
            "experiment": n, "parameters": {"temperature": 20.0 + n, "base": "KOAc"},
            "objectives": {"yield": 50.0 + n, "cost": 1.0 * n},
        }
        for n in range(1, 21)
    ],
    running=[
        {"experiment": 5, "step": "react", "instrument": "reactor", "status": "running", "since": 1000.0, "expected_s": 300.0,
         "fraction": None},
    ],
    instruments=[
        {"instrument": "reactor", "connected": True, "state": "busy"}, {"instrument": "hplc", "connected": False, "state": "away"},
    ],
    doing="measuring", alarms=["hplc\x1b[2J is late"], simulated=True, started_at=0.0, now=1100.0,
)  # fmt: skip


def draw(snapshot: Snapshot, width: int) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False)
    console.print(LiveDisplay(make_definition(), "/tmp/x.db", console).draw(snapshot))
    return out.getvalue()


def test_live_picture_says_what_matters() -> None:
    shown = draw(SNAPSHOT, 120)
    for expected in (
        "sample", "SIMULATED", "/tmp/x.db", "4/10 experiments", "measuring", "1 failed", "reactor", "3 min 20 s left",
        "00:21:40 UTC", "On the Pareto front: 20", "temperature [degC]", "hplc", "away: hplc", "18 min 20 s of lab time",
    ):  # fmt: skip
        assert expected in shown
    assert "\x1b[2J" not in shown


@pytest.mark.parametrize("width", [50, 80, 200])
def test_live_picture_stays_within_the_terminal(width: int) -> None:
    assert max(len(line) for line in draw(SNAPSHOT, width).splitlines()) <= width


def test_live_picture_keeps_both_ends_of_a_long_front() -> None:
    lines = draw(SNAPSHOT, 120).splitlines()
    assert any(" 51 " in line for line in lines)
    assert any(" 70 " in line for line in lines)
    assert len(lines) < 30


def test_live_picture_of_a_beginning_campaign() -> None:
    empty = replace(SNAPSHOT, counts={}, best=[], running=[], alarms=[], simulated=False, doing="loading the models")
    shown = draw(empty, 80)
    assert "0/10 experiments" in shown
    assert "SIMULATED" not in shown


def test_lines_tell_each_thing_once() -> None:
    out = io.StringIO()
    display = LineDisplay(make_definition(), "/tmp/x.db", out)
    first = replace(SNAPSHOT, counts={"running": 1}, best=[], alarms=[], doing="loading the models")
    for snapshot in (first, first, SNAPSHOT, SNAPSHOT, replace(SNAPSHOT, status="completed", reason="used up")):
        display.update(snapshot)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("sample: 10 experiments, SIMULATED data")
    assert "loading the models" in lines
    assert sum(line.startswith("4/10") for line in lines) == 1
    assert sum(line.startswith("ALARM") for line in lines) == 1
    assert "campaign is completed: used up" in lines
    assert all(a != b for a, b in pairwise(lines))
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (42.4, "42 s"), (185, "3 min 05 s"), (7800, "2 h 10 min"), (3 * 86400 + 4 * 3600, "3 d 4 h")],
)
def test_duration_reads_as_people_say_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_lines_that_cannot_be_written_end_nothing() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        lines = LineDisplay(make_definition(), "/tmp/x.db", full)
        lines.update(SNAPSHOT)
        lines.update(replace(SNAPSHOT, counts={"completed": 4}))
        with pytest.raises(OSError, match="No space"):
            full.flush()  # so it was the display that bore it
        with contextlib.suppress(OSError):
            full.close()
