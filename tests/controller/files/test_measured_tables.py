"""Every measured table at hand becomes a campaign without a fault."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

from controller.errors import FileFaultsError
from controller.files.loading import load_campaign
from instruments.errors import UnitError
from instruments.units import check_unit

SHARED = Path(os.environ.get("LABWRIGHT_SHARED", Path(__file__).resolve().parents[4] / "shared")) / "data"
SETS = sorted(p.parent for p in SHARED.glob("*/meta.json")) if SHARED.is_dir() else []
pytestmark = pytest.mark.skipif(
    not SETS, reason=f"no measured tables in {SHARED} (LABWRIGHT_SHARED names another folder)"
)


def _known(unit: str | None) -> dict[str, str]:
    try:
        return {} if unit is None else {"unit": check_unit(unit)}
    except UnitError:  # labels such as `weight fraction`
        return {}


def _parameter(meta: dict[str, Any]) -> dict[str, Any]:
    unit = _known(meta.get("unit"))
    if meta["kind"] == "categorical":
        return {"type": "categorical", "choices": [str(level) for level in meta["levels"]]}
    if meta["kind"] == "discrete":
        return {"type": "discrete", "values": meta["levels"], **unit}
    low, high = meta["observed"]
    return {"type": "continuous", "bounds": [min(low, meta["bounds"][0]), max(high, meta["bounds"][1])], **unit}


def campaign_of(folder: Path) -> dict[str, Any]:
    """Return the campaign file of one measured table."""
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    goals = {"maximize": {"goal": "maximize"}, "minimize": {"goal": "minimize"}}
    objectives = {}
    for o in meta["objectives"]:
        match = {"goal": "match", "target": o.get("target", o["observed"][0])}
        objectives[o["name"]] = goals.get(o["direction"], match)
    return {
        "campaign": meta["name"],
        "parameters": {p["name"]: _parameter(p) for p in meta["parameters"]},
        "objectives": objectives,
        "budget": {"experiments": 20},
        "lab": {"simulator": "table", "data": str(folder / meta["data_file"])},
    }


def _is_a_list_of_molecules(source: Path, meta: dict[str, Any], folder: Path) -> None:
    """The same for one whose parameter is a molecule out of thousands: of some, every hundredth and those that RDKit refuses."""
    pytest.importorskip("rdkit", reason="structures need the extra chem")
    with (source / meta["data_file"]).open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    names = ["smiles", *(o["name"] for o in meta["objectives"])]
    some = [row for i, row in enumerate(rows) if i % 100 == 0 or "[NH++]" in row[0]]
    objectives = {o["name"]: {"goal": o["direction"]} for o in meta["objectives"]}
    content = {
        "campaign": meta["name"], "parameters": {"smiles": {"type": "categorical", "choices": "data.csv"}},
        "objectives": objectives, "budget": {"experiments": 5}, "lab": {"simulator": "table", "data": "data.csv"},
    }  # fmt: skip
    (folder / "campaign.json").write_text(json.dumps(content), encoding="utf-8")

    def write(rows: list[list[str]]) -> None:
        with (folder / "data.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([names, *([row[header.index(name)] for name in names] for row in rows)])

    write(some)
    refused = [row for row in some if "[NH++]" in row[0]]
    if refused:
        with pytest.raises(FileFaultsError, match=r"data.csv:\d+: smiles: .*NH\+\+.*is not a SMILES that RDKit can read"):
            load_campaign(folder / "campaign.json")
        write([row for row in some if row not in refused])
    problem = load_campaign(folder / "campaign.json").problem
    assert problem.pool is not None
    assert len(problem.pool) == len(some) - len(refused) == len(problem.descriptors["smiles"].smiles or ())
    assert not problem.descriptors["smiles"].columns  # what was measured is none


@pytest.mark.parametrize("source", SETS, ids=lambda p: p.name)
def test_measured_table_loads_as_a_campaign(source: Path, tmp_path: Path) -> None:
    meta = json.loads((source / "meta.json").read_text(encoding="utf-8"))
    if any(p["kind"] == "smiles" for p in meta["parameters"]):
        return _is_a_list_of_molecules(source, meta, tmp_path)
    content = campaign_of(source)
    (tmp_path / "campaign.json").write_text(json.dumps(content), encoding="utf-8")
    try:
        definition = load_campaign(tmp_path / "campaign.json")
    except FileFaultsError as error:
        pytest.fail("\n".join(error.faults))
    assert definition.simulated
    assert definition.problem.pool is not None
    assert 20 <= len(definition.problem.pool) <= meta["rows"]
    assert set(definition.problem.pool.columns) == set(content["parameters"])
    assert [p.name for p in tmp_path.iterdir()] == ["campaign.json"]
