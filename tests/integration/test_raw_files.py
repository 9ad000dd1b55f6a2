"""Raw files end to end: real controller and driver processes, killed between the file and the result that tells of it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.integration.support import Bench, wait_until, write_press_campaign

pytestmark = pytest.mark.timeout(240)
LAB = """lab: studio
instruments:
  camera: {driver: "tests.integration.camera:Camera"}
protocol:
  - {step: shoot, instrument: camera, action: shoot, with: {force: $force}, gives: {height: height}}
"""


def test_killed_between_file_and_result_the_result_comes_once_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text(LAB, encoding="utf-8")
    write_press_campaign(tmp_path / "campaign.yaml", experiments=2)
    bench = Bench(tmp_path, tmp_path / "campaign.yaml")
    shots = tmp_path / "store.files" / "labs" / "studio" / "camera" / "shots"

    def taken() -> int:
        return len(shots.read_text(encoding="utf-8").splitlines()) if shots.exists() else 0

    process = bench.start()
    try:
        wait_until(lambda: taken() == 1, 60, "the first picture")
        (camera,) = bench.driver_pids()
        os.kill(camera, signal.SIGKILL)  # its file is on the disk, its result is nowhere: the action is repeatable
        wait_until(lambda: taken() == 3, 90, "the picture of the second experiment")
        process.kill()  # the driver finishes alone: file and result wait for the next controller
        process.wait()
        process = bench.start()
        assert process.wait(120) == 0, bench.logs()
    finally:
        process.kill()
        process.wait()
        bench.kill_everything()
    assert taken() == 3, "no picture was taken without need"
    shelf = tmp_path / "store.files" / "files"
    for number, attempts in ((1, ["faulted", "succeeded"]), (2, ["succeeded"])):
        shown = bench.ask("experiment", "show", "test", str(number))
        assert [a["status"] for a in shown["attempts_list"]] == attempts
        (file,) = bench.ask("experiment", "files", "test", str(number), "--output", str(tmp_path / f"out{number}"))
        assert (file["name"], file["where"]) == ("picture.txt", "kept")
        assert Path(file["copied"]).read_text(encoding="utf-8") == f"picture at {shown['parameters']['force']:.6f} kN"
        assert Path(file["path"]).is_relative_to(shelf)
    assert len([path for path in shelf.rglob("*") if path.is_file()]) == 2, "the repeated picture is the same file"
    audit = bench.ask("campaign", "audit", "test", "--verify")
    assert (audit["balanced"], audit["differences"]) == (True, [])
