"""Checks at the device's door: what comes in against limits and units, what goes out against what was declared."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any

from instruments.errors import (
    InvalidCommandError,
    MeasurementInvalidError,
    OutOfLimitsError,
    UnitError,
)
from instruments.protocol.capabilities import ActionDescription, ArgumentDescription, ReturnDescription, ValueKind
from instruments.protocol.messages import Command
from instruments.protocol.values import MAX_TEXT, MeasuredValue, Scalar
from instruments.sdk.quantity import Measured
from instruments.units import convert, convert_spread, same_unit

_WORDS: dict[ValueKind, str] = {"float": "a number", "int": "a whole number", "bool": "true or false", "str": "a text"}


def check_arguments(command: Command, action: ActionDescription) -> tuple[dict[str, Scalar], dict[str, str]]:
    """Check a command's arguments and write them in the declared units.

    Args:
        command: As it came.
        action: The declaration, limits of the lab file applied.

    Returns:
        The arguments to use, defaults filled in, and a line about each one that was converted.

    Raises:
        InvalidCommandError: If an argument is unknown, missing, of the wrong kind or in a unit of another dimension.
        OutOfLimitsError: If a value lies outside its limits.
    """
    for source, names in (("argument", command.arguments), ("unit for", command.units)):
        for name in names:
            if name not in action.arguments or name not in command.arguments:
                near = difflib.get_close_matches(name, action.arguments, n=3) or sorted(action.arguments)
                raise InvalidCommandError(
                    f"action {command.action!r}: {source} {name!r} is not known; it takes {', '.join(near) or 'nothing'}"
                )
    used: dict[str, Scalar] = {}
    conversions: dict[str, str] = {}
    for name, declared in action.arguments.items():
        place = f"action {command.action!r}, argument {name!r}"
        if name not in command.arguments:
            if declared.required:
                raise InvalidCommandError(f"{place} is missing")
            if declared.default is not None:
                used[name] = declared.default
            continue
        value = _of_kind(command.arguments[name], declared.kind, place)
        unit = command.units.get(name)
        if unit is not None:
            value, note = _in_declared_unit(value, unit, declared, place)
            if note:
                conversions[name] = note
        _check_limits(value, declared, place)
        used[name] = value
    return used, conversions


def check_limits(arguments: Mapping[str, Scalar], action: ActionDescription, name: str) -> None:
    """Check arguments that were taken on earlier, in the declared units, against the limits of this moment.

    Raises:
        OutOfLimitsError: If a value lies outside its limits by now.
    """
    for argument, declared in action.arguments.items():
        if argument in arguments:
            _check_limits(arguments[argument], declared, f"action {name!r}, argument {argument!r}")


def _of_kind(value: Scalar, kind: ValueKind, place: str) -> Scalar:
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "str" and isinstance(value, str):
        return value
    if kind in ("int", "float") and isinstance(value, int | float) and not isinstance(value, bool):
        if kind == "float":
            return float(value)
        if float(value).is_integer():
            return int(value)
    raise InvalidCommandError(f"{place}: {value!r} is not {_WORDS[kind]}")


def _in_declared_unit(value: Scalar, unit: str, declared: ArgumentDescription, place: str) -> tuple[Scalar, str | None]:
    wanted = declared.unit or ""
    try:
        if same_unit(unit, wanted):
            return value, None
        if isinstance(value, bool | str):
            raise InvalidCommandError(f"{place}: {_WORDS[declared.kind]} has no unit, got {unit!r}")
        used = convert(float(value), unit, wanted)
    except UnitError as error:
        raise InvalidCommandError(f"{place}: {error}") from error
    if not math.isfinite(used):  # without limits nothing else would stop it
        raise InvalidCommandError(f"{place}: {value} {unit} is too large a number in {wanted or 'no unit'}")
    if declared.kind == "int":
        if abs(used - round(used)) > 1e-9 * max(1.0, abs(used)):
            raise InvalidCommandError(f"{place}: {value} {unit} is {used} {wanted}, not a whole number")
        used = round(used)
    return used, f"{value} {unit} -> {used} {wanted}"


def _check_limits(value: Scalar, declared: ArgumentDescription, place: str) -> None:
    if isinstance(value, str):
        if declared.choices is not None and value not in declared.choices:
            raise OutOfLimitsError(f"{place}: {value!r} is not one of {', '.join(declared.choices)}")
        return
    unit = f" {declared.unit}" if declared.unit else ""
    low, high = declared.low, declared.high
    if low is not None and value < low:
        raise OutOfLimitsError(f"{place}: {value}{unit} is below the limit of {low}{unit}")
    if high is not None and value > high:
        raise OutOfLimitsError(f"{place}: {value}{unit} is above the limit of {high}{unit}")


def check_returned(returned: Any, action: ActionDescription, name: str) -> dict[str, MeasuredValue]:
    """Check what an action returned and write it in the declared units.

    Args:
        returned: Whatever the handler returned.
        action: The declaration.
        name: The action's name, for messages.

    Returns:
        The values for the wire, every declared one and no other.

    Raises:
        MeasurementInvalidError: If a value is missing, undeclared, not finite, of the wrong kind or dimension.
    """
    if returned is None:
        returned = {}
    if not isinstance(returned, Mapping):
        raise MeasurementInvalidError(
            f"action {name!r} returned {type(returned).__name__}, expected a mapping of values"
        )
    missing, extra = set(action.returns) - set(returned), set(returned) - set(action.returns)
    if missing or extra:
        raise MeasurementInvalidError(
            f"action {name!r}: declared values missing: {sorted(missing)}; undeclared values: {sorted(map(str, extra))}",
            retryable=False,
        )
    return {
        key: _measured(returned[key], declared, f"action {name!r}, value {key!r}")
        for key, declared in action.returns.items()
    }


def _measured(value: Any, declared: ReturnDescription, place: str) -> MeasuredValue:
    given = value if isinstance(value, Measured) else Measured(value)
    number = _returned_of_kind(given.value, declared.kind, place)
    sem = None if given.sem is None else float(given.sem)
    if sem is not None and not (math.isfinite(sem) and sem >= 0.0):
        raise MeasurementInvalidError(f"{place}: standard error {sem!r} is not a number of zero or more")
    if given.unit is not None and not isinstance(number, bool | str):
        try:
            if not same_unit(given.unit, declared.unit or ""):
                sem = None if sem is None else convert_spread(sem, given.unit, declared.unit or "")
                number = convert(float(number), given.unit, declared.unit or "")
        except UnitError as error:
            raise MeasurementInvalidError(f"{place}: {error}", retryable=False) from error
    return MeasuredValue(value=number, unit=declared.unit, sem=sem)


def _returned_of_kind(value: Any, kind: ValueKind, place: str) -> Scalar:
    if kind == "str":
        if isinstance(value, str):
            return value[:MAX_TEXT]
    elif kind == "bool":
        # numpy's booleans and numbers know `item`; drivers return them without thinking.
        plain = value.item() if hasattr(value, "item") else value
        if isinstance(plain, bool):
            return plain
    else:
        plain = value.item() if hasattr(value, "item") else value
        if isinstance(plain, int | float) and not isinstance(plain, bool):
            if not math.isfinite(plain):
                raise MeasurementInvalidError(f"{place}: {plain!r} is not a finite number")
            if kind == "float":
                return float(plain)
            if float(plain).is_integer():
                return int(plain)
    raise MeasurementInvalidError(f"{place}: {value!r} is not {_WORDS[kind]}", retryable=False)
