"""Campaigns by hand over HTTP: entered, asked for, filled in as JSON or as a file, told back; and earlier results brought in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.domain.campaign import Definition
from controller.files.loading import load_campaign
from controller.store.audit import audit
from controller.store.reading import open_reader
from controller.verbs.entering import enter_by_hand
from tests.controller.api.browser import NARROW, OVERFLOWING, browsing, go, need_browser, violations, window
from tests.controller.api.people import bearer, everybody
from tests.controller.api.process import Served, served

pytestmark = pytest.mark.timeout(600)
BREAD = """campaign: bread
parameters:
  water: {type: continuous, bounds: [55, 80], unit: percent}
  yeast: {type: categorical, choices: [fresh, dry]}
objectives:
  volume: {goal: maximize, unit: mL}
budget: {experiments: 5}
lab:
  by_hand:
    answers: {volume: {low: 100, high: 5000}, crumb: {choices: [dense, open]}}
"""


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str, dict[str, str | None]]]:
    folder = tmp_path_factory.mktemp("kitchen")
    url = f"sqlite:///{folder / 'bread.db'}"
    people = everybody(url)
    with served(folder, url) as process:
        yield process, url, people


class Baker:
    """Speaks as somebody; `post` gives the status and what is told."""

    def __init__(self, served: Served, token: str | None) -> None:
        self._place, self._headers = f"{served.url}/v1", bearer(token)

    def post(self, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
        answer = httpx.post(self._place + path, headers=self._headers, timeout=120.0, **options)
        return answer.status_code, answer.json()

    def get(self, path: str, headers: dict[str, str] | None = None, **options: Any) -> httpx.Response:
        return httpx.get(self._place + path, headers=self._headers | (headers or {}), timeout=120.0, **options)


def test_bread_is_baked_over_http(kitchen: tuple[Served, str, dict[str, str | None]], tmp_path: Path) -> None:
    api, url, people = kitchen
    head, baker, guest = (Baker(api, people[who]) for who in ("administer", "operate", "look"))

    # A file that is wrong is told line by line, one that is right is entered and touched by nobody.
    status, told = head.post("/validate", json={"file": BREAD.replace("maximize", "maximise")})
    assert (status, told["good"], len(told["faults"])) == (200, False, 1)
    assert told["faults"][0].startswith("file.yaml:6: objectives.volume.goal")
    assert head.post("/validate", json={"file": BREAD})[1] == {"good": True, "faults": [], "remarks": []}
    status, told = head.post("/campaigns", json={"file": BREAD, "by_hand": True})
    assert (status, told["answered"]) == (200, True)
    assert head.post("/campaigns", json={"file": BREAD, "by_hand": True})[0] == 409
    assert guest.get("/campaigns/bread").json()["reason"].startswith("carried out by hand")

    # Earlier results cost no budget, and come in once.
    earlier = b"water,yeast,volume\n60,fresh,1400\n70,dry,1900\n"
    place = "/campaigns/bread/import?name=notebook.csv"
    assert baker.post(f"{place}&check=true", content=earlier)[1]["checked_only"] is True
    status, told = baker.post(place, content=earlier)
    assert (status, told["results"], told["answered"]) == (200, 2, True)
    assert "already" in baker.post(place, content=earlier)[1]["detail"]
    status, told = baker.post(place, content=b"water,yeast,volume\n60,wild,1400\n")
    assert status == 422
    assert [fault.partition(": ")[0] for fault in told["faults"]] == ["notebook.csv:2"]
    assert baker.post("/campaigns/bread/import?name=x.csv&column=volume", content=earlier)[0] == 422

    # Two are asked for; one is told, and one has failed, for which nothing else may be said.
    status, told = baker.post("/campaigns/bread/ask", json={"n": 2})
    assert (status, [row["experiment"] for row in told["experiments"]], told["left_in_budget"]) == (200, [3, 4], 3)
    shown = guest.get("/campaigns/bread/plan")
    assert [row["experiment"] for row in shown.json()["experiments"]] == [3, 4]
    assert guest.get("/campaigns/bread/plan", headers={"If-None-Match": shown.headers["ETag"]}).status_code == 304
    wrong = [{"experiment": 3, "values": {"volume": 9e4, "crump": "open"}}, {"experiment": 9, "values": {"volume": 1200}}]
    status, told = baker.post("/campaigns/bread/tell", json={"results": wrong})
    assert (status, told["faults"][0].partition(": ")[0], "did you mean" in told["faults"][0]) == (422, "results:1", True)
    del wrong[0]["values"]["crump"]  # type: ignore[attr-defined]
    status, told = baker.post("/campaigns/bread/tell", json={"results": wrong})
    assert (status, [fault.partition(": ")[0] for fault in told["faults"]]) == (422, ["results:1", "results:2"])
    right = [
        {"experiment": 3, "values": {"volume": {"value": 2.1, "unit": "L", "sem": 0.05}, "crumb": "open"}, "notes": "a bit dark"},
        {"experiment": 4, "failed": "it burnt"},
    ]
    status, told = baker.post("/campaigns/bread/tell", json={"results": right})
    assert (status, told["completed"], told["failed"], told["status"]) == (200, [3], [4], "paused")
    assert baker.post("/campaigns/bread/tell", json={"results": right})[1]["unchanged"] == [3, 4]
    experiment = guest.get("/campaigns/bread/experiments/3").json()
    assert experiment["observations"]["volume"] == {"value": 2100.0, "unit": "mL", "sem": 50.0}
    assert experiment["reason"] == "told by operate over HTTP; crumb: open; notes: a bit dark"

    # The rest goes by a file: taken, filled in, sent back.
    assert baker.post("/campaigns/bread/ask", json={"n": 3})[1]["left_in_budget"] == 0
    taken = guest.get("/campaigns/bread/plan", params={"format": "csv"})
    assert taken.headers["content-disposition"] == 'attachment; filename="plan-of-bread.csv"'
    rows = list(csv.DictReader(io.StringIO(taken.text)))
    assert [row["experiment"] for row in rows] == ["5", "6", "7"]
    for row in rows:
        row["volume [mL]"] = "1500"
    filled = io.StringIO()
    table = csv.DictWriter(filled, rows[0])
    table.writeheader()
    table.writerows(rows)
    status, told = baker.post("/campaigns/bread/plan?name=plan.csv", content=filled.getvalue().replace("1500", "x", 1).encode())
    assert (status, told["faults"][0].startswith("plan.csv:2: column volume")) == (422, True)
    for at in ("plan", "import"):
        assert baker.post(f"/campaigns/bread/{at}?name=plan.csv", content=b"")[0] == 422
        status, told = baker.post(f"/campaigns/bread/{at}?name={'ü' * 190}.csv", content=b"x")
        assert status == 422
        assert "shorter name" in str(told)
    status, told = baker.post("/campaigns/bread/plan?name=plan.csv", content=filled.getvalue().encode())
    assert (status, told["completed"], told["status"]) == (200, [5, 6, 7], "completed")
    assert "used up" in baker.post("/campaigns/bread/ask", json={})[1]["detail"]
    for form, begins in (("html", b"<!doctype html>"), ("xlsx", b"PK")):
        assert guest.get("/campaigns/bread/plan", params={"format": form}).content.startswith(begins)
    with open_reader(url) as reader:
        assert audit(reader, "bread").balanced
    assert not list(tmp_path.parent.glob("labwright-*"))


def test_rolls_are_baked_on_the_page(kitchen: tuple[Served, str, dict[str, str | None]], tmp_path: Path) -> None:
    need_browser()
    from playwright.sync_api import expect

    api, url, people = kitchen
    enter_by_hand(url, rolls(tmp_path))
    with browsing() as browser, window(browser, people["operate"], NARROW) as (page, complaints):
        page.set_default_timeout(90_000)
        go(page, f"{api.url}/#/campaigns/rolls", "rolls")
        plan = page.get_by_label("Plan", exact=True)
        expect(plan).to_contain_text("Nothing is open; 5 more fit into the budget")
        plan.get_by_role("button", name="Ask for more").click()
        page.get_by_label("How many").fill("2")
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(plan).to_contain_text("2 experiments asked for and not told yet", timeout=90_000)
        assert page.evaluate(OVERFLOWING) == {"page": 0, "cut": []}
        assert violations(page) == []
        first = plan.get_by_label("Result of experiment 1")
        first.get_by_label("volume").fill("90000")
        first.get_by_role("button", name="Tell", exact=True).click()
        expect(first.get_by_role("alert")).to_contain_text('volume: "90000": lies above 5000', timeout=90_000)
        first.get_by_label("volume").fill("2.1 ± 0.05 L")
        first.get_by_label("crumb").select_option("open")
        first.get_by_role("button", name="Tell", exact=True).click()
        expect(plan).to_contain_text("1 experiment asked for", timeout=90_000)
        with page.expect_download() as saved:
            plan.get_by_role("button", name="Save as CSV").click()
        filled = tmp_path / "plan.csv"
        filled.write_text(saved.value.path().read_text(encoding="utf-8").replace(",,", ",1800,", 1), encoding="utf-8")
        plan.get_by_role("button", name="Send it back filled in").click()
        page.get_by_label("The plan as it was filled in").set_input_files(filled)
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.get_by_role("dialog")).to_contain_text("1 completed, 0 failed", timeout=90_000)
        page.get_by_role("button", name="Close").click()
        expect(plan).to_contain_text("Nothing is open; 3 more fit into the budget")
    assert [text for text in complaints if "422" not in text] == []  # what was wrong with the first answer
    with open_reader(url) as reader:
        assert [row["objectives"] for row in reader.experiments("rolls")] == [{"volume": 2100.0}, {"volume": 1800.0}]


def rolls(folder: Path) -> Definition:
    (folder / "rolls.yaml").write_text(BREAD.replace("campaign: bread", "campaign: rolls"), encoding="utf-8")
    return load_campaign(folder / "rolls.yaml")


def test_what_a_lab_carries_out_is_no_plan(client: Any) -> None:
    assert client("look").get("/campaigns/sample/plan").status_code == 409
    assert client("look").post("/campaigns/sample/ask", json={"n": 1}).status_code == 403


def test_schema_of_each_file_is_told(client: Any) -> None:
    for kind in ("campaign", "lab", "notify"):
        assert client("look").get(f"/schemas/{kind}").json()["type"] == "object"
    assert client("look").get("/schemas/nothing").status_code == 422
