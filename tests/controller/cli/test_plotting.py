"""`labwright campaign plot` and `compare`: on the screen, into files, and what cannot be drawn in one line."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from controller.store.opening import Store
from tests.controller.cli.conftest import Call
from tests.controller.figures.stores import TWO, tell_everything


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plots") / "plots.db"
    with Store.open(f"sqlite:///{path}") as opened:
        tell_everything(opened)
        tell_everything(opened, "again")
        tell_everything(opened, "two", TWO)
    return path


def test_plot_draws_progress_on_the_screen_and_says_what_else_there_is(call: Call, store: Path) -> None:
    said = call("campaign", "plot", "everything", "--store", store, "--width", 80)
    assert said.code == 0
    assert said.out.startswith("Progress of everything\nSIMULATED DATA")
    assert "⠤⠤ best so far" in said.out
    assert "\x1b" not in said.out  # it goes into a pipe
    assert "--output everything.html" in said.out
    assert max(map(len, said.out.splitlines()[:-1])) <= 80


def test_plot_into_files(call: Call, store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    said = call("campaign", "plot", "two", "progress", "timeline", "--store", store, "-o", f"{folder}/")
    assert said.code == 0, said.err
    assert sorted(p.name for p in folder.iterdir()) == ["two-progress.png", "two-timeline.png"]
    page = tmp_path / "two.html"
    kinds = ("progress", "front", "parallel", "calibration", "timeline")
    said = call("campaign", "plot", "two", *kinds, "--store", store, "-o", page)
    assert f"written to {page}" in said.err.replace("\n", "")
    html = page.read_text()
    assert all(f'"kind": "{kind}"' in html for kind in kinds)
    assert not re.search(r"""(src|href)=["']https?:""", html)  # it works without a network


def test_json_is_the_description_and_csv_its_table(call: Call, store: Path) -> None:
    told = call("campaign", "plot", "everything", "progress", "--store", store, "--json").json
    assert told["figures"][0]["kind"] == "progress"
    rows = list(csv.DictReader(io.StringIO(call("campaign", "plot", "everything", "progress", "--store", store, "--csv").out)))
    assert [(row["experiment"], row["what it is"], row["yield [%]"]) for row in rows[:3]] == [
        ("1", "space-filling", "20.0"), ("2", "space-filling", "35.0"), ("3", "failed, abandoned or unknown", "")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["plot", "everything", "pie"], "there is no figure 'pie'; there is progress, front,"),
        (["plot", "everything", "front"], "front: everything has one objective; a front needs two"),
        (["plot", "everything", "-o", "a.pdf"], "a.pdf: a figure is written as .png, .svg, .html"),
        (["plot", "everything", "-o", "nowhere/a.html", "progress"], "nowhere/a.html cannot be written: No such file or directory"),
        (["plot", "everything", "progress", "-p", "flow"], "a parameter, or an experiment to go through, belongs to slices alone"),
        (["compare", "everything"], "compare: name at least two campaigns"),
        (["compare", "everything", "two"], "only campaigns that want the same can be compared"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_one_line(call: Call, store: Path, words: list[str], line: str) -> None:
    said = call("campaign", *words, "--store", store)
    assert said.code == 2
    assert line in said.err
    assert len(said.err.splitlines()) == 1


def test_compare_puts_campaigns_beside_each_other(call: Call, store: Path, tmp_path: Path) -> None:
    said = call("campaign", "compare", "everything", "again", "--store", store)
    assert said.code == 0
    assert "By best yield [%]" in said.out
    assert "nine tenths of the way were made from 27.5 (the median of the space-filling results)" in said.out
    assert "Comparison of everything, again" in said.out
    told = call("campaign", "compare", "everything", "again", "--store", store, "--json").json
    assert [(c["campaign"], c["results"], c["reached"]) for c in told["campaigns"]] == [("everything", 7, 61.5), ("again", 7, 61.5)]
    rows = list(csv.DictReader(io.StringIO(call("campaign", "compare", "everything", "again", "--store", store, "--csv").out)))
    assert [row["campaign"] for row in rows] == ["everything", "again"]
    assert call("campaign", "compare", "everything", "again", "--store", store, "-o", tmp_path / "c.svg").code == 0
    assert (tmp_path / "c.svg").stat().st_size > 1000
