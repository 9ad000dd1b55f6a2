"""The driver contract passes good drivers and names what is wrong with bad ones."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest

from instruments.clock import SystemClock
from instruments.errors import DriverOptionsError
from instruments.sdk.action import action
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver
from instruments.sdk.quantity import Quantity
from instruments.sdk.skeleton import write_skeleton
from instruments.testing import check_driver
from tests.instruments.devices import Bench

pytestmark = pytest.mark.timeout(60)


def failures(make_driver: Callable[[], Driver], **options: object) -> dict[str, str]:
    results = check_driver(make_driver, **options)  # type: ignore[arg-type]
    return {result.name: result.message for result in results if result.status == "failed"}


class Lax(Driver):
    """Returns something else than it declares."""

    simulated = True

    @action(duration=(1, 2), consequence="safe", returns={"a": Quantity("bar")})
    def read(self, ctx: ActionContext) -> dict[str, float]:
        return {"b": 1.0}


class Deaf(Driver):
    """Does not end when it is stopped."""

    simulated = True

    @action(duration=(1, 2), consequence="safe", returns={})
    def read(self, ctx: ActionContext) -> None:
        time.sleep(0.8)


class Odd(Driver):
    """Has a unit that nobody knows."""

    @action(duration=(1, 2), consequence="safe", returns={"a": Quantity("furlong/fortnite")})
    def read(self, ctx: ActionContext, x: Annotated[float, Quantity("degC")]) -> None:
        del ctx, x


class Broken(Driver):
    """Cannot be set up."""

    def setup(self) -> None:
        raise OSError("no such port")

    @action(duration=(1, 2), consequence="safe", returns={})
    def read(self, ctx: ActionContext) -> None:
        del ctx


def test_good_driver_passes_every_check() -> None:
    results = check_driver(Bench, action="cut", arguments={"seconds": 1.0})
    assert [result for result in results if result.status != "passed"] == []
    assert len(results) == 8


@pytest.mark.parametrize(
    ("driver", "check", "match"),
    [
        (Lax, "values come back as declared", "missing: ['a']"),
        (Deaf, "a stop during an action is confirmed within its bound", "use ctx.sleep"),
        (Odd, "actions are declared and fit into a frame", "furlong/fortnite"),
        (Broken, "values come back as declared", "setup failed"),
    ],
)
def test_bad_driver_is_told_what_is_wrong(driver: type[Driver], check: str, match: str) -> None:
    found = failures(driver, clock=SystemClock(), time_limit_s=2.5)
    assert match in found[check]


def test_real_driver_without_a_harmless_action_is_not_exercised() -> None:
    class Cutter(Driver):
        @action(duration=(1, 2), consequence="irreversible", returns={})
        def cut(self, ctx: ActionContext) -> None:
            raise AssertionError("carried out")

    results = {result.name: result for result in check_driver(Cutter)}
    assert results["values come back as declared"].status == "skipped"
    assert results["unknown actions and arguments are rejected"].status == "passed"


def test_skeleton_passes_its_own_test(tmp_path: Path) -> None:
    driver, test = write_skeleton("syringe-pump", tmp_path)
    assert driver.name == "syringe_pump.py"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", str(test)],
        cwd=root, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    with pytest.raises(DriverOptionsError, match="there already"):
        write_skeleton("syringe pump", tmp_path)


@pytest.mark.parametrize("name", ["", "class", "2pump", "/"])
def test_skeleton_refuses_what_is_no_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(DriverOptionsError, match="makes no Python name"):
        write_skeleton(name, tmp_path)
