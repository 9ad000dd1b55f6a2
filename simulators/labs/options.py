"""Reading the options of a lab shorthand: durations, close matches, plain one-line errors."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from simulators.faults import FaultPlan
from simulators.labs.campaign import CampaignLike

_SECONDS = {
    "s": 1.0,
    "sec": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "hours": 3600.0,
    "day": 86400.0,
    "days": 86400.0,
}
_DURATION = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]*)\s*")


def near(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?`, or the known names when none is close."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"it has {', '.join(names)}"


def check_names(options: Mapping[str, Any], known: Iterable[str], lab: str) -> None:
    """Refuse options that the lab does not have.

    Raises:
        ValueError: Naming the option and the closest known one.
    """
    names = list(known)
    for name in options:
        if name not in names:
            raise ValueError(f"{plain(name)}: the lab {lab!r} has no such option; {near(str(name), names)}")


def lab_name(campaign: CampaignLike, simulator: str) -> str:
    """Return the lab's name: each campaign has simulated instruments of its own, with their own memory."""
    return f"{campaign.campaign[:100]}-{simulator}"


def duration(options: Mapping[str, Any], name: str, default: float, most: float = 1e8) -> float:
    """Return an option written as `30`, `30 s`, `3 min` or `2 h` in seconds of lab time.

    Raises:
        ValueError: If it is none of these, negative, or longer than `most`.
    """
    value = options.get(name, default)
    seconds = math.nan
    if isinstance(value, str) and (match := _DURATION.fullmatch(value)) and (match[2] or "s") in _SECONDS:
        seconds = float(match[1]) * _SECONDS[match[2] or "s"]
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    if not 0.0 <= seconds <= most:
        raise ValueError(
            f"{name}: {_shown(value)} is no duration from 0 to {most:g} s; write for example 30 s, 3 min or 2 h"
        )
    return seconds


def number(options: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    """Return a number within bounds.

    Raises:
        ValueError: If it is none, or lies outside.
    """
    value = options.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(f"{name}: {_shown(value)} must be a number from {low:g} to {high:g}")
    return float(value)


def whole(options: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    """Return a whole number within bounds.

    Raises:
        ValueError: If it is none, or lies outside.
    """
    value = options.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name}: {_shown(value)} must be a whole number from {low} to {high}")
    return value


def choice(options: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str:
    """Return one of several words; the first is the default.

    Raises:
        ValueError: If it is none of them.
    """
    value = options.get(name, choices[0])
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: {_shown(value)} must be one of {', '.join(choices)}")
    return value


def fault_plan(options: Mapping[str, Any], name: str = "faults") -> dict[str, Any]:
    """Return the faults asked for, checked, as plain data for a driver's options; empty without any.

    Raises:
        ValueError: If a key or a value is wrong; the message names the first.
    """
    value = options.get(name) or {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{name}: {_shown(value)} must be a mapping such as {{fail: 0.05, nan: 0.01}}")
    try:
        plan = FaultPlan.model_validate(dict(value))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([name, *(plain(part) for part in first["loc"])])
        if first["type"] == "extra_forbidden":
            known = list(FaultPlan.model_fields)
            raise ValueError(f"{place}: no such fault; {near(str(first['loc'][-1]), known)}") from None
        raise ValueError(f"{place}: {_shown(first['input'])}: {first['msg'].lower()}") from None
    return plan.model_dump(exclude_defaults=True)


def existing_file(options: Mapping[str, Any], name: str, folder: Path) -> Path:
    """Return the file that an option names, relative paths taken from `folder`.

    Raises:
        ValueError: If the option is missing, or there is no such file.
    """
    value = options.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name}: name a CSV file, for example {name}: measurements.csv (got {_shown(value)})")
    path = folder / value
    try:
        found = path.is_file()
    except (OSError, ValueError) as error:  # a name too long, or with a NUL in it
        raise ValueError(f"{name}: {_shown(value)} cannot be a file name ({error})") from None
    if not found:
        beside = [p.name for p in path.parent.glob("*.csv")] if path.parent.is_dir() else []
        hint = near(path.name, beside) if difflib.get_close_matches(path.name, beside, 1, 0.6) else "check the path"
        raise ValueError(f"{name}: there is no file {str(path)!r}; {hint}")
    return path.resolve()


def plain(name: object) -> str:
    """Return a key as its user wrote it when that is plain text, quoted and escaped when not."""
    text = str(name)
    return text if text and text.isprintable() and len(text) <= 80 else _shown(text)


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."
