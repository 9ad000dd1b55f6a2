"""Writes the beginning of a new driver: a class that works at once, and its test."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from instruments.errors import DriverOptionsError

_DRIVER = '''"""The driver of __TITLE__."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from instruments.sdk import ActionContext, Driver, Measured, Quantity, action


class __CLASS__(Driver):
    """__TITLE__, as this file describes it.

    Args:
        resource: Where the device is: a VISA address, a serial port, a host.
        offset: Added to every reading [degC].
    """

    # When the controller has been silent for the lease: "carry_on", "finish_and_hold" or "go_safe".
    on_lost_controller = "finish_and_hold"

    def __init__(self, *, resource: str = "none", offset: float = 0.0) -> None:
        # The keywords are the options of the lab file, checked against these annotations.
        self._resource = resource
        self._offset = offset
        self._temperature = 25.0

    def setup(self) -> None:
        """Connect to the device. Raise if it is not there: it is tried again."""

    def teardown(self) -> None:
        """Let the device go."""

    def stop(self) -> None:
        """Make the device stand still, now. Called from another thread while an action is going on."""

    # duration: typical and longest [s]. consequence: "safe" (reads only), "repeatable", "consumes" or "irreversible";
    # it decides what happens to an action that was interrupted.
    @action(duration=(2.0, 60.0), consequence="repeatable", returns={"temperature": Quantity("degC")})
    def heat(
        self,
        ctx: ActionContext,
        target: Annotated[float, Quantity("degC", low=20.0, high=150.0, description="where to go")],
    ) -> Mapping[str, Measured]:
        """Heat to a temperature and wait until it is there."""
        for step in range(10):
            # ctx.sleep is lab time and ends at once when the action is stopped or its deadline has passed.
            ctx.sleep(0.2)
            self._temperature += (target - self._temperature) * 0.5
            ctx.progress((step + 1) / 10, f"{self._temperature:.1f} degC")
        return {"temperature": Measured(self._temperature + self._offset, sem=0.1)}

    @action(duration=(0.1, 5.0), consequence="safe", returns={"temperature": Quantity("degC")})
    def read(self, ctx: ActionContext) -> Mapping[str, float]:
        """Read the temperature."""
        return {"temperature": self._temperature + self._offset}
'''

_TEST = '''"""The driver of __TITLE__ keeps the driver contract."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # the driver stands beside its test

from instruments.clock import ScaledClock
from instruments.sdk import ActionContext
from instruments.testing import check_driver
from __MODULE__ import __CLASS__


def test_driver_keeps_the_contract() -> None:
    results = check_driver(__CLASS__, action="heat", clock=ScaledClock(100.0))
    assert [f"{result.name}: {result.message}" for result in results if not result.passed] == []


def test_heat_arrives_at_its_target() -> None:
    device = __CLASS__(offset=0.0)
    values = device.heat(ActionContext("test", ScaledClock(1000.0)), target=80.0)
    assert abs(float(values["temperature"].value) - 80.0) < 0.1
'''


def write_skeleton(name: str, folder: Path) -> tuple[Path, Path]:
    """Write a new driver and its test.

    Args:
        name: In words, with dashes or underscores: `syringe-pump`.
        folder: Where; made if it is missing.

    Returns:
        The driver's file and the test's.

    Raises:
        DriverOptionsError: If the name makes no Python name, or a file is there already.
    """
    words = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    module = "_".join(words).lower()
    if not module.isidentifier() or keyword.iskeyword(module):
        raise DriverOptionsError(f"{name!r} makes no Python name; use letters, digits and dashes, a letter first")
    filled = {
        "__TITLE__": f"the {' '.join(words).lower()}",
        "__CLASS__": "".join(word[0].upper() + word[1:] for word in words),
        "__MODULE__": module,
    }
    files = (folder / f"{module}.py", folder / f"test_{module}.py")
    for path in files:
        if path.exists():
            raise DriverOptionsError(f"{path} is there already; choose another name or folder")
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in zip(files, (_DRIVER, _TEST), strict=True):
        for mark, value in filled.items():
            text = text.replace(mark, value)
        path.write_text(text, encoding="utf-8")
    return files
