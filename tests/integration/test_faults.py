"""What goes wrong on a bench: interrupted irreversible actions, failures in a row, aborts, stalls, drivers served by hand."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.support import LABWRIGHT, Bench, wait_until, write_press_campaign

pytestmark = pytest.mark.timeout(300)

DRIVER = '''
"""A press that cannot say what became of a stroke."""
from pathlib import Path
from typing import Annotated
from instruments.sdk import ActionContext, Driver, Quantity, action

class Press(Driver):
    simulated = True
    def __init__(self, *, log: str, seconds: float = 0.1, fails: bool = False) -> None:
        self.log, self.seconds, self.fails = Path(log), seconds, fails

    @action(duration=(1, 2), consequence="irreversible", returns={"height": Quantity("mm")})
    def stroke(self, ctx: ActionContext, force: Annotated[float, Quantity("kN", low=1, high=10)]) -> dict[str, float]:
        with self.log.open("a") as log:
            log.write(f"{ctx.attempt}\\n")
        ctx.sleep(self.seconds)
        if self.fails:
            raise RuntimeError("the die is blocked")
        return {"height": 20.0 - force}
'''


def press_bench(bench: Bench, *, experiments: int, options: str = "", more: str = "", driver: str = "press.py:Press") -> None:
    (bench.folder / "press.py").write_text(DRIVER, encoding="utf-8")
    strokes = bench.folder / "strokes.txt"
    strokes.touch()
    written = "" if driver == "external" else f", options: {{log: {strokes}{options}}}"
    (bench.folder / "lab.yaml").write_text(
        f"""lab: press-lab
instruments:
  press: {{driver: "{driver}"{written}}}
protocol:
  - {{step: press, instrument: press, action: stroke, with: {{force: $force}}, gives: {{height: height}}}}
""",
        encoding="utf-8",
    )
    write_press_campaign(bench.campaign, experiments=experiments, more=more)


def strokes(bench: Bench) -> list[str]:
    return (bench.folder / "strokes.txt").read_text(encoding="utf-8").split()


def test_interrupted_irreversible_action_is_unknown_and_never_repeated_until_a_person_resolves_it(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench()
    press_bench(bench, experiments=2, options=", seconds: 4.0")
    process = bench.start()
    wait_until(lambda: len(strokes(bench)) == 1, 90, "the first stroke")
    for pid in bench.driver_pids():
        os.kill(pid, signal.SIGKILL)
    assert process.wait(120) == 0, bench.logs()
    first, second = bench.ask("experiment", "list", "test")
    assert (first["status"], second["status"]) == ("unknown", "completed")
    assert len(strokes(bench)) == 2
    assert bench.ask("campaign", "audit", "test")["balanced"]
    bench.ask("experiment", "resolve", "test", "1", "--as", "completed", "--value", "height=12.5")
    first, _ = bench.ask("experiment", "list", "test")
    assert (first["status"], first["objectives"]) == ("completed", {"height": 12.5})
    assert bench.ask("campaign", "audit", "test")["balanced"]
    assert len(strokes(bench)) == 2


def test_campaign_pauses_after_failures_in_a_row_and_goes_on_when_asked(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    press_bench(bench, experiments=6, options=", fails: true", more="failures: {pause_after: 3}\n")
    process = bench.start()
    assert process.wait(120) == 3, bench.logs()
    assert bench.ask("campaign", "show", "test")["status"] == "paused"
    assert [e["status"] for e in bench.ask("experiment", "list", "test")] == ["failed"] * 3
    lab = bench.folder / "lab.yaml"
    lab.write_text(lab.read_text(encoding="utf-8").replace(", fails: true", ""), encoding="utf-8")
    summary = bench.run()
    assert (summary["counts"]["failed"], summary["counts"]["completed"]) == (3, 3)
    assert len(strokes(bench)) == 6
    assert bench.ask("campaign", "audit", "test")["balanced"]


def test_abort_ends_what_runs_and_the_campaign(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    press_bench(bench, experiments=5, options=", seconds: 30.0")
    process = bench.start()
    wait_until(lambda: len(strokes(bench)) == 1, 90, "the first stroke")
    bench.ask("campaign", "abort", "test")
    assert process.wait(60) == 1, bench.logs()
    (first,) = bench.ask("experiment", "list", "test")
    assert first["status"] in ("cancelled", "unknown")
    assert bench.ask("campaign", "show", "test")["status"] == "failed"
    assert bench.ask("campaign", "audit", "test")["balanced"]


def test_abort_is_carried_through_by_the_next_controller(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    press_bench(bench, experiments=5, options=", seconds: 30.0")
    source = bench.folder / "press.py"  # whose deadline is not to end it before anybody else does
    source.write_text(source.read_text(encoding="utf-8").replace("duration=(1, 2)", "duration=(30, 40)"), encoding="utf-8")
    process = bench.start()
    wait_until(lambda: len(strokes(bench)) == 1, 90, "the first stroke")
    for pid in bench.driver_pids():
        os.kill(pid, signal.SIGSTOP)  # it can confirm nothing before the controller is gone
    bench.ask("campaign", "abort", "test")
    process.kill()
    process.wait()
    assert bench.ask("campaign", "show", "test")["status"] == "stopping"
    for pid in bench.driver_pids():
        os.kill(pid, signal.SIGCONT)
    process = bench.start()
    assert process.wait(60) == 1, bench.logs()
    (first,) = bench.ask("experiment", "list", "test")
    assert first["status"] in ("cancelled", "unknown")
    assert bench.ask("campaign", "show", "test")["status"] == "failed"
    assert len(strokes(bench)) == 1
    assert bench.ask("campaign", "audit", "test")["balanced"]


def test_external_driver_served_by_hand_is_used(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    press_bench(bench, experiments=2, driver="external")
    process = bench.start()
    rendezvous = bench.folder / "store.files" / "labs" / "press-lab" / "rendezvous.json"
    wait_until(rendezvous.exists, 60, "the rendezvous file")
    driver = _serve(bench, rendezvous)
    try:
        # The press says that it is simulated, and the lab file names a real instrument: it must not stand in unnoticed.
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(8)
        assert strokes(bench) == []
        source = bench.folder / "press.py"
        source.write_text(source.read_text(encoding="utf-8").replace("simulated = True", "simulated = False"), encoding="utf-8")
        driver.terminate()
        driver.wait(20)
        driver = _serve(bench, rendezvous)
        assert process.wait(120) == 0, bench.logs()
    finally:
        driver.terminate()
        driver.wait(20)
        process.kill()
    listed = bench.ask("experiment", "list", "test")
    assert [e["status"] for e in listed] == ["completed", "completed"]
    assert not any(e["simulated"] for e in listed)


def _serve(bench: Bench, rendezvous: Path) -> subprocess.Popen[bytes]:
    options = f'{{"log": "{bench.folder / "strokes.txt"}"}}'
    with (bench.folder / "served.log").open("ab") as log:
        return subprocess.Popen(
            [*LABWRIGHT, "driver", "serve", f"{bench.folder / 'press.py'}:Press", "--instrument", "press",
             "--controller", str(rendezvous), "--journal", str(bench.folder / "journal.db"), "--options", options],
            stdout=log, stderr=log,
        )  # fmt: skip
