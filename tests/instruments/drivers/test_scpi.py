"""The SCPI driver against an oven with dynamics over TCP (pyvisa-py), and against pyvisa-sim."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from instruments.clock import SystemClock
from instruments.drivers.scpi import ScpiDriver
from instruments.errors import ActionCancelledError, DeviceFaultError, DriverOptionsError, MeasurementInvalidError
from instruments.sdk.context import ActionContext
from instruments.sdk.options import build_driver
from instruments.testing import check_driver
from tests.instruments.drivers.oven import Oven, oven_on_a_port

pytest.importorskip("pyvisa_py")
pytestmark = pytest.mark.timeout(60)

COMMANDS = """
identity: ACME,OVEN
setup: ["OUTP ON"]
stop: ["OUTP OFF"]
timeout: 0.5
actions:
  heat:
    arguments: {temperature: {unit: degC, low: 20, high: 150}}
    write: ["TEMP {temperature:.2f}"]
    wait_for: {query: "TEMP?", value: "{temperature}", tolerance: 1.0, poll: 0.05}
    settle: 0.05
    check: "*OPC?"
    returns: {reached: {unit: degC, query: "TEMP?"}}
    duration: [1, 20]
    consequence: repeatable
  overheat:
    arguments: {temperature: {unit: degC}}
    write: ["TEMP {temperature}"]
    duration: [1, 20]
    consequence: repeatable
  ask:
    returns: {temperature: {unit: degC, query: "TEMP?"}}
    duration: [0.1, 5]
    consequence: safe
"""


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    path = tmp_path / "oven.yaml"
    path.write_text(COMMANDS)
    return path


@pytest.fixture
def oven() -> Iterator[tuple[Oven, str]]:
    with oven_on_a_port() as pair:
        yield pair


@pytest.fixture
def driver(oven: tuple[Oven, str], commands: Path) -> Iterator[ScpiDriver]:
    driver = build_driver(ScpiDriver, {"resource": oven[1], "commands": str(commands)})
    driver.setup()
    yield driver
    driver.teardown()


def carry_out(driver: ScpiDriver, action: str, **arguments: Any) -> Any:
    return driver.actions()[action].handler(ActionContext("a", SystemClock()), **arguments)


def test_heating_waits_until_the_oven_is_there(driver: ScpiDriver, oven: tuple[Oven, str]) -> None:
    began = time.monotonic()
    values = carry_out(driver, "heat", temperature=120.0)
    assert abs(values["reached"] - 120.0) <= 1.0
    assert time.monotonic() - began > 0.5  # from 25 to within 1 of 120 degC takes 4.5 time constants
    assert "TEMP 120.00" in oven[0].received


def test_error_queue_becomes_a_fault(driver: ScpiDriver) -> None:
    with pytest.raises(DeviceFaultError, match="Data out of range"):
        carry_out(driver, "overheat", temperature=500.0)


def test_silent_device_is_a_fault_and_the_next_call_works(driver: ScpiDriver, oven: tuple[Oven, str]) -> None:
    oven[0].mute = True
    with pytest.raises(DeviceFaultError, match=r"TEMP\?") as raised:
        carry_out(driver, "ask")
    assert raised.value.retryable
    oven[0].mute = False
    assert carry_out(driver, "ask")["temperature"] == pytest.approx(25.0, abs=1.0)


def test_wrong_device_is_never_driven(oven: tuple[Oven, str], tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(COMMANDS.replace("identity: ACME,OVEN", "identity: ACME,PUMP"))
    other = ScpiDriver(resource=oven[1], commands=path)
    with pytest.raises(DeviceFaultError, match="expected 'ACME,PUMP'"):
        other.setup()
    other.teardown()
    assert oven[0].received == ["*IDN?"]


def test_stop_switches_off_while_heating(driver: ScpiDriver, oven: tuple[Oven, str]) -> None:
    context = ActionContext("a", SystemClock())
    ended: list[ActionCancelledError] = []

    def heat() -> None:
        try:
            driver.actions()["heat"].handler(context, temperature=150.0)
        except ActionCancelledError as error:
            ended.append(error)

    thread = threading.Thread(target=heat)
    thread.start()
    time.sleep(0.2)
    context.cancel("stopped")
    driver.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert len(ended) == 1
    deadline = time.monotonic() + 5
    while "OUTP OFF" not in oven[0].received and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "OUTP OFF" in oven[0].received


def test_driver_keeps_the_contract(oven: tuple[Oven, str], commands: Path) -> None:
    results = check_driver(
        lambda: ScpiDriver(resource=oven[1], commands=commands), action="heat", arguments={"temperature": 60.0}
    )
    assert [result for result in results if result.status != "passed"] == []


def test_device_of_pyvisa_sim_is_driven(tmp_path: Path) -> None:
    pytest.importorskip("pyvisa_sim")
    simulated = tmp_path / "device.yaml"
    simulated.write_text(
        r"""
