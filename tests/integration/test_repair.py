"""People put right what went wrong while a controller is at work: with real processes, drivers and journals."""

from __future__ import annotations

import os
import signal
import sqlite3
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from controller.verbs.bundle.checking import check_bundle
from controller.verbs.export import export
from controller.verbs.stores import find
from tests.integration.support import Bench, wait_until

pytestmark = pytest.mark.timeout(300)


def completed(bench: Bench) -> list[dict[str, Any]]:
    if not bench.store.exists() or not bench.ask("campaign", "list"):
        return []
    return [e for e in bench.ask("experiment", "list", "test") if e["status"] == "completed"]


def test_result_is_retracted_while_a_controller_works_and_the_books_agree_with_the_journals(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(experiments=10, duration="1.5 s", extra="proposals: {first_points: 2}\n")
    process = bench.start()
    wait_until(lambda: bench.carried_out().total() >= 4, 120, "the fourth experiment")
    best = max(completed(bench), key=lambda e: e["objectives"]["y"])
    answer = bench.ask("campaign", "retract", "test", str(best["number"]), "--reason", "wrong vial", "--timeout", "30")
    assert answer["answered"] is True, answer
    assert f"experiment {best['number']} is retracted" in answer["answer"]
    (bench.folder / "earlier.csv").write_text("a,b,c,y\n0.9,0.9,left,-3.5\n0.1,0.1,right,1.5\n")
    answer = bench.ask("campaign", "import", "test", str(bench.folder / "earlier.csv"), "--timeout", "30")
    assert (answer["answered"], answer["results"]) == (True, 2), answer
    during = bench.ask("campaign", "audit", "test", "--verify")
    assert (during["balanced"], during["differences"]) == (True, [])
    assert process.wait(120) == 0, bench.logs()
    shown = bench.ask("campaign", "show", "test")
    assert best["number"] not in [row["experiment"] for row in shown["best"]]
    assert (shown["counts"]["completed"], shown["spent"], shown["imported"]) == (12, 10, 2), "what was imported costs nothing"
    (row,) = [e for e in bench.ask("experiment", "list", "test") if e["retracted_at"]]
    assert (row["number"], row["retracted_reason"]) == (best["number"], "wrong vial")
    after = bench.ask("campaign", "audit", "test", "--head", during["head"])
    assert (after["balanced"], after["given_head_at"]) == (True, during["n_events"])
    assert after["compared_with_journals"] == 10
    # All of it can be taken away and checked elsewhere, the drivers' journals with it.
    bundle = bench.folder / "test.zip"
    with find([f"sqlite:///{bench.store}"], "test") as found:
        export(found, "crate", bundle)
    checked = check_bundle(bundle, during["head"])
    assert (checked.sound, checked.differences, checked.given_at) == (True, [], during["n_events"])
    with zipfile.ZipFile(bundle) as archive:
        (journal,) = [name for name in archive.namelist() if name.startswith("journals/")]
        assert len(archive.read(journal).splitlines()) == 10
    # A larger budget lets it go on, after a restart, without the retracted result.
    bench.campaign.write_text(bench.campaign.read_text().replace("experiments: 10", "experiments: 11"))
    assert bench.run()["counts"]["completed"] == 13
    assert bench.ask("campaign", "audit", "test", "--verify")["differences"] == []


def test_result_that_waits_in_an_outbox_is_a_note_and_one_that_was_changed_a_difference(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(experiments=3, duration="2 s")
    process = bench.start()
    wait_until(lambda: bench.carried_out().total() >= 2, 120, "the second experiment")
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    wait_until(lambda: bench.ask("campaign", "audit", "test")["notes"] != [], 60, "the result in the outbox")
    report = bench.ask("campaign", "audit", "test")
    assert report["differences"] == []
    assert "the result waits there for the controller" in report["notes"][0]
    (number,) = [e["number"] for e in bench.ask("experiment", "list", "test", "--status", "running")]
    explained = bench.ask("experiment", "resolve", "test", str(number), "--explain")
    assert "its result waits here" in explained["attempts"][0]["meaning"]
    assert bench.run()["counts"]["completed"] == 3
    assert bench.ask("campaign", "audit", "test")["balanced"]
    (journal,) = bench.folder.glob("store.files/labs/*/*/journal.db")
    with sqlite3.connect(journal) as database:
        database.execute("UPDATE attempts SET outcome = json_set(outcome, '$.values.y.value', 99.5)")
    told = bench.ask("campaign", "audit", "test", code=1)
    assert len(told["differences"]) == 3
    assert all("measured y: " in line for line in told["differences"]), told["differences"]


SCALES = '''
"""Scales that die once, in the middle of an action that cannot be undone, and can be read."""
import os
from pathlib import Path
from typing import Annotated
from instruments.sdk import ActionContext, Driver, Quantity, Recovery, action

class Scales(Driver):
    simulated = True
    def __init__(self, *, log: str) -> None:
        self.log = Path(log)

    @action(duration=(1, 60), consequence="irreversible", returns={"mass": Quantity("g")})
    def dose(self, ctx: ActionContext, amount: Annotated[float, Quantity("g", low=1, high=10)]) -> dict[str, float]:
        first = not self.log.exists()
        with self.log.open("a") as log:
            log.write("dose\\n")
        if first:
            os._exit(9)
        return {"mass": amount}

    @dose.recover
    def recover_dose(self, ctx: ActionContext, amount: float) -> Recovery:
        return Recovery.unknown("the scales show 4.2 g, the jar was not tared")

    @action(duration=(0, 5), consequence="safe", returns={"mass": Quantity("g")})
    def weigh(self, ctx: ActionContext) -> dict[str, float]:
        return {"mass": 4.2}

class Stove(Driver):
    simulated = True
    @action(duration=(8, 60), consequence="repeatable", returns={})
    def bake(self, ctx: ActionContext) -> None:
        ctx.sleep(8.0)
'''


def test_explanation_tells_what_the_recover_hook_said_and_what_the_device_reads_now(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench()
    (bench.folder / "scales.py").write_text(SCALES, encoding="utf-8")
    (bench.folder / "lab.yaml").write_text(
        f"""lab: weighing-room
instruments:
  scales: {{driver: "scales.py:Scales", options: {{log: {bench.folder / "log"}}}}}
  stove: {{driver: "scales.py:Stove"}}
protocol:
  - {{step: dose, instrument: scales, action: dose, with: {{amount: $amount}}, gives: {{mass: mass}}}}
  - {{step: bake, instrument: stove, action: bake, after: [dose]}}
"""
    )
    bench.campaign.write_text(
        """campaign: test
parameters:
  amount: {type: continuous, bounds: [1, 10], unit: g}
objectives:
  mass: {goal: maximize, unit: g}
budget: {experiments: 20}
proposals: {first_points: 20}
lab: lab.yaml
"""
    )
    process = bench.start()
    wait_until(lambda: bench.store.exists() and bench.ask("campaign", "list") != [], 90, "the campaign")
    unknown = ("experiment", "list", "test", "--status", "unknown")
    wait_until(lambda: bench.ask(*unknown) != [], 90, "the unknown experiment")

    def explained() -> dict[str, Any]:
        (attempt,) = bench.ask("experiment", "resolve", "test", "1", "--explain")["attempts"]
        return dict(attempt)

    # It is not read while it doses for the next experiment.
    wait_until(lambda: explained()["not_read"] == "", 60, "a reading of the scales")
    attempt = explained()
    assert "the scales show 4.2 g, the jar was not tared" in attempt["meaning"]
    assert attempt["reads"] == {"weigh": {"mass": [4.2, "g"]}}
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 3, bench.logs()
    away = explained()
    assert (away["reads"], away["not_read"]) == ({}, "no controller is at work")
    bench.ask("experiment", "resolve", "test", "1", "--as", "completed", "--value", "mass=4.2")
    wait_until(lambda: bench.ask("campaign", "audit", "test")["balanced"], 30, "the books to balance")
    report = bench.ask("campaign", "audit", "test", "--verify")
    assert report["differences"] == []
    assert any("a person settled it as succeeded" in note for note in report["notes"]), report["notes"]
