"""The table's device: draws and means of measured rows, the same ones every time."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest

from instruments.clock import Clock, SystemClock
from instruments.errors import DeviceFaultError, DriverOptionsError
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import describe_driver
from instruments.sdk.options import build_driver
from simulators.devices.table import TableDriver

CSV = "solvent,temperature,yield,cost\nDMAc,90,10,1\nDMAc,90,20,2\nDMAc,90,60,3\nBuOAc,90,5,9\n"


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "t.csv").write_text(CSV)
    return {
        "data": str(tmp_path / "t.csv"),
        "parameters": {
            "solvent": {"column": "solvent", "kind": "text"},
            "T": {"column": "temperature", "kind": "number", "unit": "degC"},
        },
        "objectives": {"yield": {"column": "yield", "unit": "percent"}, "cost": {"column": "cost"}},
        "duration": 0.0,
        "seed": 3,
    }


def _measure(driver: TableDriver, attempt: str, clock: Clock | None = None, **setting: Any) -> dict[str, Any]:
    action = driver.actions()["measure"]
    context = ActionContext(attempt, clock or SystemClock())
    return dict(asyncio.run(asyncio.wait_for(action.handler(context, **setting), 10.0)))


def test_table_describes_the_campaigns_parameters(options: dict[str, Any]) -> None:
    described = describe_driver(build_driver(TableDriver, {**options, "capacity": 3}))
    measure = described.actions["measure"]
    assert described.capacity == 3
    assert measure.arguments["T"].unit == "degC"
    assert measure.arguments["solvent"].kind == "str"
    assert measure.returns["yield"].unit == "percent"
    assert (measure.consequence, measure.checkable) == ("consumes", True)


def test_table_draws_whole_rows_of_the_setting(options: dict[str, Any]) -> None:
    driver = build_driver(TableDriver, options)
    drawn = [_measure(driver, f"a{i}", solvent="DMAc", T=90.0) for i in range(60)]
    assert {(row["yield"], row["cost"]) for row in drawn} == {(10.0, 1.0), (20.0, 2.0), (60.0, 3.0)}


def test_table_draws_the_same_rows_again_with_the_same_seed_only(options: dict[str, Any]) -> None:
    def draws(**changed: Any) -> list[float]:
        driver = build_driver(TableDriver, {**options, **changed})
        return [_measure(driver, f"a{i}", solvent="DMAc", T=90.0)["yield"] for i in range(20)]

    assert draws() == draws()
    assert draws(seed=4) != draws()


def test_table_draw_does_not_depend_on_what_else_was_measured(options: dict[str, Any]) -> None:
    one, other = build_driver(TableDriver, options), build_driver(TableDriver, options)
    _measure(other, "first", solvent="BuOAc", T=90.0)
    assert _measure(one, "a", solvent="DMAc", T=90.0) == _measure(other, "b", solvent="DMAc", T=90.0)


def test_table_returns_the_mean_of_the_rows_when_asked(options: dict[str, Any]) -> None:
    driver = build_driver(TableDriver, {**options, "replicates": "mean"})
    assert _measure(driver, "a", solvent="DMAc", T=90.0) == {"yield": 30.0, "cost": 2.0}


def test_table_finds_a_setting_to_nine_digits(options: dict[str, Any]) -> None:
    driver = build_driver(TableDriver, options)
    assert _measure(driver, "a", solvent="BuOAc", T=90.0 * (1 + 1e-13)) == {"yield": 5.0, "cost": 9.0}


def test_table_faults_at_a_setting_that_was_never_measured(options: dict[str, Any]) -> None:
    driver = build_driver(TableDriver, options)
    with pytest.raises(DeviceFaultError, match=r"no measurement at solvent=BuOAc, T=91\.0") as caught:
        _measure(driver, "a", solvent="BuOAc", T=91.0)
    assert not caught.value.retryable


def test_table_gives_the_faults_that_were_asked_for(options: dict[str, Any]) -> None:
    failing = build_driver(TableDriver, {**options, "faults": {"fail": 1.0}})
    with pytest.raises(DeviceFaultError, match="simulated fault") as caught:
        _measure(failing, "a", solvent="BuOAc", T=90.0)
    assert caught.value.retryable
    spoilt = build_driver(TableDriver, {**options, "faults": {"nan": 1.0}})
    assert all(math.isnan(v) for v in _measure(spoilt, "a", solvent="BuOAc", T=90.0).values())
    drifting = build_driver(TableDriver, {**options, "faults": {"drift": 0.1}})
    values = [_measure(drifting, f"a{i}", solvent="BuOAc", T=90.0)["yield"] for i in range(3)]
    assert values == pytest.approx([5.0, 5.5, 6.0])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"data": "nowhere.csv"}, "cannot be read"),
        ({"objectives": {"yield": {"column": "yeild"}}}, "no column 'yeild'"),
        ({"objectives": {}}, "objectives"),
        ({"replicates": "median"}, "replicates"),
        ({"duration": -1.0}, "duration"),
        ({"faults": {"fail": 3}}, "fail"),
        ({"speed": 3}, "unknown option 'speed'"),
    ],
)
def test_table_refuses_options_that_do_not_fit(options: dict[str, Any], changed: dict[str, Any], words: str) -> None:
    with pytest.raises(DriverOptionsError, match=words):
        build_driver(TableDriver, {**options, **changed})


def test_table_takes_plain_options_as_a_lab_file_holds_them(options: dict[str, Any]) -> None:
    assert TableDriver(**{**options, "faults": {"fail": 0.5}}).faults.fail == 0.5


def test_device_begins_an_attempt_once_when_it_is_sent_again(options: dict[str, Any], tmp_path: Path) -> None:
    log = tmp_path / "device.jsonl"
    first = _measure(build_driver(TableDriver, {**options, "log": str(log)}), "a", solvent="DMAc", T=90.0)
    again = _measure(build_driver(TableDriver, {**options, "log": str(log), "seed": 99}), "a", solvent="DMAc", T=90.0)
    assert first == again
    assert log.read_text().count('"began"') == 1
