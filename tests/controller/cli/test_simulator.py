"""`labwright simulator serve`: what is told to end takes its drivers along."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from tests.integration.support import wait_until


def test_simulator_that_is_told_to_end_leaves_no_driver_behind(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "controller", "simulator", "serve", "flow-chemistry",
         "--controller", str(tmp_path / "rendezvous.json"), "--folder", str(tmp_path / "lab")],
        stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    served = psutil.Process(process.pid)
    drivers: list[psutil.Process] = []
    try:
        wait_until(lambda: (tmp_path / "lab" / "hplc" / "stop.sock").exists(), 40, "the drivers")
        drivers = [child for child in served.children(recursive=True) if "instruments" in child.cmdline()]
        assert len(drivers) == 2
        process.terminate()
        assert process.wait(30) == 0
        assert not any(driver.is_running() for driver in drivers)
    finally:
        for left in [*drivers, served]:
            if left.is_running():
                left.kill()
        process.wait()
