"""Limits of the lab file: they narrow what a driver declares and are enforced beside the device."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any

from instruments.errors import DriverOptionsError, UnitError
from instruments.protocol.capabilities import ActionDescription, ArgumentDescription, Capabilities
from instruments.units import convert

Limits = Mapping[str, Any]
"""By `argument`, or by `action.argument`: `[low, high]` (either may be null) in the declared unit,
`{low: .., high: .., unit: ..}`, or for arguments of text the list of allowed choices."""


def narrow(capabilities: Capabilities, limits: Limits) -> Capabilities:
    """Apply a lab file's limits.

    Args:
        capabilities: What the driver declares.
        limits: See `Limits`.

    Returns:
        The same, with narrower limits: a limit never widens what the driver allows.

    Raises:
        DriverOptionsError: If a limit names no argument, cannot be read, or leaves nothing.
    """
    known = {key for n, a in capabilities.actions.items() for arg in a.arguments for key in (arg, f"{n}.{arg}")}
    for key in limits:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=3) or sorted(known)[:8]
            raise DriverOptionsError(f"limits: no action has an argument {key!r}; there are {', '.join(near)}")
    actions = {}
    for name, described in capabilities.actions.items():
        arguments = dict(described.arguments)
        for argument in arguments:
            for key in (argument, f"{name}.{argument}"):
                if key in limits:
                    arguments[argument] = _narrowed(arguments[argument], limits[key], f"limits: {key}")
        actions[name] = ActionDescription(**{**dict(described), "arguments": arguments})
    return Capabilities(**{**dict(capabilities), "actions": actions})


def _narrowed(argument: ArgumentDescription, limit: Any, place: str) -> ArgumentDescription:
    if argument.kind == "bool":
        raise DriverOptionsError(f"{place}: a switch has no limits")
    if argument.kind == "str":
        if not isinstance(limit, list | tuple) or not all(isinstance(choice, str) for choice in limit):
            raise DriverOptionsError(f"{place}: {limit!r} is not a list of allowed texts")
        kept = tuple(choice for choice in limit if argument.choices is None or choice in argument.choices)
        if not kept:
            raise DriverOptionsError(f"{place}: none of {limit!r} is allowed by the driver ({argument.choices})")
        return _replaced(argument, choices=kept)
    low, high = _bounds(limit, argument.unit, place)
    low = max((end for end in (low, argument.low) if end is not None), default=None)
    high = min((end for end in (high, argument.high) if end is not None), default=None)
    if low is not None and high is not None and low > high:
        raise DriverOptionsError(f"{place}: {limit!r} leaves nothing of the driver's {argument.low} to {argument.high}")
    return _replaced(argument, low=low, high=high)


def _replaced(argument: ArgumentDescription, **changes: Any) -> ArgumentDescription:
    narrowed = ArgumentDescription(**{**dict(argument), **changes})
    default = narrowed.default
    if default is not None and not narrowed.required:
        below = narrowed.low is not None and isinstance(default, int | float) and default < narrowed.low
        above = narrowed.high is not None and isinstance(default, int | float) and default > narrowed.high
        if below or above or (narrowed.choices is not None and default not in narrowed.choices):
            # The driver's own default is no longer allowed, so a command must say the value.
            return ArgumentDescription(**{**dict(narrowed), "required": True, "default": None})
    return narrowed


def _bounds(limit: Any, unit: str | None, place: str) -> tuple[float | None, float | None]:
    own_unit = unit
    if isinstance(limit, Mapping):
        unknown = set(limit) - {"low", "high", "unit"}
        if unknown:
            raise DriverOptionsError(f"{place}: unknown keys {sorted(unknown)}; expected low, high, unit")
        ends = [limit.get("low"), limit.get("high")]
        own_unit = limit.get("unit", unit)
    elif isinstance(limit, list | tuple) and len(limit) == 2:
        ends = list(limit)
    else:
        raise DriverOptionsError(f"{place}: {limit!r} is neither [low, high] nor {{low: .., high: .., unit: ..}}")
    low, high = (None if end is None else _bound(end, own_unit or "", unit or "", place) for end in ends)
    return low, high


def _bound(end: Any, own_unit: str, unit: str, place: str) -> float:
    if isinstance(end, bool) or not isinstance(end, int | float):
        raise DriverOptionsError(f"{place}: {end!r} is not a number")
    try:
        bound = convert(float(end), own_unit, unit)
    except UnitError as error:
        raise DriverOptionsError(f"{place}: {error}") from error
    except OverflowError:  # a whole number of hundreds of digits
        bound = math.inf
    if not math.isfinite(bound):
        raise DriverOptionsError(f"{place}: {str(end)[:40]} is no finite number of {unit or 'no unit'}; null means no limit")
    return bound
