"""Every example is right as it stands, says what it shows, and its data come from what it states."""

from __future__ import annotations

import filecmp
import json
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.files.checking import check_file
from controller.files.loading import load_campaign

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FOLDERS = sorted(p.parent for p in EXAMPLES.glob("*/campaign.yaml"))


def by_name(path: Path) -> str:
    """Name a case by its folder."""
    return path.name


def needs(folder: Path) -> None:
    """Skip what an extra is needed for."""
    if any("smiles" in table.read_text(encoding="utf-8").splitlines()[0] for table in folder.glob("*.csv")):
        pytest.importorskip("rdkit", reason="structures need the extra chem")


@pytest.mark.parametrize("folder", FOLDERS, ids=by_name)
def test_example_has_no_fault_and_leaves_nothing_behind(folder: Path) -> None:
    needs(folder)
    before = sorted(folder.rglob("*"))
    for path in folder.glob("*.yaml"):
        assert check_file(path) == []
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("folder", FOLDERS, ids=by_name)
def test_example_head_says_how_to_run_it_and_how_to_use_own_data(folder: Path) -> None:
    text = (folder / "campaign.yaml").read_text(encoding="utf-8")
    head = text[: text.index("\ncampaign:")]
    assert f"labwright run examples/{folder.name}/campaign.yaml" in head
    assert "CSV file" in head
    assert "Shows:" in head
    assert f"`{folder.name}`" in (EXAMPLES / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", FOLDERS, ids=by_name)
def test_example_can_be_simulated_in_full(folder: Path) -> None:
    needs(folder)
    definition = load_campaign(folder / "campaign.yaml", simulate=True, speed=100)
    assert definition.simulated
    assert definition.lab.speed == 100


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*/make_data.py")), ids=lambda p: p.parent.name)
def test_script_writes_the_table_that_lies_beside_it(script: Path, tmp_path: Path) -> None:
    main: Callable[[Path], None] = runpy.run_path(str(script))["main"]
    main(tmp_path / "table.csv")
    tables = [t for t in script.parent.glob("*.csv") if filecmp.cmp(t, tmp_path / "table.csv", shallow=False)]
    assert len(tables) == 1


@pytest.mark.parametrize(("name", "objective"), [("reaction_pool", "yield"), ("mixture", "strength")])
def test_made_up_table_is_worth_searching(name: str, objective: str) -> None:
    import csv

    (table,) = [
        t for t in (EXAMPLES / name).glob("*.csv") if objective in t.read_text(encoding="utf-8").splitlines()[0]
    ]
    with table.open(encoding="utf-8", newline="") as stream:
        values = sorted(float(row[objective]) for row in csv.DictReader(stream))
    share_near_best = sum(value > 0.95 * values[-1] for value in values) / len(values)
    assert share_near_best < 0.05
    assert values[len(values) // 2] < 0.75 * values[-1]


def test_own_instrument_function_and_program_do_what_their_driver_expects() -> None:
    folder = EXAMPLES / "own_instrument"
    content: dict[str, Any] = runpy.run_path(str(folder / "bench.py"))
    dark, lit = content["expose"](0.0, 10.0), content["expose"](60.0, 10.0)
    assert dark["absorbance"][0] == pytest.approx(1.2, abs=0.05)
    assert lit["absorbance"][0] == pytest.approx(1.2 * 0.0907, abs=0.05)  # exp(-0.004 * 60 * 10) = 0.0907
    assert lit["energy"] == pytest.approx(36.0)
    done = subprocess.run(
        [sys.executable, "report.py", "0.3"], cwd=folder, capture_output=True, text=True, timeout=30, check=True
    )
    assert json.loads(done.stdout) == {"conversion": pytest.approx(75.0)}
