"""Units: checked everywhere, converted only on request and only between units of one dimension."""

from __future__ import annotations

import difflib
import math
import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from instruments.errors import UnitError

if TYPE_CHECKING:
    import pint

_DIMENSIONLESS = ("", "1", "dimensionless")
# Spellings of laboratories that pint's grammar cannot take: '%' is an operator to it.
_SPELLINGS = {"%": "percent", "mol%": "mol_percent", "mol %": "mol_percent", "wt%": "wt_percent", "vol%": "vol_percent"}
_COMMON = (
    "percent", "mol%", "wt%", "vol%", "degC", "kelvin", "second", "minute", "hour", "day", "mL", "uL", "liter",
    "gram", "mg", "kg", "mol", "mmol", "mol/L", "bar", "pascal", "nm", "mm", "meter", "volt", "ampere", "watt",
    "mL/min", "rpm", "hertz", "dimensionless", "g/L", "mg/mL", "s", "min", "h", "L", "g", "kPa", "mbar", "1/s",
    "kg/m**3/h", "K", "V", "A", "W", "m",
)  # fmt: skip
_KNOWN = frozenset((*_COMMON, *_DIMENSIONLESS, *_SPELLINGS))
"""Known without asking pint, whose import would double the time that a driver takes to start."""


_LONGEST = 64
"""As on the wire (`protocol/values.py`) [characters]."""
_POWER = re.compile(r"\*\*|\^")
_SMALL = r"[+-]?\d{1,2}(?:\.\d{1,4})?"
_MODEST_POWER = re.compile(rf"\s*(?:{_SMALL}|\(\s*{_SMALL}\s*(?:/\s*\d{{1,2}})?\s*\))(?![\deE.]|\s*(?:\*\*|\^))")


@cache
def _registry() -> pint.UnitRegistry[float]:
    # Imported here: pint costs a quarter of a second, and most processes never convert anything.
    import pint

    registry: pint.UnitRegistry[float] = pint.UnitRegistry(autoconvert_offset_to_baseunit=False, cache_folder=None)
    for name in ("mol_percent", "wt_percent", "vol_percent"):
        # Fractions of different things: as numbers they convert to percent, which is what a chemist expects.
        registry.define(f"{name} = 0.01")
    return registry


@lru_cache(maxsize=1024)
def _parse(unit: str) -> Any:
    # pint's Unit type is generic over a registry that exists only at run time, so it is untyped here.
    import pint

    text = unit.strip()
    if text in _DIMENSIONLESS:
        return _registry().dimensionless
    text = _SPELLINGS.get(text, text)
    if len(text) > _LONGEST:
        raise UnitError(f"unit {text[:20]!r}… has {len(text)} characters, a unit has {_LONGEST} at most")
    _refuse_towers(unit, pint.util.string_preprocessor(text))
    try:
        return _registry().parse_units(text)
    except (pint.errors.UndefinedUnitError, pint.errors.PintError, ValueError, TypeError, AttributeError) as error:
        raise UnitError(_unknown(unit, error)) from error
    except Exception as error:  # pint's tokenizer raises errors of the standard tokenizer, several classes of them
        raise UnitError(_unknown(unit, error)) from error


def _refuse_towers(unit: str, written_out: str) -> None:
    """Refuse powers that nobody could calculate: `m**9**9**9` has eleven characters, and pint would be at it for ever.

    Args:
        unit: As its user wrote it.
        written_out: The same with every power as `**` or `^`.

    Raises:
        UnitError: If a power is not a number of at most two digits, or powers stand upon powers.
    """
    powers = list(_POWER.finditer(written_out))
    upon_brackets = sum(written_out[: power.start()].rstrip().endswith(")") for power in powers)
    if upon_brackets > 1 or any(_MODEST_POWER.match(written_out, power.end()) is None for power in powers):
        raise UnitError(f"unit {unit!r}: a power is a number of at most two digits, and not of a power; as in kg/m**3/h or m**0.5")


def _unknown(unit: str, error: Exception) -> str:
    near = difflib.get_close_matches(unit, _COMMON, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; write it as pint does, for instance kg/m**3/h"
    return f"unknown unit {unit!r} ({type(error).__name__}){hint}"


def check_unit(unit: str) -> str:
    """Return `unit` if it is known.

    Args:
        unit: A unit as pint writes it, `%`, `mol%`, `wt%`, `vol%`, or an empty text for a bare number.

    Returns:
        The same text.

    Raises:
        UnitError: If it is unknown; the message lists close matches.
    """
    if unit not in _KNOWN:
        _parse(unit)
    return unit


def same_dimension(first: str, second: str) -> bool:
    """Tell whether two units measure the same thing.

    Args:
        first: A unit.
        second: Another.

    Returns:
        Whether a value in one can be written in the other.

    Raises:
        UnitError: If either is unknown.
    """
    return bool(_parse(first).dimensionality == _parse(second).dimensionality)


def same_unit(first: str, second: str) -> bool:
    """Tell whether two spellings are one unit, so that nothing has to be converted.

    Args:
        first: A unit.
        second: Another.

    Returns:
        Whether they are the same unit.

    Raises:
        UnitError: If either is unknown.
    """
    return first == second or bool(_parse(first) == _parse(second))


def convert(value: float, from_unit: str, to_unit: str) -> float:
    """Convert a value between two units of one dimension, offsets included (degC, kelvin).

    Args:
        value: The number in `from_unit`.
        from_unit: Its unit.
        to_unit: The unit wanted.

    Returns:
        The number in `to_unit`; infinite where no number can hold it.

    Raises:
        UnitError: If a unit is unknown or the dimensions differ.
    """
    if same_unit(from_unit, to_unit):
        return float(value)
    if not same_dimension(from_unit, to_unit):
        raise UnitError(_different(from_unit, to_unit))
    try:
        return float(_registry().Quantity(float(value), _parse(from_unit)).to(_parse(to_unit)).magnitude)
    except OverflowError:
        return math.copysign(math.inf, value)


def convert_spread(spread: float, from_unit: str, to_unit: str) -> float:
    """Convert a difference or a standard error: scaled as `convert` does, without any offset.

    Args:
        spread: A difference in `from_unit`.
        from_unit: Its unit.
        to_unit: The unit wanted.

    Returns:
        The difference in `to_unit`.

    Raises:
        UnitError: If a unit is unknown or the dimensions differ.
    """
    if same_unit(from_unit, to_unit):
        return float(spread)
    return float(spread) * (convert(1.0, from_unit, to_unit) - convert(0.0, from_unit, to_unit))


def _different(first: str, second: str) -> str:
    return f"{first or 'a bare number'} cannot be written in {second or 'a bare number'}: they measure different things"
