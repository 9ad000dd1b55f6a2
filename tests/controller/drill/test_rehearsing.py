"""Rehearsals are the same every time, find what was planted, and find nothing where nothing is wrong."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
import typer

from controller.cli.demo.command import CAMPAIGN
from controller.cli.drill import drill
from controller.domain.campaign import Definition
from controller.drill import rehearsing
from controller.drill.plan import POINTS, draw
from controller.drill.rehearsing import prepared, rehearse, rehearse_many
from controller.errors import ConflictError
from controller.files.loading import load_campaign
from tests.controller.drill.mutations import MUTATIONS
from tests.integration.support import write_campaign

SEEDS = 200
"""A planted bug must be found within so many."""


@pytest.fixture(scope="module")
def definition() -> Definition:
    return prepared(load_campaign(CAMPAIGN))


def test_many_misfortunes_break_nothing(definition: Definition) -> None:
    found = list(rehearse_many(definition, range(24), 2))
    assert [r.seed for r in found] == list(range(24))
    assert [(r.seed, r.broken) for r in found if r.broken] == []
    assert sum(r.counts["completed"] for r in found) > 24 * 2
    assert all(sum(r.counts.values()) <= definition.budget.experiments for r in found if r.counts["cancelled"] == 0)


def test_same_seed_is_the_same_rehearsal_in_every_process(definition: Definition) -> None:
    here = list(rehearse_many(definition, range(3, 6), 1, trace=True))
    there = list(rehearse_many(definition, range(3, 6), 2, trace=True))
    assert [r.trace for r in here] == [r.trace for r in there]
    assert len({tuple(r.trace) for r in here}) == 3


def test_rehearsals_leave_no_file_open(definition: Definition) -> None:
    rehearse(definition, 0)
    before = _open_files()
    for seed in range(1, 6):
        rehearse(definition, seed)
    assert _open_files() - before == set()


def _open_files() -> set[str]:
    found = set()
    for handle in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(f"{handle.name}: {handle.readlink()}")
    return {name for name in found if "rehearsal" in name}


@pytest.mark.parametrize("name", list(MUTATIONS))
def test_planted_bug_is_found(definition: Definition, name: str) -> None:
    with MUTATIONS[name]():
        for seed in range(SEEDS):
            if rehearse(definition, seed).broken:
                return
    pytest.fail(f"{name}: {SEEDS} rehearsals did not find it")


def test_every_point_of_the_walk_is_passed_and_can_be_the_last(definition: Definition) -> None:
    plans = [draw(seed, list(definition.lab.instruments)) for seed in range(2000)]
    deaths = {(d.point, d.before) for plan in plans for d in plan.deaths if d.point != "time"}
    assert deaths == {(point, before) for point in POINTS for before in (True, False)}
    killed = [line for seed in range(40) for line in rehearse(definition, seed, trace=True).trace if "kill -9" in line]
    assert any("controller" in line for line in killed)
    assert any("reactor" in line for line in killed)


def test_real_instruments_are_never_rehearsed_on(tmp_path: Path) -> None:
    definition = load_campaign(write_campaign(tmp_path))
    real = definition.model_copy(update={"lab": definition.lab.model_copy(update={"simulated": False, "speed": 1.0})})
    with pytest.raises(ConflictError, match="--simulate"):
        prepared(real)


def test_command_rehearses_a_campaign_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "controller", "drill", str(write_campaign(tmp_path)), "--seeds", "3", "--jobs", "1"]
    told = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout)
    assert (told["rehearsals"], told["broken"]) == (3, [])
    assert told["actions"] > 0
    shown = subprocess.run([*command, "--seed", "7"], capture_output=True, text=True, check=True).stdout
    assert "committed campaign.created" in shown
    assert shown.rstrip().endswith("Seeds with a broken invariant: none.")
    one = json.loads(subprocess.run([*command, "--seed", "7", "--json"], capture_output=True, text=True, check=True).stdout)
    assert one["trace"] == shown.splitlines()[:-1]


def test_hint_that_shows_a_broken_rehearsal_again_says_all_that_it_takes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = write_campaign(tmp_path)
    (tmp_path / "my lab").mkdir()
    (moved := tmp_path / "my lab" / "campaign.yaml").write_text(file.read_text().replace("table.csv", "../table.csv"))
    with MUTATIONS["acknowledge before commit"](), mock.patch.object(rehearsing, "rehearse_many", _in_this_process):
        with pytest.raises(typer.Exit):
            drill(moved, seeds=30, first=0, experiments=3, jobs=1)
        (hint,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("What happened, line by line: ")]
        _, _, path, _, seed, *more = shlex.split(hint.partition(": ")[2])
        assert (Path(path), more) == (moved, ["--experiments", "3"])
        assert rehearse(prepared(load_campaign(moved, simulate=True), 3), int(seed)).broken


def _in_this_process(definition: Definition, seeds: range, jobs: int, *, trace: bool = False) -> Iterator[rehearsing.Rehearsal]:
    del jobs
    yield from (rehearse(definition, seed, trace=trace) for seed in seeds)
