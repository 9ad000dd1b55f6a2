"""Intervals of a model that knows nothing yet do not squeeze what was measured into a line."""

from __future__ import annotations

from pathlib import Path

from controller.figures.figure import Interval
from controller.figures.reach import NOTE, cut, reach
from controller.store.opening import Store
from controller.verbs.plotting import figure
from controller.verbs.stores import find
from tests.controller.figures.stores import POINT, Teller, definition


def test_what_fits_is_left_as_it_is() -> None:
    assert reach([1.0, 2.0, 3.0], [-0.9, 4.9]) is None
    assert reach([1.0, 2.0, 3.0], [-1.1, 4.9]) == (-1.0, 5.0)
    assert reach([1.0, 2.0], [-99.0, 99.0]) is None
    assert reach([2.0, 2.0, 2.0], [-99.0, 99.0]) is None
    assert cut([-9.0, 2.0, 9.0], (-1.0, 5.0)) == (-1.0, 2.0, 5.0)


def test_far_intervals_are_cut_and_it_is_said(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'far.db'}"
    with Store.open(url) as store:
        teller = Teller(store, definition("far"))
        for i in range(5):
            point = {**POINT, "temperature": 30.0 + i}
            teller.complete(teller.propose(point, expected={"yield": (50.0, 1e6 if i == 0 else 2.0)}), {"yield": 48.0 + i})
    with find([url], "far") as found:
        for kind in ("progress", "calibration"):
            told = figure(found, kind)
            ends = [v for p in told.panels for one in p.layers if isinstance(one, Interval) for v in (*one.low, *one.high)]
            assert (min(ends), max(ends)) == (44.0, 56.0)
            assert NOTE in told.notes
            assert any(isinstance(c, float) and c > 1e6 for row in told.table.rows for c in row)
