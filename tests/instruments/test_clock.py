"""Clocks share one lab time and sleep as much faster as it runs."""

from __future__ import annotations

import time

import pytest

from instruments.clock import Clock, ScaledClock, SystemClock, clock_from_text
from instruments.errors import ClockError


def test_scaled_clock_runs_faster_from_its_epoch() -> None:
    clock = ScaledClock(1000.0, epoch_real=time.time() - 1.0, epoch_lab=5000.0)
    assert clock.time() == pytest.approx(6000.0, abs=50.0)


async def test_scaled_clock_sleeps_shorter() -> None:
    clock = ScaledClock(100.0)
    began, lab = time.monotonic(), clock.time()
    await clock.sleep(5.0)
    clock.sleep_sync(5.0)
    assert 0.1 <= time.monotonic() - began < 1.0
    assert clock.time() - lab >= 9.5


def test_text_form_carries_the_same_lab_time_to_another_process() -> None:
    clock = ScaledClock(3600.0, epoch_real=1e9, epoch_lab=12.5)
    other = clock_from_text(clock.to_text())
    assert other.to_text() == clock.to_text() == "3600.0@1000000000.0@12.5"
    assert isinstance(other, Clock)
    assert isinstance(clock_from_text(SystemClock().to_text()), SystemClock)
    assert clock_from_text("60").speed == 60.0


@pytest.mark.parametrize("text", ["fast", "1@2", "0", "-1", "nan", "inf@0@0"])
def test_text_that_is_no_clock_is_refused(text: str) -> None:
    with pytest.raises(ClockError):
        clock_from_text(text)
