"""A simulated sensor tells what stands in its file; a file that cannot be understood is a broken sensor, never a reading."""

from __future__ import annotations

from pathlib import Path

import pytest

from instruments.clock import SystemClock
from instruments.errors import DeviceFaultError
from instruments.sdk.context import ActionContext
from simulators.devices.sensor import FILE, SensorDriver


def read(driver: SensorDriver) -> object:
    return driver.actions()["read"].handler(ActionContext("a", SystemClock()))


def test_reading_changes_with_the_file_beside_the_journal(tmp_path: Path) -> None:
    driver = SensorDriver(values={"sash": 2.0})
    assert read(driver) == {"sash": 2.0}
    driver.folder = tmp_path
    assert read(driver) == {"sash": 2.0}
    (tmp_path / FILE).write_text('{"sash": 40, "more": 1}')
    assert read(driver) == {"sash": 40.0}
    (tmp_path / FILE).unlink()
    assert read(driver) == {"sash": 2.0}


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"sash": "wide"}', '{"sash": null}', "\x00"])
def test_file_that_is_no_reading_is_a_broken_sensor(tmp_path: Path, text: str) -> None:
    driver = SensorDriver(values={"sash": 2.0}, file=str(tmp_path / "readings.json"))
    (tmp_path / "readings.json").write_text(text)
    with pytest.raises(DeviceFaultError, match="the sensor is broken"):
        read(driver)
