"""Finds driver classes: by the tag of an entry point, or by the place of the class."""

from __future__ import annotations

import difflib
import inspect
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from instruments.errors import DriverNotFoundError
from instruments.sdk.driver import Driver
from instruments.sdk.modules import load_module

GROUP = "labwright.drivers"
"""The entry-point group in which packages announce their drivers."""


def known_drivers() -> dict[str, EntryPoint]:
    """Return the installed drivers by tag, without importing any."""
    return {point.name: point for point in entry_points(group=GROUP)}


def load_driver(place: str) -> type[Driver]:
    """Return a driver class.

    Args:
        place: A tag (`scpi`), `package.module:Class`, or `path/to/file.py:Class` (`:Class` may be left out if the file
            defines one driver).

    Returns:
        The class.

    Raises:
        DriverNotFoundError: If there is none there; lists the known tags, close ones first.
    """
    if ":" not in place and not place.endswith(".py"):
        return _from_tag(place)
    head, _, name = place.rpartition(":") if ":" in place else (place, "", "")
    module = load_module(head)
    if not name:
        found = [
            value
            for value in vars(module).values()
            if inspect.isclass(value) and issubclass(value, Driver) and value.__module__ == module.__name__
        ]
        if len(found) != 1:
            names = ", ".join(cls.__name__ for cls in found) or "none"
            raise DriverNotFoundError(f"{place}: it defines {names}; say which with {place}:CLASS")
        return found[0]
    return _as_driver(getattr(module, name, None), place)


def _from_tag(tag: str) -> type[Driver]:
    known = known_drivers()
    if tag not in known:
        near = difflib.get_close_matches(tag, known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(sorted(known)) or 'none'};"
        raise DriverNotFoundError(
            f"no driver {tag!r}; {hint} a class of your own is named package.module:Class or path/to/file.py:Class"
        )
    try:
        loaded: Any = known[tag].load()
    except (ImportError, AttributeError) as error:
        raise DriverNotFoundError(f"driver {tag!r} ({known[tag].value}) cannot be imported: {error}") from error
    return _as_driver(loaded, tag)


def _as_driver(found: Any, place: str) -> type[Driver]:
    if not (inspect.isclass(found) and issubclass(found, Driver)):
        raise DriverNotFoundError(f"{place}: {found!r} is no driver class: subclass instruments.sdk.driver.Driver")
    return found
