"""Every simulated driver keeps the contract of all drivers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from instruments.sdk.driver import Driver
from instruments.sdk.options import build_driver
from instruments.sdk.registry import load_driver
from instruments.testing import check_driver

pytestmark = pytest.mark.timeout(120)

TAGS = ("simulated-sensor", "simulated-table", "simulated-reactor", "simulated-hplc", "simulated-twin")


@pytest.fixture
def options(tmp_path: Path) -> Callable[[str], Mapping[str, Any]]:
    (tmp_path / "t.csv").write_text("solvent,x,y\nDMAc,1,10\nDMAc,1,12\n")
    table = {
        "data": str(tmp_path / "t.csv"),
        "parameters": {"solvent": {"column": "solvent", "kind": "text"}, "x": {"column": "x", "unit": "mol/L"}},
        "objectives": {"y": {"column": "y", "unit": "percent"}},
        "duration": 60.0,
    }
    known: dict[str, Mapping[str, Any]] = {
        "simulated-sensor": {"values": {"sash_open": 2.0}, "units": {"sash_open": "cm"}},
        "simulated-table": table,
        "simulated-twin": {"driver": "simulated-reactor", "options": {"seed": 3}},
    }
    return lambda tag: known.get(tag, {})


@pytest.mark.parametrize("tag", TAGS)
def test_driver_keeps_the_contract(tag: str, options: Callable[[str], Mapping[str, Any]]) -> None:
    driver_class: type[Driver] = load_driver(tag)
    results = check_driver(
        lambda: build_driver(driver_class, options(tag)), arguments={"solvent": "DMAc"}, time_limit_s=20.0
    )
    assert [f"{r.name}: {r.message}" for r in results if not r.passed] == []
    skipped = [r.name for r in results if r.status == "skipped"]
    # The table has no limits, its settings are what the file holds; a sensor takes nothing at all.
    without_limits = tag in ("simulated-table", "simulated-sensor")
    assert skipped == (["values outside the limits are rejected"] if without_limits else [])
    assert len(results) == 8
