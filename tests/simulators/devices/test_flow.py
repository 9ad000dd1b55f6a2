"""Reactor and HPLC: from a setting to the objectives, with the noise that was asked for."""

from __future__ import annotations

import asyncio
import statistics
from typing import Any

import pytest

from instruments.clock import ScaledClock
from instruments.errors import DeviceFaultError
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver, describe_driver
from simulators.devices.hplc import HplcDriver
from simulators.devices.reactor import SPECIES, ReactorDriver
from simulators.physics.snar import e_factor, react, space_time_yield

SETTING = {"temperature": 60.0, "residence_time": 1.0, "equivalents": 2.0, "concentration": 0.3}


def _do(driver: Driver, action: str, attempt: str = "a", /, **arguments: Any) -> dict[str, Any]:
    context = ActionContext(attempt, ScaledClock(1e6))
    return dict(asyncio.run(asyncio.wait_for(driver.actions()[action].handler(context, **arguments), 10.0)))


def test_reactor_and_hplc_reach_the_physics_within_their_noise() -> None:
    crude = _do(ReactorDriver(seed=1), "run", **SETTING)
    assert set(crude) == set(SPECIES)
    found = _do(HplcDriver(seed=2, noise=0.01), "measure", residence_time=1.0, **crude)
    truth = react(**SETTING)
    assert found["space_time_yield"] == pytest.approx(space_time_yield(truth, 1.0), rel=0.05)
    assert found["e_factor"] == pytest.approx(e_factor(truth), rel=0.05)


def test_hplc_scatters_as_much_as_told_when_it_measures_again() -> None:
    crude = dict(zip(SPECIES, (0.01, 0.2, 0.25, 0.01, 0.01), strict=True))
    for noise in (0.0, 0.02):
        hplc = HplcDriver(noise=noise)
        yields = [_do(hplc, "measure", f"a{i}", residence_time=1.0, **crude)["space_time_yield"] for i in range(200)]
        assert statistics.stdev(yields) / statistics.mean(yields) == pytest.approx(noise, rel=0.2, abs=1e-4)


def test_hplc_faults_when_there_is_no_product() -> None:
    with pytest.raises(DeviceFaultError, match="no peak of the ortho product"):
        _do(HplcDriver(), "measure", residence_time=1.0, **dict.fromkeys(SPECIES, 0.0))


def test_reactor_takes_longer_at_long_residence_times_and_scales() -> None:
    run = ReactorDriver().actions()["run"]
    short, long = (run.duration_for({**SETTING, "residence_time": t})[0] for t in (0.5, 2.0))
    assert long - short == pytest.approx(3 * 1.5 * 60)
    assert ReactorDriver(duration_scale=0.1).actions()["run"].duration_for(SETTING)[0] == pytest.approx(
        0.1 * run.duration_for(SETTING)[0]
    )


def test_both_drivers_describe_themselves_with_units() -> None:
    run = describe_driver(ReactorDriver()).actions["run"]
    assert (run.arguments["temperature"].unit, run.arguments["temperature"].high) == ("degC", 140.0)
    assert describe_driver(HplcDriver()).actions["measure"].returns["space_time_yield"].unit == "kg/m**3/h"
