"""`--csv`: the same as `--json`, as a table."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from controller.cli.app import NOUNS, Labwright
from controller.cli.tables import TABLES, separated
from tests.controller.cli.conftest import Call


def parsed(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_rows_are_those_of_the_json_with_a_column_for_each_value(call: Call, store_file: Path) -> None:
    listing = ("experiment", "list", "sample", "--store", store_file)
    rows, objects = parsed(call(*listing, "--csv").out), call(*listing, "--json").json
    assert [row["number"] for row in rows] == [str(o["number"]) for o in objects]
    assert rows[0]["objectives.yield"] == "61.25"
    assert rows[0]["parameters.base"] == objects[0]["parameters"]["base"]
    assert rows[0]["retracted_at"] == ""
    assert rows[0]["simulated"] == "true"


def test_lines_end_as_rfc_4180_says_and_what_needs_quotes_has_them() -> None:
    text = separated([{"a": 'said "no", twice\nor more', "b": 1.5, "c": [1, 2]}, {"a": "x", "d": None}])
    assert text == 'a,b,c,d\r\n"said ""no"", twice\nor more",1.5,"[1, 2]",\r\nx,,,\r\n'
    assert separated([]) == ""
    assert separated({"a": {"b": [1, {"c": True}]}, "d": {}}) == "name,value\r\na.b.1,1\r\na.b.2.c,true\r\nd,\r\n"


def test_messages_of_instruments_cannot_steer_the_terminal(call: Call, store_file: Path) -> None:
    assert "\x1b" not in separated([{"a": "\x1b[2J"}])
    assert "\0" not in call("experiment", "show", "sample", 2, "--store", store_file, "--csv").out


def test_one_thing_is_names_and_values(call: Call, store_file: Path) -> None:
    rows = {r["name"]: r["value"] for r in parsed(call("campaign", "show", "sample", "--store", store_file, "--csv").out)}
    assert (rows["status"], rows["counts.unknown"], rows["best.1.objectives.yield"]) == ("running", "1", "61.25")
    assert not [name for name in rows if name.startswith("definition.")]


def test_errors_stay_lines_and_the_next_command_is_not_touched(call: Call, store_file: Path) -> None:
    said = call("campaign", "show", "smaple", "--store", store_file, "--csv")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("labwright: no campaign")
    assert call("campaign", "list", "--store", store_file, "--json").json[0]["campaign"] == "sample"


@pytest.mark.parametrize("noun", sorted(NOUNS))
def test_every_list_has_it(noun: str) -> None:
    found = Labwright(name="labwright").commands[noun]
    for name in found.list_commands(None):
        options = {opt for p in found.get_command(None, name).params for opt in p.opts}
        assert ("--csv" in options) == (f"{noun} {name}" in TABLES and "--json" in options)
        if name == "list":
            assert "--csv" in options, f"{noun} {name}"
