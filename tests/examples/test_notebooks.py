"""The notebooks run from top to bottom, and what they show when one opens them is small and names no machine."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

from controller.settings import HOME_VARIABLE
from examples.notebooks.execute import NOTEBOOKS, execute

ROOT = Path(__file__).resolve().parents[2]


def shown(cell: object) -> str:
    return "".join(str(output) for output in getattr(cell, "outputs", ()))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_from_top_to_bottom(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    for name in ("LABWRIGHT_STORE", "LABWRIGHT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    notebook = execute(path)
    assert "SIMULATED" in "".join(map(shown, notebook.cells))
    assert any("<figure" in shown(cell) for cell in notebook.cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_kept_outputs_are_there_small_and_name_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text) < 200_000
    assert not [place for place in ("/tmp/", "/home/", str(Path.home()), os.uname().nodename) if len(place) > 4 and place in text]
    cells = [cell for cell in nbformat.reads(text, as_version=4).cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells), "run: python examples/notebooks/execute.py"
    assert sum(bool(cell.outputs) for cell in cells) > len(cells) / 2


def test_there_are_notebooks() -> None:
    assert {path.stem for path in NOTEBOOKS} == {"look_at_a_campaign", "ask_and_tell", "steer_a_daemon"}
