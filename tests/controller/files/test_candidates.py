"""Candidate files: what CSV and Parquet say is read alike, and each fault names its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from controller.domain.parameter import Parameter
from controller.domain.pool import Column
from controller.domain.space import Pool, Problem
from controller.files import candidates
from controller.files.candidates import read_candidates
from controller.files.faults import Faults
from controller.files.pools import distinct
from controller.files.reading import Document

PARAMETERS: dict[str, Parameter] = TypeAdapter(dict[str, Parameter]).validate_python(
    {
        "solvent": {"type": "categorical", "choices": ["DMF", "THF"]},
        "temperature": {"type": "discrete", "values": [60, 80]},
        "runs": {"type": "integer", "bounds": [1, 9]},
        "flow": {"type": "continuous", "bounds": [0, 1]},
    }
)
ROWS = [("DMF", 60.0, 3, 0.25), ("THF", 80.0, 9, 1.0), ("DMF", 80.0, 1, 1e-3)]


def _read(path: Path, faults: Faults) -> Pool | None:
    return read_candidates(Document(path.parent / "campaign.yaml", {"candidates": path.name}, {}), PARAMETERS, path.name, faults)


def _parquet(path: Path, columns: dict[str, Any]) -> Path:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.table(columns), path, row_group_size=2)
    return path


def _columns() -> dict[str, Any]:
    return {"note": ["a", "b", "c"], **{name: [row[j] for row in ROWS] for j, name in enumerate(PARAMETERS)}}


def test_both_kinds_of_file_give_the_same_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "_BATCH", 2)
    text = "note,solvent,temperature,runs,flow\n" + "".join(f"a, {s} ,{t:g},{n},{f}\n" for s, t, n, f in ROWS)
    (tmp_path / "pool.csv").write_text(text, encoding="utf-8")
    faults = Faults()
    pools = [_read(tmp_path / "pool.csv", faults), _read(_parquet(tmp_path / "pool.parquet", _columns()), faults)]
    assert faults.lines() == []
    for pool in pools:
        assert pool is not None
        assert [tuple(pool.row(i).values()) for i in range(3)] == ROWS
        assert [type(v) for v in pool.row(0).values()] == [str, float, int, float]
    assert pools[0] == pools[1]


def test_categories_may_be_a_dictionary_and_numbers_whole(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    solvents, temperatures = pa.array(["THF", "DMF", "THF"]).dictionary_encode(), pa.array([60, 80, 60], pa.int16())
    columns = _columns() | {"solvent": solvents, "temperature": temperatures}
    pool = _read(_parquet(tmp_path / "pool.parquet", columns), faults := Faults())
    assert faults.lines() == []
    assert pool is not None
    assert list(pool.columns["solvent"]) == ["THF", "DMF", "THF"]


PARQUET_FAULTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "beyond": ({"temperature": [60.0, 70.0, 71.0]}, ["temperature: 70.0: is beyond the values 60, 80", "in row 2, also in row 3"]),
    "not_whole": ({"runs": [1.0, 2.0, 2.5]}, ["runs: 2.5: is beyond the whole numbers from 1 to 9", "in row 3"]),
    "choice": ({"solvent": ["DMF", "DMSO", "THF"]}, ['solvent: "DMSO": is beyond the choices DMF, THF', "in row 2"]),
    "empty": ({"flow": [0.5, None, 0.1]}, ["flow", "is empty", "in row 2"]),
    "empty_choice": ({"solvent": ["DMF", "THF", None]}, ["solvent", "is empty", "in row 3"]),
    "not_a_number": ({"flow": [0.5, 0.1, float("nan")]}, ['flow: "nan"', "must be a number", "in row 3"]),
    "type": ({"flow": ["a", "b", "c"]}, ["flow: holds values of type", "it must hold numbers"]),
    "type_of_choice": ({"solvent": [0.5, 1.5, 2.5]}, ["solvent: holds values of type double", "it must hold texts"]),
}


@pytest.mark.parametrize(("changed", "words"), PARQUET_FAULTS.values(), ids=PARQUET_FAULTS.keys())
def test_a_fault_of_a_parquet_file_names_row_and_column(changed: dict[str, Any], words: list[str], tmp_path: Path) -> None:
    path = _parquet(tmp_path / "pool.parquet", _columns() | changed)
    faults = Faults()
    assert _read(path, faults) is None
    (fault,) = faults.lines()
    assert fault.startswith(f"{path}: ")
    assert all(word in fault for word in words), fault


def test_files_that_are_no_list_of_candidates_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    _read(tmp_path / "torn.parquet", faults := Faults())
    assert "candidates" in faults.lines()[0]
    assert "is no Parquet file that can be read" in faults.lines()[0]
    columns = _columns()
    del columns["flow"]
    _read(_parquet(tmp_path / "less.parquet", columns), faults := Faults())
    assert "has no column 'flow' for the parameter" in faults.lines()[0]
    _read(_parquet(tmp_path / "none.parquet", {name: values[:0] for name, values in _columns().items()}), faults := Faults())
    assert any("holds no rows" in line for line in faults.lines())
    monkeypatch.setattr(candidates, "MAX_ROWS", 2)
    for path in (_parquet(tmp_path / "many.parquet", _columns()), tmp_path / "many.csv"):
        (tmp_path / "many.csv").write_text("solvent,temperature,runs,flow\n" + "DMF,60,3,0.25\n" * 3, encoding="utf-8")
        _read(path, faults := Faults())
        assert "holds more than 2 rows" in faults.lines()[0]


def test_every_faulty_cell_of_a_csv_file_is_counted(tmp_path: Path) -> None:
    text = "solvent,temperature,runs,flow\nDMF,60,3,x\nDMF,60,3,y\nTHF,60,3.5,0.5\nTHF,60,3,1.5\n"
    (tmp_path / "pool.csv").write_text(text, encoding="utf-8")
    faults = Faults()
    assert _read(tmp_path / "pool.csv", faults) is None
    lines = "\n".join(faults.lines())
    assert 'pool.csv:2: flow: "x": must be a number (also in line 3)' in lines
    assert 'pool.csv:4: runs: "3.5": is beyond the whole numbers from 1 to 9' in lines
    assert 'pool.csv:5: flow: "1.5": is beyond the bounds [0, 1]' in lines


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e6])
def test_settings_that_are_the_same_to_nine_digits_are_kept_once(scale: float) -> None:
    rng = np.random.default_rng(0)
    x = scale * (1.0 + rng.integers(0, 40, 600) * 10.0 ** -rng.integers(1, 12, 600).astype(float))
    pool = Pool({"x": Column("number", x), "c": Column("text", rng.integers(0, 2, 600), ("u", "v"))})
    bounds = (0.5 * scale, 10 * scale)
    problem = Problem.model_validate(
        {
            "parameters": {"x": {"type": "continuous", "bounds": bounds}, "c": {"type": "categorical", "choices": ["u", "v"]}},
            "objectives": {"y": {"goal": "maximize"}},
        }
    )
    rows = np.flatnonzero(rng.random(600) < 0.9)
    first: dict[object, int] = {}
    for row in rows.tolist():
        first.setdefault(problem.key(pool.row(row)), row)
    assert distinct(pool, rows, problem).tolist() == list(first.values())
    assert 20 < len(first) < len(rows)
