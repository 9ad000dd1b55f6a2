"""Rows as tables and as JSON."""

from __future__ import annotations

import json

import pytest

from controller.cli.render import Column, clean, complain, print_facts, print_rows, text_of
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
