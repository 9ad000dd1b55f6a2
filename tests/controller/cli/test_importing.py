"""Earlier results come in as experiments that cost nothing: whole or not at all, once, with their units, from what others write."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from controller.campaign import Campaign
from controller.domain.event import ResultsImported
from controller.store.opening import Store
from tests.controller.cli.conftest import Call

CAMPAIGN = """\
campaign: reaction
parameters:
  temperature: {type: continuous, bounds: [20, 120], unit: degC}
  equivalents: {type: integer, bounds: [1, 5]}
  base: {type: categorical, choices: [KOAc, CsOPiv]}
objectives:
  yield: {goal: maximize, unit: percent}
  cost: {goal: minimize}
constraints: ["temperature + 10 * equivalents <= 150"]
budget: {experiments: 3}
lab: {simulator: table, data: lab.csv}
"""
LAB = "temperature,equivalents,base,yield,cost\n" + "".join(
    f"{t},{e},{b},{t / 2 + e:.3f},{e * 2}\n" for t in (20, 60, 100) for e in (1, 3, 5) for b in ("KOAc", "CsOPiv")
)
HEADER = "temperature,equivalents,base,yield,cost\n"
GOOD = HEADER + "40,2,KOAc,33.5,4\n90,1,CsOPiv,61,2\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "lab.csv").write_text(LAB)
    path = tmp_path / "reaction.yaml"
    path.write_text(CAMPAIGN)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def bring(call: Call, file: Path, store: Path, tmp_path: Path) -> Any:
    """Import text as a file, into a campaign that is made by it."""

    def bring(text: str | None, *options: object, name: str = "old.csv") -> Any:
        if text is not None:
            (tmp_path / name).write_text(text)
        return call("campaign", "import", file, tmp_path / name, "--store", store, *options)

    return bring


def rows_of(call: Call, store: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(call("campaign", "export", "reaction", "--store", store).out)))


def test_file_makes_a_paused_campaign_with_experiments_that_cost_nothing(call: Call, bring: Any, store: Path) -> None:
    said = bring(GOOD)
    assert said.code == 0, said.err
    assert "2 results imported from old.csv; they cost no budget" in said.out
    assert "no unit is said for temperature, yield" in said.out
    rows = rows_of(call, store)
    assert [(r["number"], r["status"], r["source"], r["yield"]) for r in rows] == [
        ("1", "completed", "imported", "33.5"), ("2", "completed", "imported", "61.0"),
    ]  # fmt: skip
    (listed,) = call("campaign", "list", "--store", store, "--json").json
    assert (listed["status"], listed["spent"], listed["imported"], listed["counts"]["completed"]) == ("paused", 0, 2, 2)
    assert "books balance" in call("campaign", "audit", "reaction", "--verify", "--store", store).out
    note = call("experiment", "show", "reaction", "2", "--store", store, "--json").json["proposal"]["note"]
    assert note.startswith("from old.csv, row 3 (SHA-256 ")


def test_imported_results_are_learned_from_and_the_whole_budget_is_left(call: Call, bring: Any, file: Path, store: Path) -> None:
    assert bring(GOOD).code == 0
    with Campaign.load(file, store=str(store), device="cpu") as campaign:
        assert [ended.number for ended in campaign.state.history] == [1, 2]
        assert campaign.state.spent == 0
        (suggestion,) = campaign.ask()
        assert suggestion.experiment == 3
        campaign.tell(suggestion, {"yield": 50.0, "cost": 1.0})
        assert campaign.state.spent == 1
        assert campaign.why(1).source == "imported"
    assert "books balance" in call("campaign", "audit", "reaction", "--verify", "--store", store).out
    assert call("campaign", "replay", "reaction", "--store", store).code == 0


def test_same_file_is_imported_once_and_check_changes_nothing(call: Call, bring: Any, store: Path) -> None:
    assert "nothing was changed" in bring(GOOD, "--check").out
    assert call("campaign", "list", "--store", store, "--json").json == []
    assert bring(GOOD).code == 0
    again = bring(GOOD, name="renamed.csv")
    assert again.code == 2
    assert "was imported into reaction already: experiments 1 to 2; nothing was changed" in again.err
    assert len(rows_of(call, store)) == 2


def test_every_fault_is_told_at_once_with_row_and_column(call: Call, bring: Any, store: Path) -> None:
    said = bring(HEADER + "200,2,KOAc,33,4\n40,2.5,NaOH,much,4\n119,5,KOAc,5,4\n40,,KOAc,5,\n", "--json")
    assert said.code == 2
    faults = [line.split("old.csv", 1)[1] for line in said.error["faults"]]
    assert any(line.startswith(':2: temperature: "200": is beyond the bounds [20, 120]') for line in faults), faults
    assert any(line.startswith(':3: equivalents: "2.5": is beyond the whole numbers from 1 to 5') for line in faults)
    assert any(line.startswith(':3: base: "NaOH": is beyond the choices KOAc, CsOPiv') for line in faults)
    assert any(line.startswith(':3: yield: "much": must be a number') for line in faults)
    assert any(line.startswith(":5: equivalents: null: is empty; every setting is needed") for line in faults)
    assert any(line.startswith(":5: cost: null: is empty beside results of other objectives") for line in faults)
    assert call("campaign", "list", "--store", store, "--json").json == []


def test_constraint_is_asked_of_every_row_or_the_row_is_left_out(bring: Any) -> None:
    text = GOOD + "119,5,KOAc,5,4\n"
    said = bring(text)
    assert "old.csv:4: setting: " in said.err
    assert "meets not every constraint" in said.err
    done = bring(text, "--leave-out", "--json")
    assert (done.json["results"], done.json["rows_outside"]) == (2, [4])


def test_missing_column_is_named_and_can_be_mapped(bring: Any) -> None:
    text = GOOD.replace("yield", "Y_obs").replace("base", "bse")
    said = bring(text)
    assert "has no column 'yield' for the objective" in said.err
    assert "has no column 'base' for the parameter; did you mean bse? Say which with --column base=HEADING" in said.err
    assert bring(text, "--column", "yield=Y_obs", "--column", "base=bse").code == 0
    assert "is no NAME=HEADING" in bring(text, "--column", "yield").err
    assert "which is no parameter or objective" in bring(text, "--column", "yeild=Y_obs").err


def test_units_are_checked_and_converted_only_on_request(call: Call, bring: Any, store: Path) -> None:
    text = "temperature [K],equivalents,base,yield [percent],cost,yield.sem\n313.15,2,KOAc,33.5,4,0.5\n"
    said = bring(text)
    assert "temperature [K]: is in K, the campaign has degC; convert the column, or say --convert" in said.err
    wrong = bring(text.replace("[K]", "[mL]"), "--convert")
    assert "is in mL, the campaign has degC; they measure different things" in wrong.err
    assert "unknown unit 'smoots'" in bring(text.replace("[K]", "[smoots]")).err
    done = bring(text, "--convert")
    assert "converted: temperature from K to degC" in done.out
    (row,) = rows_of(call, store)
    assert float(row["temperature"]) == pytest.approx(40.0)
    assert (row["yield"], row["yield.sem"]) == ("33.5", "0.5")


def test_into_a_campaign_by_its_name_with_another_file_after_experiments_of_its_own(
    call: Call, file: Path, store: Path, tmp_path: Path
) -> None:
    with Campaign.load(file, store=str(store), device="cpu") as campaign:
        for suggestion in campaign.ask(2):
            campaign.tell(suggestion, {"yield": 50.0, "cost": 1.0})
    (tmp_path / "old.csv").write_text(GOOD)
    said = call("campaign", "import", "reaction", tmp_path / "old.csv", "--store", store, "--json")
    assert said.code == 0, said.err
    assert said.json["answered"] is True
    assert [r["source"] for r in rows_of(call, store)] == ["space-filling", "space-filling", "imported", "imported"]
    assert "books balance" in call("campaign", "audit", "reaction", "--store", store).out


def test_what_labwright_exported_comes_in_again_with_failures_and_without_what_is_retracted(
    call: Call, file: Path, store: Path, tmp_path: Path
) -> None:
    with Campaign.load(file, store=str(store), device="cpu") as campaign:
        first, second, third = campaign.ask(3)
        campaign.tell(first, {"yield": 50.0, "cost": 1.0}, sem={"yield": 0.25})
        campaign.tell(second, None, reason="spilt")
        campaign.tell(third, {"yield": 70.0, "cost": 1.0})
        campaign.retract(3, "wrong vial")
        campaign.ask()
    for ending in ("csv", "parquet", "xlsx"):
        other, target = tmp_path / f"other-{ending}.db", tmp_path / f"out.{ending}"
        assert call("campaign", "export", "reaction", "--store", store, "--output", target).code == 0
        said = call("campaign", "import", file, target, "--store", other, "--json")
        assert said.code == 0, said.err
        told = said.json
        assert (told["form"], told["results"], told["failed"], len(told["rows_without_result"])) == ("labwright", 1, 1, 2)
        done, failed = rows_of(call, other)
        assert (done["status"], done["yield.sem"]) == ("completed", "0.25")
        assert (failed["status"], failed["reason"]) == ("abandoned", "spilt")
        assert "books balance" in call("campaign", "audit", "reaction", "--verify", "--store", other).out


def test_simulated_rows_never_come_into_a_real_campaign(call: Call, tmp_path: Path, store: Path) -> None:
    real = tmp_path / "real.yaml"
    real.write_text(
        "campaign: real\nparameters: {t: {type: continuous, bounds: [0, 9]}}\nobjectives: {y: {goal: maximize}}\n"
        "budget: {experiments: 3}\nlab: lab.yaml\n"
    )
    (tmp_path / "lab.yaml").write_text(
        "lab: bench\ninstruments: {reader: {driver: external}}\n"
        "protocol: [{step: s, instrument: reader, action: run, with: {t: $t}, gives: {y: y}}]\n"
    )
    (tmp_path / "old.csv").write_text("t,y,simulated\n1,2,true\n")
    said = call("campaign", "import", real, tmp_path / "old.csv", "--store", store)
    assert said.code == 2
    assert "holds SIMULATED data and real is real: the two never mix" in said.err
    (tmp_path / "old.csv").write_text("t,y\n1,2\n")
    assert call("campaign", "import", real, tmp_path / "old.csv", "--store", store).code == 0


def test_frame_of_baybe_comes_in(bring: Any, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"temperature": [40.0, 90.0], "equivalents": [2, 1], "base": ["KOAc", "CsOPiv"], "yield": [33.5, 61.0], "cost": [4.0, None],
         "BatchNr": [1, 2], "FitNr": [0, 1]},
    )  # fmt: skip
    frame.to_csv(tmp_path / "old.csv")  # with its index, as people do
    said = bring(None, "--json")
    assert said.code == 2, "a row with half of its results is no result"
    frame.loc[1, ["yield", "cost"]] = float("nan")
    frame.to_csv(tmp_path / "old.csv")
    told = bring(None, "--json").json
    assert (told["form"], told["results"], told["rows_without_result"]) == ("baybe", 1, [3])
    assert told["left_aside"] == ["BatchNr", "FitNr"]


def test_summary_of_ax_comes_in_and_its_long_form_is_explained(call: Call, bring: Any, store: Path) -> None:
    summary = (
        "trial_index,arm_name,trial_status,generation_node,yield,cost,temperature,equivalents,base\n"
        "0,0_0,COMPLETED,Sobol,33.5,4,40,2,KOAc\n1,1_0,FAILED,Sobol,,,90,1,KOAc\n2,2_0,RUNNING,MBM,,,95,1,KOAc\n"
        "3,3_0,TrialStatus.COMPLETED,MBM,61,2,90,1,CsOPiv\n"
    )
    told = bring(summary, "--json").json
    assert (told["form"], told["results"], told["failed"], told["rows_without_result"]) == ("ax", 2, 1, [4])
    assert [r["status"] for r in rows_of(call, store)] == ["completed", "abandoned", "completed"]
    long = "arm_name,metric_name,mean,sem,trial_index\n0_0,yield,33.5,0.1,0\n"
    assert "client.summarize()" in bring(long, name="long.csv").err


def test_dataset_of_olympus_has_no_header_and_comes_in(bring: Any, tmp_path: Path) -> None:
    names = {"parameters": ["temperature", "equivalents", "base"], "measurements": ["yield", "cost"]}
    config = {kind: [{"name": name, "type": "continuous"} for name in listed] for kind, listed in names.items()}
    (tmp_path / "config.json").write_text(json.dumps(config))
    told = bring("40,2,KOAc,33.5,4\n90,1,CsOPiv,61,2\n", "--json", name="data.csv").json
    assert (told["form"], told["results"]) == ("olympus", 2)
    (tmp_path / "config.json").write_text("[]")
    assert "names no parameters and measurements" in bring("1,2\n", "--from", "olympus", name="data.csv").err
    (tmp_path / "config.json").unlink()
    assert "is not there; a dataset of Olympus has no header" in bring("1,2\n", "--from", "olympus", name="data.csv").err


def sheet_with(path: Path, *rows: list[Any], name: str = "experiments") -> None:
    book = openpyxl.Workbook()
    book.active.title = name
    for row in rows:
        book.active.append(row)
    book.save(path)


def test_spreadsheet_comes_in_and_its_formulas_are_refused(bring: Any, tmp_path: Path) -> None:
    head = ["temperature", "equivalents", "base", "yield", "cost"]
    sheet_with(tmp_path / "old.xlsx", head, [40, 2, "KOAc", "=B2*3", 4], [None] * 5, [90, 1, "CsOPiv", 61, 2])
    said = bring(None, name="old.xlsx")
    assert 'cell D2: "=B2*3": is a formula; put its value there' in said.err
    sheet_with(tmp_path / "old.xlsx", head, [40, 2, "KOAc", 33, 4], [None] * 5, [900, 1, "CsOPiv", 61, 2], name="Sheet1")
    assert 'old.xlsx: temperature: 900: is beyond the bounds [20, 120]; correct it, or say --leave-out (in row 4)' in bring(
        None, name="old.xlsx"
    ).err
    assert "has no sheet 'x'; it has Sheet1" in bring(None, "--sheet", "x", name="old.xlsx").err
    told = bring(None, "--leave-out", "--json", name="old.xlsx").json
    assert (told["results"], told["rows_outside"]) == (1, [4])


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("old.csv", b"", "no rows"),
        ("old.csv", b"temperature,base\n", "no rows"),
        ("old.csv", b"a;b\n1;2\n", "semicolons"),
        ("old.csv", b"a,a\n1,2\n", "two columns"),
        ("old.csv", b"a,b\n1\n", "cells"),
        ("old.csv", b"a,b\n\xff,1\n", "UTF-8"),
        ("old.parquet", b"PAR1 nonsense", "no Parquet file"),
        ("old.xlsx", b"PK nonsense", "no spreadsheet"),
        ("none.csv", None, "is no file"),
    ],
)
def test_rubbish_is_refused_in_one_line(bring: Any, tmp_path: Path, name: str, content: bytes | None, told: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    said = bring(None, name=name)
    assert said.code == 2
    assert told in said.err
    assert len(said.err.splitlines()) == 1


def test_campaigns_with_drift_or_context_say_why_they_take_nothing_in(call: Call, tmp_path: Path, store: Path) -> None:
    (tmp_path / "lab.csv").write_text(LAB)
    path = tmp_path / "reaction.yaml"
    path.write_text(CAMPAIGN + "context: {humidity: {type: continuous, bounds: [0, 100]}}\n")
    (tmp_path / "old.csv").write_text(GOOD)
    said = call("campaign", "import", path, tmp_path / "old.csv", "--store", store)
    assert "it has a context (humidity), and a file does not tell in which each row was met; name the file under" in said.err


def test_another_campaign_of_the_name_is_not_imported_into(call: Call, bring: Any, file: Path) -> None:
    assert bring(GOOD).code == 0
    file.write_text(CAMPAIGN.replace("bounds: [20, 120]", "bounds: [20, 110]"))
    assert "the store holds another campaign reaction, of another search" in bring(GOOD + "41,2,KOAc,1,1\n").err


def test_log_says_which_file_the_results_are_from(store: Path, bring: Any) -> None:
    assert bring(GOOD).code == 0
    with Store.open(str(store)) as opened:
        (record,) = opened.campaigns()
        events = opened.events(record.id)
    imported = events[2]
    assert isinstance(imported, ResultsImported)
    assert (imported.file, imported.form, imported.first, imported.last) == ("old.csv", "table", 1, 2)
    assert imported.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    begun = ["campaign.created", "campaign.status_changed", "campaign.results_imported", "experiment.proposed"]
    assert [event.kind for event in events[:4]] == begun
