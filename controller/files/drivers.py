"""What the drivers of a lab offer, learnt from their classes on this machine; no device is touched."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from controller.domain.lab import EXTERNAL, InstrumentSpec
from controller.files.faults import one_line

if TYPE_CHECKING:
    from instruments.protocol.capabilities import ActionDescription
    from instruments.sdk.driver import Driver

GENERIC_TWIN: Final = "simulated-twin"
"""The driver that stands in for any other, given that one's tag and options."""

_FILE_KEYS: Final = ("file", "data", "commands", "path")


class UnfitDriverError(ValueError):
    """A driver cannot be used as the lab file says; `place` is the key of the instrument that is to blame."""

    def __init__(self, place: str, text: str) -> None:
        super().__init__(one_line(text))
        self.place = place


@dataclass(frozen=True)
class Offer:
    """What one instrument's driver says of itself."""

    simulated: bool
    actions: Mapping[str, ActionDescription] | None
    """By name, limits of the lab file applied; None where it is known only once the driver connects."""


def look_up(spec: InstrumentSpec) -> Offer:
    """Load the driver of an instrument and describe it.

    Raises:
        UnfitDriverError: If it cannot be loaded on this machine, or its options or limits do not fit it.
    """
    if spec.driver == EXTERNAL:
        return Offer(simulated=False, actions=None)
    driver_class = _load(spec.driver)
    from instruments.errors import DriverOptionsError
    from instruments.sdk.driver import describe_driver
    from instruments.sdk.limits import narrow
    from instruments.sdk.options import build_driver

    try:
        with _no_bytecode():
            offered = describe_driver(build_driver(driver_class, spec.options))
    except Exception as error:  # constructors are anybody's code; whatever they raise, the options do not fit
        raise UnfitDriverError("options", _said(error)) from error
    try:
        return Offer(driver_class.simulated, narrow(offered, spec.limits).actions)
    except DriverOptionsError as error:
        raise UnfitDriverError("limits", str(error).removeprefix("limits: ")) from error


def twin_of(spec: InstrumentSpec) -> InstrumentSpec | None:
    """Return the simulated instrument that stands in for `spec`; None only for an external driver without a `twin`.

    That is itself, the file's `twin`, the driver's, or the generic one, which invents values of the kinds that the driver declares.

    Raises:
        UnfitDriverError: If the driver cannot be loaded on this machine.
    """
    if spec.twin is not None:
        if spec.twin.driver != GENERIC_TWIN or "driver" in spec.twin.options or spec.driver == EXTERNAL:
            return spec.twin
        # `twin: {driver: simulated-twin}` says enough: it is the twin of this instrument.
        return spec.twin.model_copy(update={
            "options": {"driver": spec.driver, "options": spec.options, **spec.twin.options},
            "limits": spec.limits | spec.twin.limits, "capacity": max(spec.capacity, spec.twin.capacity),
        })  # fmt: skip
    if spec.driver == EXTERNAL:
        return None
    driver_class = _load(spec.driver)
    if driver_class.simulated:
        return spec
    tag = driver_class.twin or GENERIC_TWIN
    if tag == GENERIC_TWIN:
        options: dict[str, Any] = {"driver": spec.driver, "options": spec.options}
    else:
        known = inspect.signature(_load(tag)).parameters
        options = {name: value for name, value in spec.options.items() if name in known}
    return InstrumentSpec(driver=tag, options=options, limits=spec.limits, capacity=spec.capacity)


def located(spec: InstrumentSpec, folder: Path) -> InstrumentSpec:
    """Return `spec` with the files that its driver and options name taken from `folder`, so that it can be used anywhere."""
    path, colon, name = spec.driver.rpartition(":") if ":" in spec.driver else (spec.driver, "", "")
    driver = f"{(folder / path).resolve()}{colon}{name}" if _is_file(folder, path, ".py") else spec.driver
    return spec.model_copy(update={
        "driver": driver,
        "options": {key: _located(key, value, folder) for key, value in spec.options.items()},
        "twin": located(spec.twin, folder) if spec.twin is not None else None,
    })  # fmt: skip


def _located(key: str, value: Any, folder: Path) -> Any:
    """Return an option with file names made absolute where there is such a file beside the lab file."""
    if isinstance(value, Mapping):
        return {inner: _located(inner, content, folder) for inner, content in value.items()}
    if not isinstance(value, str):
        return value
    if key.lower().endswith(_FILE_KEYS) and _is_file(folder, value):
        return str((folder / value).resolve())
    if key == "cwd":  # where the command driver starts programs
        return str((folder / value).resolve())
    path, colon, name = value.rpartition(":")
    if colon and name.isidentifier() and _is_file(folder, path, ".py"):  # `file.py:function`
        return f"{(folder / path).resolve()}:{name}"
    return value


def _is_file(folder: Path, name: str, suffix: str = "") -> bool:
    try:
        return bool(name) and name.endswith(suffix) and (folder / name).is_file()
    except (OSError, ValueError):  # too long for a file name, or with a zero byte
        return False


def _load(tag: str) -> type[Driver]:
    from instruments.sdk.registry import load_driver

    try:
        with _no_bytecode():
            return load_driver(tag)
    except Exception as error:  # importing a driver runs anybody's code
        raise UnfitDriverError("driver", f"cannot be loaded on this machine: {_said(error)}") from error


@contextmanager
def _no_bytecode() -> Iterator[None]:
    """Keep Python from leaving `__pycache__` beside a user's driver: looking at a file leaves nothing behind."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _said(error: Exception) -> str:
    from instruments.errors import InstrumentError

    text = str(error) or "no reason given"
    return text if isinstance(error, InstrumentError) else f"{type(error).__name__}: {text}"