spec: "1.1"
devices:
  source:
    eom: {TCPIP SOCKET: {q: "\n", r: "\n"}}
    error: {response: {command_error: "-113,error"}}
    dialogues:
      - {q: "*IDN?", r: "SIM,SOURCE"}
      - {q: "SYST:ERR?", r: "0,no error"}
    properties:
      voltage:
        default: 1.0
        getter: {q: "VOLT?", r: "{:.3f}"}
        setter: {q: "VOLT {:.3f}"}
        specs: {min: 0, max: 10, type: float}
resources:
  "TCPIP::localhost::10001::SOCKET": {device: source}
"""
    )
    driver = ScpiDriver(
        resource="TCPIP::localhost::10001::SOCKET",
        backend=f"{simulated}@sim",
        commands={
            "identity": "SIM",
            "actions": {
                "set": {
                    "arguments": {"voltage": {"unit": "V", "low": 0, "high": 5}},
                    "write": ["VOLT {voltage:.3f}"],
                    "returns": {"voltage": {"unit": "V", "query": "VOLT?"}},
                    "duration": [0.1, 5],
                    "consequence": "repeatable",
                }
            },
        },
    )
    driver.setup()
    assert carry_out(driver, "set", voltage=2.5) == {"voltage": 2.5}
    driver.teardown()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (("TEMP {temperature:.2f}", "TEMP {temprature}"), "uses unknown"),
        (("TEMP {temperature:.2f}", "TEMP {temperature.__class__}"), "not an argument's name"),
        (("duration: [1, 20]", "duration: [30, 20]"), "typical is longer"),
        (("consequence: safe", "consequence: harmless"), "actions.ask.consequence"),
        (("settle: 0.05", "setle: 0.05"), "setle: Extra inputs"),
        (("arguments: {temperature: {unit: degC}}", "arguments: {temperature: {kind: str}}"), "list its choices"),
        (("identity:", "identity: [:"), "cannot be read"),
    ],
)
def test_file_of_commands_that_is_wrong_is_refused(change: tuple[str, str], match: str, tmp_path: Path) -> None:
    path = tmp_path / "oven.yaml"
    path.write_text(COMMANDS.replace(*change, 1))
    with pytest.raises(DriverOptionsError, match=match):
        build_driver(ScpiDriver, {"resource": "TCPIP::127.0.0.1::1::SOCKET", "commands": path})


def test_answer_that_is_no_number_is_an_invalid_measurement(driver: ScpiDriver) -> None:
    with pytest.raises(MeasurementInvalidError, match="kind float"):
        ScpiDriver(
            resource=driver._resource,
            commands={
                "error_query": None,
                "actions": {
                    "ask": {
                        "returns": {"t": {"query": "*IDN?"}},
                        "duration": [1, 2],
                        "consequence": "safe",
                    }
                },
            },
        ).actions()["ask"].handler(ActionContext("a", SystemClock()))
