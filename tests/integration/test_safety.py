"""Stopping, disabling and holding instruments while campaigns run, and what drivers do when nobody controls them."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from instruments.emergency import SOCKET
from tests.instruments.processes import driver_process
from tests.integration.support import Bench, wait_until, write_press_campaign

pytestmark = pytest.mark.timeout(300)

DRIVER = '''
"""A press whose acts are lines in a file; its stroke may be repeated."""
from pathlib import Path
from typing import Annotated
from instruments.sdk import ActionContext, Driver, Quantity, action

class Press(Driver):
    simulated = True
    def __init__(self, *, log: str, seconds: float = 0.2) -> None:
        self.log, self.seconds = Path(log), seconds

    def note(self, act: str) -> None:
        with self.log.open("a") as log:
            log.write(act + "\\n")

    def stop(self) -> None:
        self.note("stop")

    def go_safe(self) -> None:
        self.note("safe")

    @action(duration=(1, 60), consequence="repeatable", returns={"height": Quantity("mm")})
    def stroke(self, ctx: ActionContext, force: Annotated[float, Quantity("kN", low=1, high=10)]) -> dict[str, float]:
        self.note("began")
        ctx.sleep(self.seconds)
        self.note("ended")
        return {"height": 20.0 - force}
'''


def press_bench(bench: Bench, *, experiments: int = 3, seconds: float = 0.2, press: str = "", more: str = "") -> None:
    (bench.folder / "press.py").write_text(DRIVER, encoding="utf-8")
    (bench.folder / "acts.txt").touch()
    options = f"{{log: {bench.folder / 'acts.txt'}, seconds: {seconds}}}"
    (bench.folder / "lab.yaml").write_text(
        f"""lab: press-lab
instruments:
  press: {{driver: "press.py:Press", options: {options}{press}}}
  hood: {{driver: simulated-sensor, options: {{values: {{sash: 2.0}}}}}}
