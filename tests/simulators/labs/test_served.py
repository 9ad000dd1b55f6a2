"""What `expand` returns can be served: options, tags, actions, arguments and returned values fit each other on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from instruments.clock import ScaledClock
from instruments.protocol.values import Outcome, Succeeded
from simulators.labs import flow_chemistry, table
from simulators.physics.snar import e_factor, react, space_time_yield
from tests.simulators.labs.campaigns import campaign, categorical, flow_campaign, numeric
from tests.simulators.wire import Bench

pytestmark = pytest.mark.timeout(90)


async def _experiment(bench: Bench, lab: Mapping[str, Any], number: int, point: Mapping[str, Any]) -> dict[str, Any]:
    """Carry the protocol out for one setting, as the controller does; return the objectives or the fault's code."""
    known = {f"${name}": value for name, value in point.items()}
    given: dict[str, Any] = {}
    for step in lab["protocol"]:
        arguments = {name: known.get(value, value) for name, value in step["with"].items()}
        attempt = f"{number}-{step['step']}"
        outcome: Outcome = await bench.carry_out(step["instrument"], attempt, step["action"], arguments)
        if not isinstance(outcome, Succeeded):
            return {"fault": str(outcome.code)}
        known |= {f"${step['step']}.{name}": measured.value for name, measured in outcome.values.items()}
        given |= {name: outcome.values[value].value for name, value in step.get("gives", {}).items()}
    return given


async def _serve(bench: Bench, lab: Mapping[str, Any]) -> None:
    for name, instrument in lab["instruments"].items():
        bench.start(name, instrument["driver"], instrument["options"])
    for name in lab["instruments"]:
        await bench.linked(name)


def test_flow_chemistry_reaches_the_physics_through_two_instruments(tmp_path: Path) -> None:
    lab = flow_chemistry.expand({"noise": 0.005}, flow_campaign(), tmp_path)["lab"]
    points = [
        {"temperature": t, "residence_time": 1.0, "equivalents": 2.0, "concentration": 0.3} for t in (40.0, 60.0, 100.0)
    ]

    async def scenario() -> list[dict[str, Any]]:
        async with Bench(tmp_path, ScaledClock(2000.0).to_text()) as bench:
            await _serve(bench, lab)
            return [await _experiment(bench, lab, i, point) for i, point in enumerate(points)]

    for point, found in zip(points, asyncio.run(scenario()), strict=True):
        truth = react(**point)
        assert found["space_time_yield"] == pytest.approx(space_time_yield(truth, 1.0), rel=0.06)
        assert found["e_factor"] == pytest.approx(e_factor(truth), rel=0.06)


def test_flow_chemistry_fails_as_often_as_told_at_the_same_settings_every_time(tmp_path: Path) -> None:
    lab = flow_chemistry.expand({"failures": 0.3, "seed": 5}, flow_campaign(), tmp_path)["lab"]

    async def scenario(folder: Path) -> list[dict[str, Any]]:
        async with Bench(folder, ScaledClock(1e5).to_text()) as bench:
            await _serve(bench, lab)
            rest = {"residence_time": 1.0, "equivalents": 1.0, "concentration": 0.2}
            return [await _experiment(bench, lab, i, {"temperature": 40.0 + i, **rest}) for i in range(30)]

    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first, second = (asyncio.run(scenario(tmp_path / name)) for name in ("first", "second"))
    assert first == second
    # Either step may fail: 1 - 0.7² = 51 %, give or take 3 standard deviations of 30 draws.
    assert 7 <= sum("fault" in found for found in first) <= 24


def test_table_measures_every_setting_of_its_pool(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("solvent,temp (C),yield\nDMAc,90,1\nDMAc,120,2\nBuOAc,90,3\n")
    wanted = campaign(
        {"solvent": categorical("DMAc", "BuOAc"), "temp (C)": numeric(90, 120, "degC", "integer")}, {"yield": "percent"}
    )
    expanded = table.expand({"data": "t.csv", "duration": 0}, wanted, tmp_path)
    pool = [dict(zip(expanded["pool"], row, strict=True)) for row in zip(*expanded["pool"].values(), strict=True)]

    async def scenario() -> list[dict[str, Any]]:
        async with Bench(tmp_path) as bench:
            await _serve(bench, expanded["lab"])
            return [await _experiment(bench, expanded["lab"], i, point) for i, point in enumerate(pool)]

    assert asyncio.run(scenario()) == [{"yield": 1.0}, {"yield": 2.0}, {"yield": 3.0}]
