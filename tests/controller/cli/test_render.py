"""Rows as tables and as JSON."""

from __future__ import annotations

import io
import json
import time

import pytest
from rich.console import Console

from controller.cli import render
from controller.cli.render import Column, clean, complain, followed, print_facts, print_rows, text_of, waiting
from controller.errors import FileFaultsError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (True, "yes"), (1.23456789, "1.23457"), (12, "12"), ({"a": 1.5, "b": "x"}, "a 1.5, b x"), (["a", 2.0], "a, 2"),
        ("2026-11-21T03:59:47.453Z", "2026-11-21 03:59:47Z"), ("plain", "plain"), ("a\x1b[31mred", "a\ufffd[31mred"),
    ],
)  # fmt: skip
def test_text_of_is_what_people_read(value: object, text: str) -> None:
    assert text_of(value) == text


def test_clean_keeps_lines_and_letters() -> None:
    assert clean("µL\nβ\t\x07") == "µL\nβ\t\ufffd"


def test_print_rows_keeps_units_in_headings_and_drops_empty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"a": 1.0, "b": None, "c": "[red]x"}]
    print_rows(rows, [Column("a", "a [degC]"), Column("b", "never"), Column("c")], as_json=False, title="T [unit]")
    shown = capsys.readouterr().out
    assert "a [degC]" in shown
    assert "[red]x" in shown
    assert "T [unit]" in shown
    assert "never" not in shown


def test_print_rows_as_json_gives_whole_rows(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"a": 1, "hidden": "µ"}], [Column("a")], as_json=True)
    assert json.loads(capsys.readouterr().out) == [{"a": 1, "hidden": "µ"}]


def test_print_rows_without_rows_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([], [Column("a")], as_json=False, empty="none yet")
    assert capsys.readouterr().out == "none yet\n"


def test_print_facts_leaves_out_what_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts({"kept": 0, "left": None, "out": ""}, title="X [1]")
    shown = capsys.readouterr().out
    assert "kept" in shown
    assert "left" not in shown
    assert "X [1]" in shown


def test_complain_gives_a_line_per_fault(capsys: pytest.CaptureFixture[str]) -> None:
    complain(FileFaultsError(["one", "two"]), 2, as_json=False)
    assert capsys.readouterr().err == "labwright: one\nlabwright: two\n"
    complain(FileFaultsError(["one", "two"]), 2, as_json=True)
    assert json.loads(capsys.readouterr().err)["faults"] == ["one", "two"]


def test_what_takes_long_shows_that_it_goes_on_where_somebody_looks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(render, "console", lambda *, error=False: Console(file=out, force_terminal=True, width=80))
    monkeypatch.setattr(render, "_PATIENCE_S", 0.05)
    end = time.monotonic() + 20.0
    with waiting("folding the log", quiet=False):
        while "folding the log" not in out.getvalue():
            assert time.monotonic() < end, "nothing was shown"
            time.sleep(0.02)
    quick = io.StringIO()
    monkeypatch.setattr(render, "console", lambda *, error=False: Console(file=quick, force_terminal=True, width=80))
    monkeypatch.setattr(render, "_PATIENCE_S", 60.0)
    with waiting("folding the log", quiet=False):
        pass
    assert list(followed([1, 2, 3], 3, "deriving", quiet=False)) == [1, 2, 3]
    with waiting("folding the log", quiet=True):
        pass
    assert "folding" not in quick.getvalue()
    assert "deriving" not in quick.getvalue()


def test_nothing_is_shown_into_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(render, "_PATIENCE_S", 0.0)
    with waiting("folding the log", quiet=False):
        time.sleep(0.1)
    assert list(followed([1, 2], 2, "deriving", quiet=False)) == [1, 2]
    assert capsys.readouterr() == ("", "")


def test_a_long_table_holds_the_same_without_frames(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"number": n, "note": f"two\nlines\x1b {n}", "never": None} for n in range(400)]
    print_rows(rows, [Column("number", "experiment"), Column("note"), Column("never")], as_json=False, title="Experiments")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["Experiments", "", "experiment  note"]
    assert lines[3] == "         0  two lines\ufffd 0"
    assert len(lines) == 403