protocol:
  - {{step: press, instrument: press, action: stroke, with: {{force: $force}}, gives: {{height: height}}}}
{more}""",
        encoding="utf-8",
    )
    rest = f"proposals: {{first_points: {experiments}}}\nfailures: {{attempts: 5}}\n"
    write_press_campaign(bench.campaign, experiments=experiments, more=rest)


def acts(bench: Bench) -> list[str]:
    return (bench.folder / "acts.txt").read_text(encoding="utf-8").split()


def statuses(bench: Bench) -> list[str]:
    return [e["status"] for e in bench.ask("experiment", "list", "test")]


def instrument(bench: Bench, name: str = "press") -> dict[str, Any]:
    (row,) = [row for row in bench.ask("instrument", "list") if row["instrument"] == name]
    return dict(row)


def sensor_file(bench: Bench) -> Path:
    return bench.folder / "store.files" / "labs" / "press-lab" / "hood" / "sensor.json"


def end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait(20)


def test_stopped_instrument_is_held_until_it_is_resumed_and_nothing_is_lost(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    press_bench(bench, experiments=3, seconds=3.0)
    process = bench.start()
    wait_until(lambda: acts(bench) == ["began"], 90, "the first stroke")
    (answer,) = bench.ask("instrument", "stop", "press")
    assert answer["confirmed"]
    assert answer["took_s"] < 2.0
    assert acts(bench) == ["began", "stop"]
    wait_until(lambda: instrument(bench)["state"] == "stopped", 10, "the display")
    assert "labwright instrument resume press" in instrument(bench)["held"]
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(4)
    assert acts(bench) == ["began", "stop"], "nothing is dispatched to it meanwhile"
    (alarm,) = bench.ask("campaign", "show", "test")["alarms"]
    assert alarm["code"] == "held"
    assert [a["confirmed"] for a in bench.ask("instrument", "resume", "press")] == [True]
    assert process.wait(120) == 0, bench.logs()
    assert statuses(bench) == ["completed"] * 3
    assert acts(bench).count("ended") == 3
    assert bench.ask("campaign", "audit", "test")["balanced"]


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_stop_goes_past_a_controller_that_hangs_or_is_dead(make_bench: Callable[..., Bench], number: signal.Signals) -> None:
    bench = make_bench()
    press_bench(bench, experiments=2, seconds=3.0)
    process = bench.start()
    try:
        wait_until(lambda: acts(bench) == ["began"], 90, "the first stroke")
        process.send_signal(number)
        answers = {a["instrument"]: a for a in bench.ask("instrument", "stop", "--all")}
        assert {name: a["confirmed"] for name, a in answers.items()} == {"press": True, "hood": True}
        assert acts(bench) == ["began", "stop"]
    finally:
        end(process)
    second = bench.start()
    wait_until(lambda: instrument(bench)["state"] == "stopped", 60, "the next controller to hear of the stop")
    assert acts(bench) == ["began", "stop"]
    bench.ask("instrument", "resume", "--all")
    assert second.wait(120) == 0, bench.logs()
    assert statuses(bench) == ["completed"] * 2
    assert acts(bench).count("ended") == 2


def test_driver_that_is_served_elsewhere_is_stopped_through_the_controller(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    press_bench(bench, experiments=1, seconds=12.0)
    lab, source = bench.folder / "lab.yaml", bench.folder / "press.py"
    lines = [line for line in lab.read_text(encoding="utf-8").splitlines() if "hood" not in line]
    lines[2] = "  press: {driver: external}"
    lab.write_text("\n".join(lines) + "\n", encoding="utf-8")
    source.write_text(DRIVER.replace("simulated = True", "simulated = False"), encoding="utf-8")
    process = bench.start()
    rendezvous = bench.folder / "store.files" / "labs" / "press-lab" / "rendezvous.json"
    wait_until(rendezvous.exists, 60, "the rendezvous file")
    elsewhere = bench.folder / "elsewhere"
    elsewhere.mkdir()
    with driver_process(
        elsewhere, str(rendezvous), driver=f"{source}:Press", instrument="press",
        options={"log": str(bench.folder / "acts.txt"), "seconds": 12.0},
    ):  # fmt: skip
        wait_until(lambda: acts(bench) == ["began"], 90, "the first stroke")
        (answer,) = bench.ask("instrument", "stop", "press")
        assert answer["confirmed"], answer
        assert acts(bench) == ["began", "stop"]
        (answer,) = bench.ask("instrument", "resume", "--all")
        assert answer["confirmed"], answer
        assert process.wait(120) == 0, bench.logs()
    assert statuses(bench) == ["completed"]


def test_driver_that_has_no_socket_is_stopped_through_the_controller(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    press_bench(bench, experiments=1, seconds=12.0)
    process = bench.start()
    wait_until(lambda: acts(bench) == ["began"], 90, "the first stroke")
    (bench.folder / "store.files" / "labs" / "press-lab" / "press" / SOCKET).unlink()
    (answer,) = bench.ask("instrument", "stop", "press")
    assert answer["confirmed"], answer
    assert acts(bench) == ["began", "stop"]
    (answer,) = bench.ask("instrument", "resume", "press")
    assert answer["confirmed"], answer
    assert process.wait(120) == 0, bench.logs()
    assert statuses(bench) == ["completed"]


def test_disabled_instrument_is_given_nothing_in_this_and_the_next_controller(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    press_bench(bench, experiments=2, seconds=8.0)
    process = bench.start()
    wait_until(lambda: acts(bench) == ["began"], 90, "the first stroke")
    answer = bench.ask("instrument", "disable", "press", "--reason", "leaks oil")
    assert answer["answer"] == "the controller honours it from now on"
    wait_until(lambda: acts(bench) == ["began", "ended"], 20, "the stroke that ran to end")
    row = instrument(bench)
    assert not row["enabled"]
    assert row["held"].endswith("leaks oil")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(3)
    process.terminate()
    assert process.wait(60) == 3, bench.logs()
    again = bench.start()
    wait_until(lambda: instrument(bench)["state"] == "ready", 60, "the next controller's link")
    with pytest.raises(subprocess.TimeoutExpired):
        again.wait(3)
    assert acts(bench) == ["began", "ended"]
    bench.ask("instrument", "enable", "press", "--reason", "sealed")
    assert again.wait(60) == 0, bench.logs()
    assert acts(bench) == ["began", "ended"] * 2


INTERLOCK = """interlocks:
  - {interlock: hood-closed, instrument: hood, action: read, require: [sash <= 5], hold: [press], every: 0.3LATCH}
