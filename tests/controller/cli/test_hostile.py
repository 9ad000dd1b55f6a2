"""What people and devices write cannot steer the terminal of who looks, nor become a formula, nor look like a line of ours."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from controller.cli.tables import separated
from controller.cli.watching.lines import watch_lines
from controller.cli.watching.looking import Looker
from controller.store.opening import Store
from tests.controller.cli.conftest import Call
from tests.controller.store.conftest import fill
from tests.controller.store.hostile import EVIL, HostileScript

STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "sample.db"
    with Store.open(str(path)) as opened:
        fill(opened, HostileScript())
    return path


@pytest.mark.parametrize(
    "command",
    [
        "campaign list", "campaign show sample", "campaign show sample --details", "campaign show sample --csv",
        "campaign calibration sample", "campaign plot sample timeline", "experiment list sample", "experiment show sample 1",
        "experiment show sample 2", "experiment show sample 3", "experiment show sample 2 --json", "instrument list",
        "campaign retract sample 1 --reason wrong", "campaign context sample",
    ],
)  # fmt: skip
def test_no_screen_is_steered(call: Call, store: Path, command: str) -> None:
    said = call(*command.split(), "--store", store)
    assert said.code == 0, said.err
    found = STEERING.search(said.out + said.err)
    assert found is None, repr((said.out + said.err)[max(0, found.start() - 60) : found.end() + 20])


def test_programs_get_every_sign_as_it_is(call: Call, store: Path) -> None:
    assert call("experiment", "show", "sample", 2, "--json", "--store", store).json["reason"] == EVIL
    text = call("campaign", "export", "sample", "--format", "csv", "--table", "measurements", "--store", store).out
    assert [row["text"] for row in csv.DictReader(io.StringIO(text, newline="")) if row["name"] == "operator note"] == ["'" + EVIL]


def test_no_table_holds_a_formula(call: Call, store: Path) -> None:
    for command in ("campaign list", "campaign show sample", "experiment list sample", "experiment show sample 2"):
        text = call(*command.split(), "--csv", "--store", store).out
        cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
        assert cells
        assert [c for c in cells if c.startswith(("=", "+", "@", "\t", "\r")) or re.match(r"-[^\d]", c)] == []
    assert separated([{"a": -1.5, "b": "-1+cmd|x", "c": "\uff1d1"}]) == "a,b,c\r\n-1.5,'-1+cmd|x,'\uff1d1\r\n"


def test_what_is_told_cannot_look_like_a_line_of_the_watcher(tmp_path: Path) -> None:
    class EnoughError(Exception):
        pass

    script, lines = HostileScript(), list[str]()

    def meanwhile(_: float) -> None:
        if len(lines) > 2:
            raise EnoughError
        with Store.open(str(tmp_path / "sample.db")) as opened:
            opened.commit_now([script.alarm(EVIL)])

    with Store.open(str(tmp_path / "sample.db")) as opened:
        fill(opened, script)
    with pytest.raises(EnoughError):
        watch_lines(Looker([f"sqlite:///{tmp_path / 'sample.db'}"], "sample"), lines.append, sleep=meanwhile)
    assert any("campaign completed" in line for line in lines)
    assert not any("\n" in line or STEERING.search(line) for line in lines)
