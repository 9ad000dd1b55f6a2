"""Campaigns by hand: a plan is asked for, filled in and told back; nothing wrong is taken, nothing twice, and the books balance."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from controller.by_hand import ask_plan, tell_plan
from controller.domain.by_hand import is_by_hand
from controller.domain.campaign import Definition
from controller.errors import ConflictError, FileFaultsError, UnknownNameError
from controller.files.loading import load_campaign
from controller.store.audit import audit
from controller.store.opening import Store
from controller.verbs.overview import overview
from controller.verbs.plan_files import write_plan
from controller.verbs.plans import Plan, Taken
from controller.verbs.stores import find, readers
from tests.controller.engine.test_supervisor import supervise

pytestmark = pytest.mark.timeout(120)
CAMPAIGN = """campaign: bread
parameters:
  water: {{type: continuous, bounds: [55, 80], unit: percent}}
  yeast: {{type: categorical, choices: [fresh, "=cmd|'/c calc'!A1", dry]}}
objectives:
  volume: {{goal: maximize, unit: mL}}
budget: {{experiments: {budget}}}
lab: {{by_hand: {by_hand}}}
"""
ANSWERS = "volume: {low: 100, high: 5000}, crumb: {choices: [dense, open]}, remark: {kind: str, optional: true}"
BY_HAND_LAB = f"{{hours: 2, answers: {{{ANSWERS}}}}}"


def definition(folder: Path, *, budget: int = 4, by_hand: str = BY_HAND_LAB) -> Definition:
    path = folder / "campaign.yaml"
    path.write_text(CAMPAIGN.format(budget=budget, by_hand=by_hand), encoding="utf-8")
    return load_campaign(path)


class Kitchen:
    """A store, the campaign, and plans in a folder."""

    def __init__(self, folder: Path, ending: str, *, budget: int = 4) -> None:
        self.folder, self.ending = folder, ending
        self.definition = definition(folder, budget=budget)
        self.url = f"sqlite:///{folder / 's.db'}"
        self.n = 0

    def ask(self, n: int) -> tuple[Path, Plan]:
        """Ask for a plan and write it down."""
        plan = ask_plan(self.definition, self.url, n, device="cpu")
        self.n += 1
        path = self.folder / f"plan{self.n}{self.ending}"
        write_plan(path, plan)
        return path, plan

    def tell(self, path: Path) -> Taken:
        return tell_plan(self.definition, self.url, path, by="ada")

    def fill(self, path: Path, *rows: dict[str, Any]) -> None:
        """Write into the rows of a plan, by heading; a heading that is not there becomes a column."""
        if self.ending == ".xlsx":
            book = load_workbook(path)
            page = book["plan"]
            names = {cell.value: cell.column for cell in page[1]}
            for at, row in enumerate(rows, start=2):
                for name, value in row.items():
                    if name not in names:
                        names[name] = len(names) + 1
                        page.cell(1, names[name]).value = name
                    page.cell(at, names[name]).value = value
            book.save(path)
            return
        with path.open(newline="", encoding="utf-8") as file:
            table = list(csv.DictReader(file))
        for at, row in enumerate(rows):
            table[at] |= {name: str(value) for name, value in row.items()}
        header = list(dict.fromkeys(name for row in table for name in row))
        with path.open("w", newline="", encoding="utf-8") as file:
            lines = csv.DictWriter(file, header, restval="")
            lines.writeheader()
            lines.writerows(table)

    def experiments(self) -> list[dict[str, Any]]:
        with readers([self.url]) as ((_, reader),):
            return reader.experiments("bread")

    def status(self) -> tuple[str, str]:
        with readers([self.url]) as ((_, reader),):
            row = reader.campaign("bread")
        return row["status"], row["reason"]

    def check_books(self) -> None:
        with Store.open(self.url) as store:
            report = audit(store, "bread")
        assert (report.balanced, report.differences) == (True, [])


@pytest.fixture(params=[".xlsx", ".csv"])
def kitchen(request: pytest.FixtureRequest, tmp_path: Path) -> Kitchen:
    return Kitchen(tmp_path, request.param)


def test_plan_is_asked_filled_in_and_told_until_the_budget_is_used_up(kitchen: Kitchen) -> None:
    path, plan = kitchen.ask(3)
    assert (len(plan.rows), plan.left) == (3, 1)
    assert kitchen.status()[0] == "paused"
    kitchen.fill(
        path, {"volume [mL]": "1.85 ± 0.05 L", "crumb": "open", "notes": "a bit pale", "oven": "left"}, {"failed": "did not rise"}
    )
    taken = kitchen.tell(path)
    assert (taken.completed, taken.failed, taken.empty, taken.left) == ([1], [2], [3], 1)
    first, second, third = kitchen.experiments()
    assert (first["objectives"], first["reason"]) == (
        {"volume": 1850.0}, f"told by ada in {path.name}; crumb: open; notes: a bit pale; oven: left",
    )  # fmt: skip
    assert (second["status"], second["reason"]) == ("failed", f"did not rise; told by ada in {path.name}")
    assert third["status"] == "queued"

    again = kitchen.tell(path)
    assert (again.completed, again.failed, again.unchanged, again.empty) == ([], [], [1, 2], [3])
    reprinted, plan = kitchen.ask(0)
    assert [row["experiment"] for row in plan.rows] == [3]
    kitchen.fill(reprinted, {"volume [mL]": 900})
    kitchen.tell(reprinted)

    last, plan = kitchen.ask(5)
    assert (len(plan.rows), plan.left) == (1, 0), "no more than the budget holds"
    kitchen.fill(last, {"volume [mL]": 1000})
    assert kitchen.tell(last).status == "completed"
    with pytest.raises(ConflictError, match=r"the budget of 4 experiments is used up|is completed"):
        kitchen.ask(1)
    kitchen.check_books()


def test_every_wrong_cell_is_told_and_nothing_is_taken(kitchen: Kitchen) -> None:
    path, _ = kitchen.ask(4)
    kitchen.fill(
        path,
        {"volume [mL]": 90000, "crumb": "wet"},
        {"volume [mL]": "lots", "water [percent]": 1},
        {"volume [mL]": 800, "failed": "yes"},
        {"volume [mL]": 800, "experiment": 77},
    )
    with pytest.raises(FileFaultsError) as told:
        kitchen.tell(path)
    assert len(told.value.faults) == 6
    text = "\n".join(told.value.faults)
    cells = ["cell D2", "cell E2", "cell D3", "cell B3", "cell D4", "cell A5"]
    places = cells if kitchen.ending == ".xlsx" else [":2: column volume [mL]", ":3: column water [percent]"]
    for expected in (
        *places, "lies above 5000; give a number from 100 to 5000 [mL]", "is none of the choices", "is no number",
        "was changed: experiment 2 has", "an experiment that failed has no result", "was never asked for",
    ):  # fmt: skip
        assert expected in text, text
    assert {e["status"] for e in kitchen.experiments()} == {"queued"}


def test_value_that_was_changed_is_refused_with_the_way_to_correct_it(kitchen: Kitchen) -> None:
    path, _ = kitchen.ask(1)
    kitchen.fill(path, {"volume [mL]": 1850})
    kitchen.tell(path)
    kitchen.fill(path, {"volume [mL]": 1851})
    with pytest.raises(FileFaultsError, match=r"experiment 1 has volume 1850 already.*labwright campaign retract bread 1 --reason"):
        kitchen.tell(path)


def test_what_is_written_never_becomes_a_formula_and_what_is_one_is_refused(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path, ".xlsx")
    kitchen.ask(1)
    row = {"experiment": 1, "parameters": {"water": 60.0, "yeast": "=cmd|'/c calc'!A1"}}
    evil = Plan(kitchen.definition, kitchen.url, [row], 0)
    sheet, text, page = tmp_path / "evil.xlsx", tmp_path / "evil.csv", tmp_path / "evil.html"
    for path in (sheet, text, page):
        write_plan(path, evil)
    cell = load_workbook(sheet)["plan"]["C2"]
    assert (cell.data_type, cell.quotePrefix, cell.value) == ("s", True, "=cmd|'/c calc'!A1")
    assert "'=cmd" in text.read_text()
    kitchen.fill(sheet, {"volume [mL]": "=1+1"})
    with pytest.raises(FileFaultsError, match=r"cell D2.*is a formula; put its value there"):
        kitchen.tell(sheet)


def test_spreadsheet_is_locked_but_for_what_is_to_be_filled_in(tmp_path: Path) -> None:
    path, _ = Kitchen(tmp_path, ".xlsx").ask(2)
    page = load_workbook(path)["plan"]
    headings = ["experiment", "water [percent]", "yeast", "volume [mL]", "crumb", "remark", "failed", "notes"]
    assert [c.value for c in page[1]] == headings
    assert page.protection.sheet
    assert [c.protection.locked for c in page[2]] == [True] * 3 + [False] * 5
    checks = {str(v.sqref): (v.type, v.formula1, v.formula2) for v in page.data_validations.dataValidation}
    assert checks == {"D2:D3": ("decimal", "100", "5000"), "E2:E3": ("list", '"dense,open"', None)}


def test_printed_plan_holds_no_markup_of_others(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path, ".html")
    row = {"experiment": 1, "parameters": {"water": 60.0, "yeast": "<script>x</script>"}}
    plan = Plan(kitchen.definition, kitchen.url, [row], 0)
    write_plan(tmp_path / "p.html", plan)
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("plan.txt", b"", "is no plan that can be read"),
        ("plan.xlsx", b"PK\x03\x04 rubbish", "is no spreadsheet that can be read"),
        ("plan.csv", b"\xff\xfe", "not UTF-8"),
        ("plan.csv", b"a,b\n1,2\n", "has no column 'experiment'"),
        ("plan.csv", b"experiment,volume [kg]\n1,2\n", "is in kg; write the values in mL"),
        ("plan.csv", b"experiment,volume [mL]\n1,200\n1,300\n", "is in row 2 already"),
        ("plan.csv", b"experiment,volume [mL]\n1,\"3,2\"\n", "write a point before the decimals"),
        ("none.csv", None, "is no file"),
    ],
)  # fmt: skip
def test_file_that_is_no_plan_is_refused(tmp_path: Path, name: str, content: bytes | None, match: str) -> None:
    kitchen = Kitchen(tmp_path, ".csv")
    kitchen.ask(1)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises((ConflictError, FileFaultsError, UnknownNameError), match=match):
        kitchen.tell(tmp_path / name)


async def test_daemon_leaves_a_campaign_by_hand_to_people(tmp_path: Path) -> None:
    kitchen = Kitchen(tmp_path, ".csv")
    kitchen.ask(1)
    assert is_by_hand(*kitchen.status())
    with find([kitchen.url], "bread") as found:
        told = overview(found)
    assert [item["do"] for item in told["people"]] == ["labwright campaign tell bread PLAN"]
    assert told["next"][0]["command"] == "labwright campaign ask bread -n 4 -o plan.xlsx"
    with Store.open(kitchen.url) as store:
        daemon = supervise(store)
        await daemon.take_up_unfinished()
        assert daemon.loops == {}
        await daemon.leave(grace_s=0.0, reason="tested")
    assert kitchen.ask(1)[1].rows, "and so they can go on"


@pytest.mark.parametrize(
    ("by_hand", "match"),
    [
        ("yes please", "expected true, or instructions, hours, answers"),
        ("{hours: -1}", "lab.by_hand.hours: -1"),
        ("{answers: {volume: {unit: L}}}", "must be that of the objective, mL"),
        ("{answers: {volume: {kind: str}}}", "has neither unit"),
        ("{answers: {water: {}}}", "is a parameter already"),
        ("{answers: {crumb: {choices: []}}}", "lab.by_hand.answers.crumb"),
        ("true, data: x.csv", "does not go together with by_hand"),
    ],
)
def test_lab_by_hand_that_cannot_be_is_refused_with_its_place(tmp_path: Path, by_hand: str, match: str) -> None:
    with pytest.raises(FileFaultsError, match=match):
        definition(tmp_path, by_hand=by_hand)


def test_lab_by_hand_is_a_lab_of_one_person_and_has_a_twin(tmp_path: Path) -> None:
    lab = definition(tmp_path, by_hand="true").lab
    assert (lab.lab, [i.driver for i in lab.instruments.values()], lab.simulated) == ("bread-by-hand", ["person"], False)
    assert load_campaign(tmp_path / "campaign.yaml", simulate=True).lab.simulated
