"""Finds simulated labs: the entry points of group `labwright.simulators`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from simulators.labs.campaign import CampaignLike
from simulators.labs.options import near

GROUP = "labwright.simulators"
"""The entry-point group in which packages announce their labs."""
Expand = Callable[[Mapping[str, Any], CampaignLike, Path], dict[str, Any]]
"""Turns the shorthand's options, a campaign and its folder into `{"lab": ..., "pool": ...}`."""


def known_labs() -> dict[str, EntryPoint]:
    """Return the installed labs by name, without importing any."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def load_lab(name: str) -> tuple[Expand, ModuleType]:
    """Return a lab's `expand` and the module that it lives in.

    Raises:
        ValueError: If there is no such lab; close names first.
    """
    labs = known_labs()
    if name not in labs:
        raise ValueError(f"there is no simulated lab {name!r}; {near(name, labs)}")
    expand: Expand = labs[name].load()
    return expand, importlib.import_module(labs[name].module)


def describe_labs() -> dict[str, str]:
    """Return a line about each installed lab, by name."""
    modules = {name: load_lab(name)[1] for name in known_labs()}
    return {name: module.describe() if hasattr(module, "describe") else "" for name, module in modules.items()}
