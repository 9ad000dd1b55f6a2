"""A context that a person tells and one that the lab reads, while real processes work."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.support import Bench, wait_until, write_press_campaign

pytestmark = pytest.mark.timeout(300)

LAB = """lab: room
instruments:
  press: {driver: function, options: {function: "press.py:press", duration: [1, 20], consequence: repeatable,
          arguments: {force: {unit: kN}}, returns: {height: {unit: mm}}}}
  sensor: {driver: simulated-sensor, options: {values: {humidity: 40.0}, units: {humidity: percent}}}
interlocks:
  - {interlock: room, instrument: sensor, action: read, require: [humidity <= 100], hold: [press], every: 0.2}
protocol:
  - {step: press, instrument: press, action: run, with: {force: $force}, gives: {height: height}}
"""
CONTEXT = """context:
  humidity: {type: continuous, bounds: [0, 100], unit: percent}
  batch: {type: categorical, choices: [new, old]}
context_from: {humidity: room.humidity}
"""


def test_context_is_read_and_told_while_a_campaign_works(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    (bench.folder / "press.py").write_text(
        "def press(force: float) -> dict[str, float]:\n    return {'height': 20.0 - force}\n", encoding="utf-8"
    )
    (bench.folder / "lab.yaml").write_text(LAB, encoding="utf-8")
    write_press_campaign(bench.campaign, experiments=3, more=CONTEXT)
    process = bench.start()
    log = bench.folder / "store.files" / "labs" / "room" / "press" / "driver.log"
    wait_until(lambda: bench.store.exists() and log.exists(), 90, "the campaign")

    def missing() -> list[dict[str, str]]:
        return [a for a in bench.ask("campaign", "show", "test")["alarms"] if a["code"] == "context_missing"]

    wait_until(missing, 60, "the alarm")
    (alarm,) = missing()
    assert "labwright campaign context test batch=VALUE" in alarm["message"]
    assert bench.ask("campaign", "context", "test", "batch=new")["answered"]
    assert process.wait(180) == 0, bench.logs()
    rows = bench.ask("experiment", "list", "test")
    assert [row["status"] for row in rows] == ["completed"] * 3
    assert [row["context"] for row in rows] == [{"humidity": 40.0, "batch": "new"}] * 3
    told = {row["name"]: row for row in bench.ask("campaign", "context", "test")["context"]}
    assert told["humidity"]["by"] == "readings of the lab"
    assert "process" in told["batch"]["by"]
    assert bench.ask("campaign", "audit", "test")["balanced"]
