"""Values as people read them, the same on every screen; what is made of their text is the screen's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_NOTHING = 1e-8
"""A part of its range so small is what a calculation left, as `encoding.space.NOTHING` has it, which loads numpy."""


def readable(value: object, say: Callable[[str], str], beside: str = " ") -> str:
    """Return a value as people read it: six digits, times to the second, names with their values.

    Args:
        value: Anything that JSON can say.
        say: What makes a text safe where it is shown.
        beside: Stands between a name and its value.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{readable(name, say, beside)}{beside}{readable(v, say, beside)}" for name, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(readable(v, say, beside) for v in value)
    text = str(value)
    # ISO 8601: fractions of seconds are noise on a screen
    if len(text) >= 20 and text[4:5] == "-" and text[10:11] == "T" and text.endswith(("Z", "+00:00")):
        text = f"{text[:10]} {text[11:19]}Z"
    return say(text)


def settled(setting: Mapping[str, Any], parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a setting as it is shown: where a value is nothing but what a calculation left (2e-16 of a mixture), 0.

    Args:
        setting: Parameter -> value.
        parameters: Of the campaign's definition, as JSON data.
    """
    return {name: 0.0 if _is_nothing(value, parameters.get(name, {})) else value for name, value in setting.items()}


def _is_nothing(value: object, parameter: Mapping[str, Any]) -> bool:
    if not isinstance(value, float) or parameter.get("type") != "continuous" or parameter.get("scale") == "log":
        return False
    low, high = parameter["bounds"]
    return bool(low <= 0.0 <= high) and abs(value) < _NOTHING * (high - low)
