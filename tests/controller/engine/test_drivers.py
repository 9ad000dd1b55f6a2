"""Driver processes are kept running, whatever keeps one from being started; real processes of a simulated sensor."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import stat
from pathlib import Path

import pytest

from controller.domain.lab import InstrumentSpec
from controller.engine.drivers import DriverProcess
from tests.instruments.support import until


async def test_driver_that_could_not_be_started_is_started_when_it_can_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "hood"
    folder.touch()  # nothing can be written into it, as on a full disk
    spec = InstrumentSpec(driver="simulators.devices.sensor:SensorDriver", options={"values": {"sash": 2.0}})
    driver = DriverProcess("hood", spec, folder, tmp_path / "rendezvous.json", "system", lambda: False)
    with caplog.at_level(logging.WARNING):
        driver.start()
        await until(lambda: "the driver of hood cannot be started" in caplog.text)
    caplog.clear()
    folder.unlink()
    await until(lambda: (folder / "driver.pid").exists())
    pid = int((folder / "driver.pid").read_text())
    try:
        assert stat.S_IMODE((folder / "options.json").stat().st_mode) == 0o600
    finally:
        await driver.close(patience_s=0.0)
        os.killpg(pid, signal.SIGKILL)
        await asyncio.to_thread(os.waitpid, pid, 0)
