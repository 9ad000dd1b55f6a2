"""The function driver: a child process that answers, fails, dies, or is ended."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from instruments.clock import SystemClock
from instruments.drivers.function import FunctionDriver
from instruments.errors import ActionCancelledError, DeviceFaultError, DriverOptionsError
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import describe_driver
from instruments.sdk.options import build_driver
from instruments.sdk.quantity import Measured
from instruments.testing import check_driver

pytestmark = pytest.mark.timeout(60)
HERE = "tests.instruments.drivers.functions"


def make(name: str, /, **options: Any) -> FunctionDriver:
    given = {"function": f"{HERE}:{name}", "returns": {"y": {}}, "duration": [0.1, 30], **options}
    return build_driver(FunctionDriver, given)


def carry_out(driver: FunctionDriver, context: ActionContext | None = None, **arguments: Any) -> Any:
    (action,) = driver.actions().values()
    return action.handler(context or ActionContext("a", SystemClock()), **arguments)


def test_annotations_become_arguments() -> None:
    driver = make("rate", returns={"rate": {"unit": "1/s"}, "wet": {"kind": "bool"}})
    described = describe_driver(driver).actions["run"]
    assert described.arguments["temperature"].unit == "degC"
    assert described.arguments["temperature"].high == 200.0
    assert described.arguments["solvent"].choices == ("water", "ethanol")
    assert described.description == "Arrhenius, more or less."


def test_values_come_back_with_their_spread() -> None:
    driver = make("rate", returns={"rate": {"unit": "1/s"}, "wet": {"kind": "bool"}})
    values = carry_out(driver, temperature=30.0, solvent="ethanol")
    assert values == {"rate": Measured(8.0, sem=0.1), "wet": False}


def test_bare_number_is_the_only_value() -> None:
    assert carry_out(make("square"), x=3.0) == {"y": 9.0}


def test_function_of_a_file_is_called(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def double(x: float) -> float:\n    return 2 * x\n")
    assert carry_out(make("", function=f"{path}:double"), x=3.0) == {"y": 6.0}


@pytest.mark.parametrize(
    ("function", "match"), [("fail", "ValueError: cannot do 3.0"), ("die", "status 11.*as it were")]
)
def test_failure_of_the_function_is_a_fault(function: str, match: str) -> None:
    with pytest.raises(DeviceFaultError, match=match):
        carry_out(make(function), x=3.0)


def test_stop_ends_the_child(tmp_path: Path) -> None:
    flag = tmp_path / "pid"
    driver = make("hang")
    context = ActionContext("a", SystemClock())
    raised: list[Exception] = []

    def work() -> None:
        try:
            carry_out(driver, context, x=1.0, flag=str(flag))
        except ActionCancelledError as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    deadline = time.monotonic() + 20
    while not (flag.exists() and flag.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    pid = int(flag.read_text())
    asked = time.monotonic()
    context.cancel("stopped")
    thread.join(5)
    assert time.monotonic() - asked < 0.5
    assert len(raised) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"function": "no.such.module:f"}, "cannot be imported"),
        ({"function": f"{HERE}:nothing"}, "has no function 'nothing'"),
        ({"function": "nothing"}, "is not package.module:function"),
        ({"duration": ["soon", 3]}, "duration.0"),
        ({"durations": [1, 2]}, "unknown option 'durations'; it takes duration"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(DriverOptionsError, match=match):
        make("square", **options)


def test_driver_keeps_the_contract() -> None:
    results = check_driver(lambda: make("square", arguments={"x": {"unit": "mm", "low": 0, "high": 5}}))
    assert [result for result in results if result.status != "passed"] == []
