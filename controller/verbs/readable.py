"""Values as people read them, the same on every screen; what is made of their text is the screen's."""

from __future__ import annotations

from collections.abc import Callable, Mapping


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
