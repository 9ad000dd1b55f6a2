"""The driver `simulated-sensor`: a device that only tells what it reads, for interlocks and for trying them out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import TypeAdapter, ValidationError

from instruments.bounded import from_json, read_small
from instruments.errors import DeviceFaultError
from instruments.sdk.action import Action
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver
from instruments.sdk.quantity import Quantity

FILE = "sensor.json"
_READINGS: TypeAdapter[dict[str, float]] = TypeAdapter(dict[str, float])


class SensorDriver(Driver):
    """Tells readings that stand in a file, so that a person, or a test, can change them while it works.

    Args:
        values: Name -> reading; what it tells while there is no file.
        units: Name -> unit, for those that have one.
        file: `{"NAME": READING, …}`; `sensor.json` beside the driver's journal when left out. A file that cannot be read, or
            lacks a value, is a broken sensor: the reading fails.
    """

    simulated: ClassVar[bool] = True

    def __init__(self, *, values: dict[str, float], units: dict[str, str] | None = None, file: str | None = None) -> None:
        self._values = dict(values)
        self._units = dict(units or {})
        self._file = Path(file) if file else None

    def actions(self) -> Mapping[str, Action]:
        """Return the one action `read`."""
        return {
            "read": Action(
                "read", self._read, {}, {name: Quantity(self._units.get(name)) for name in self._values}, (0.0, 5.0), "safe",
                None, "Tell what is read now.",
            )
        }  # fmt: skip

    def _read(self, ctx: ActionContext) -> dict[str, Any]:
        del ctx
        path = self._file or (None if self.folder is None else self.folder / FILE)
        if path is None:
            return dict(self._values)
        try:
            found = _READINGS.validate_python(from_json(read_small(path)))
        except FileNotFoundError:
            return dict(self._values)
        except (OSError, ValueError, ValidationError) as error:
            raise DeviceFaultError(f"the sensor is broken: {path.name}: {error}".splitlines()[0]) from error
        missing = [name for name in self._values if name not in found]
        if missing:
            raise DeviceFaultError(f"the sensor is broken: {path.name} has no {', '.join(missing)}")
        return {name: found[name] for name in self._values}