"""


def test_interlock_holds_while_the_hood_is_open_or_cannot_be_read(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    press_bench(bench, experiments=2, more=INTERLOCK.replace("LATCH", ""))
    sensor_file(bench).parent.mkdir(parents=True)
    sensor_file(bench).write_text('{"sash": 40.0}')
    process = bench.start()
    wait_until(lambda: "sash is 40, required is sash <= 5" in _held(bench), 90, "the hold")
    sensor_file(bench).write_text("no reading at all")
    wait_until(lambda: "it cannot be read" in _held(bench), 20, "the broken sensor")
    assert acts(bench) == []
    alarms = [a["message"] for a in bench.ask("campaign", "show", "test")["alarms"]]
    assert len(alarms) == 1, "once for as long as it is held"
    sensor_file(bench).write_text('{"sash": 4.0}')
    assert process.wait(120) == 0, bench.logs()
    assert acts(bench) == ["began", "ended"] * 2
    journal = sensor_file(bench).with_name("journal.db")
    assert _n_attempts(journal) <= 2, "readings are forgotten once they are acknowledged"


def test_latched_interlock_waits_for_a_person_even_in_the_next_controller(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    press_bench(bench, experiments=2, more=INTERLOCK.replace("LATCH", ", latch: true"))
    sensor_file(bench).parent.mkdir(parents=True)
    sensor_file(bench).write_text('{"sash": 40.0}')
    process = bench.start()
    wait_until(lambda: not instrument(bench)["enabled"] if _listed(bench) else False, 90, "the latch")
    sensor_file(bench).write_text('{"sash": 4.0}')
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(3)
    process.kill()
    process.wait(20)
    again = bench.start()
    wait_until(lambda: instrument(bench)["state"] == "ready", 60, "the next controller's link")
    with pytest.raises(subprocess.TimeoutExpired):
        again.wait(3)
    assert acts(bench) == []
    assert "disabled by interlock hood-closed: " in instrument(bench)["held"]
    bench.ask("instrument", "enable", "press", "--reason", "hood closed again")
    assert again.wait(120) == 0, bench.logs()
    assert acts(bench) == ["began", "ended"] * 2


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
@pytest.mark.parametrize(
    ("policy", "then"),
    [("go_safe", ["began", "safe"]), ("finish_and_hold", ["began", "ended"]), ("carry_on", ["began", "ended"])],
)
def test_driver_does_what_the_lab_file_says_when_its_controller_is_frozen_or_killed(
    make_bench: Callable[..., Bench], policy: str, then: list[str], number: signal.Signals
) -> None:
    bench = make_bench()
    press_bench(bench, experiments=2, seconds=13.0, press=f", on_lost_controller: {policy}")
    process = bench.start()
    try:
        wait_until(lambda: acts(bench) == ["began"], 90, "the first stroke")
        process.send_signal(number)
        wait_until(lambda: len(acts(bench)) == 2, 30, "the driver's reaction")
        assert acts(bench) == then
    finally:
        end(process)


def _listed(bench: Bench) -> bool:
    return bench.store.exists() and bool(bench.ask("instrument", "list"))


def _held(bench: Bench) -> str:
    return str(instrument(bench)["held"]) if _listed(bench) else ""


def _n_attempts(journal: Path) -> int:
    with sqlite3.connect(journal) as database:
        (n,) = database.execute("SELECT count(*) FROM attempts").fetchone()
    database.close()
    return int(n)
