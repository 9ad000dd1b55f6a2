"""The command driver: programs that answer in every way, fail, hang, and start others."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from instruments.clock import SystemClock
from instruments.drivers.command import CommandDriver
from instruments.errors import ActionCancelledError, DeviceFaultError, DriverOptionsError, MeasurementInvalidError
from instruments.sdk.context import ActionContext
from instruments.sdk.options import build_driver
from instruments.sdk.quantity import Measured
from instruments.testing import check_driver

pytestmark = pytest.mark.timeout(60)
ARGUMENTS = {"x": {"unit": "mm", "low": 0, "high": 10}}


def make(code: str, **changes: Any) -> CommandDriver:
    escaped = code.replace("{", "{{").replace("}", "}}")
    action = {
        "command": [sys.executable, "-c", escaped, "{x}"],
        "arguments": ARGUMENTS,
        "returns": {"y": {"unit": "mm"}},
        "duration": [0.1, 20],
        "consequence": "repeatable",
        **changes,
    }
    return build_driver(CommandDriver, {"actions": {"run": action}})


def carry_out(driver: CommandDriver, context: ActionContext | None = None, **arguments: Any) -> Any:
    return driver.actions()["run"].handler(context or ActionContext("a", SystemClock()), **{"x": 2.0, **arguments})


@pytest.mark.parametrize(
    ("code", "changes", "expected"),
    [
        ("import sys; print('{\"y\": %s}' % (2 * float(sys.argv[1])))", {}, 4.0),
        ("print('hello'); print('{\"y\": {\"value\": 1, \"sem\": 0.5}}'); print('bye')", {}, Measured(1, sem=0.5)),
        ("print('{\"Y out\": 7}')", {"returns": {"y": {"key": "Y out"}}}, 7),
        ("print('working'); print('3.5')", {"parse": "last_line"}, 3.5),
        (
            "print('mass = 1.5 g'); print('mass = 2.5 g')",
            {"parse": "regex", "returns": {"y": {"pattern": r"mass = (\S+) g"}}},
            2.5,
        ),
    ],
    ids=["json", "json with spread", "json key", "last line", "regex"],
)
def test_output_is_read(code: str, changes: dict[str, Any], expected: object) -> None:
    assert carry_out(make(code, **changes)) == {"y": expected}


def test_arguments_never_reach_a_shell(tmp_path: Path) -> None:
    driver = make(
        "import sys; print(sys.argv[1])",
        arguments={"x": {"choices": ["$(touch owned); a b"]}},
        returns={"y": {"kind": "str"}},
        parse="last_line",
    )
    assert carry_out(driver, x="$(touch owned); a b") == {"y": "$(touch owned); a b"}


@pytest.mark.parametrize(
    ("code", "error", "match"),
    [
        ("import sys; sys.exit('no sample')", DeviceFaultError, "status 1: no sample"),
        ("print('nothing useful')", MeasurementInvalidError, "no line of the output is a JSON object"),
        ("print('{}')", MeasurementInvalidError, "the output has no 'y'"),
        ("pass", MeasurementInvalidError, "wrote nothing"),
    ],
)
def test_failure_is_told(code: str, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        carry_out(make(code))


def test_missing_program_is_a_fault() -> None:
    with pytest.raises(DeviceFaultError, match="cannot be started"):
        carry_out(make("", command=["no-such-program-here"]))


def test_stop_ends_the_program_and_what_it_started(tmp_path: Path) -> None:
    flag = tmp_path / "pid"
    code = (
        "import subprocess, sys, time, pathlib, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(flag)!r}).write_text(str(p.pid)); time.sleep(60)"
    )
    context = ActionContext("a", SystemClock())
    raised: list[Exception] = []

    def work() -> None:
        try:
            carry_out(make(code), context)
        except ActionCancelledError as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    deadline = time.monotonic() + 20
    while not (flag.exists() and flag.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    grandchild = int(flag.read_text())
    asked = time.monotonic()
    context.cancel("stopped")
    thread.join(5)
    assert time.monotonic() - asked < 0.5
    assert len(raised) == 1
    gone = False
    while not gone and time.monotonic() < asked + 5:
        try:
            os.kill(grandchild, 0)
            state = Path(f"/proc/{grandchild}/stat").read_text().rpartition(")")[2].split()[0]
            gone = state == "Z"  # dead, and waiting for whoever adopted it
        except (ProcessLookupError, FileNotFoundError):
            gone = True
    assert gone


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"command": ["prog", "{z}"]}, "uses unknown"),
        ({"command": []}, "command"),
        ({"parse": "regex"}, "has no pattern"),
        ({"parse": "last_line", "returns": {}}, "gives one value"),
        ({"shell": True}, "shell: Extra inputs"),
    ],
)
def test_wrong_options_are_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(DriverOptionsError, match=match):
        make("pass", **changes)


def test_driver_keeps_the_contract() -> None:
    code = "import sys, time; time.sleep(0.3); print('{\"y\": 1}')"
    results = check_driver(lambda: make(code))
    assert [result for result in results if result.status != "passed"] == []
