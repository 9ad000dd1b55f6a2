"""Real driver processes, killed at any moment: each attempt is begun once and ends the same."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from instruments.clock import ScaledClock
from instruments.protocol.values import Faulted, Outcome, Succeeded
from tests.simulators.wire import REACTOR, TABLE, Bench

pytestmark = pytest.mark.timeout(90)


def _values(outcome: Outcome) -> dict[str, Any]:
    assert isinstance(outcome, Succeeded), outcome
    return {name: measured.value for name, measured in outcome.values.items()}


def _table(folder: Path, **changed: Any) -> dict[str, Any]:
    rows = "".join(f"{x},{10 * x + i}\n" for x in range(20) for i in range(5))
    (folder / "t.csv").write_text("x,y\n" + rows)
    return {
        "data": str(folder / "t.csv"),
        "parameters": {"x": {"column": "x"}},
        "objectives": {"y": {"column": "y"}},
        "capacity": 20,
        "seed": 11,
        **changed,
    }


async def _all_of(folder: Path, options: dict[str, Any], kills: int) -> tuple[dict[str, Any], Counter[str]]:
    """Carry out twenty attempts at once, killing the driver at random moments; return values and begun counts."""
    rng = random.Random(kills)
    async with Bench(folder) as bench:
        bench.start("bench", TABLE, options)
        await bench.linked("bench")
        for i in range(20):
            bench.send("bench", f"attempt-{i}", "measure", {"x": float(i)})
        for kill in range(kills):
            await asyncio.sleep(rng.uniform(0.0, 0.6))
            bench.kill("bench")
            bench.start("bench", TABLE, options)
            await bench.linked("bench", 2 + kill)
            # What a controller does that has just been linked: attempts that were never heard of are sent again.
            for i in range(20):
                bench.send("bench", f"attempt-{i}", "measure", {"x": float(i)})
        await bench.until(lambda: len(bench.outcomes) == 20)
        begun = Counter(entry["attempt"] for entry in bench.log("bench") if entry["event"] == "began")
        return {attempt: _values(outcome) for attempt, outcome in bench.outcomes.items()}, begun


def test_each_attempt_is_begun_once_with_the_same_result_when_the_driver_is_killed(tmp_path: Path) -> None:
    for name in ("calm", "killed"):
        (tmp_path / name).mkdir()
    calm, begun_calm = asyncio.run(_all_of(tmp_path / "calm", _table(tmp_path, duration=0.5), kills=0))
    killed, begun_killed = asyncio.run(_all_of(tmp_path / "killed", _table(tmp_path, duration=0.5), kills=4))
    assert set(begun_calm.values()) == set(begun_killed.values()) == {1}
    assert len(begun_killed) == 20
    assert calm == killed


def test_device_goes_on_while_its_driver_is_dead(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Bench(tmp_path, clock=ScaledClock(1000.0).to_text()) as bench:
            bench.start("reactor", REACTOR, {"seed": 1})
            await bench.linked("reactor")
            setting = {"temperature": 60.0, "residence_time": 1.0, "equivalents": 2.0, "concentration": 0.3}
            bench.send("reactor", "one", "run", setting)
            await bench.until(lambda: bench.log("reactor"))
            bench.kill("reactor")
            await asyncio.sleep(1.0)
            bench.start("reactor", REACTOR, {"seed": 1})
            await bench.until(lambda: "one" in bench.outcomes)
            log = bench.log("reactor")
            assert [entry["event"] for entry in log] == ["began", "ended"]
            assert log[1]["at"] == log[0]["ends_at"]
            assert _values(bench.outcomes["one"]) == log[0]["values"]

    asyncio.run(scenario())


def test_crash_fault_kills_the_process_once_and_the_result_arrives_after_its_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        options = _table(tmp_path, duration=0.3, faults={"crash": 1.0})
        async with Bench(tmp_path) as bench:
            process = bench.start("bench", TABLE, options)
            await bench.linked("bench")
            bench.send("bench", "one", "measure", {"x": 3.0})
            await bench.until(lambda: process.poll() is not None)
            assert "one" not in bench.outcomes
            again = bench.start("bench", TABLE, options)
            await bench.until(lambda: "one" in bench.outcomes)
            assert again.poll() is None
            assert _values(bench.outcomes["one"])["y"] in {30.0, 31.0, 32.0, 33.0, 34.0}
            assert [entry["event"] for entry in bench.log("bench")] == ["began", "ended"]

    asyncio.run(scenario())


def test_stop_ends_a_hanging_action_soon_and_the_device_remembers_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        options = _table(tmp_path, duration=1000.0, faults={"hang": 1.0})
        async with Bench(tmp_path) as bench:
            bench.start("bench", TABLE, options)
            await bench.linked("bench")
            bench.send("bench", "one", "measure", {"x": 3.0})
            await bench.until(lambda: bench.log("bench"))
            began = asyncio.get_running_loop().time()
            bench.hub.stop("bench", "now")
            await bench.until(lambda: "one" in bench.outcomes)
            assert asyncio.get_running_loop().time() - began < 1.5
            outcome = bench.outcomes["one"]
            assert isinstance(outcome, Faulted)
            assert outcome.code == "stopped"
            assert [entry["event"] for entry in bench.log("bench")] == ["began", "aborted"]

    asyncio.run(scenario())


def test_nan_arrives_as_an_invalid_measurement(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Bench(tmp_path) as bench:
            bench.start("bench", TABLE, _table(tmp_path, duration=0.0, faults={"nan": 1.0}))
            await bench.linked("bench")
            outcome = await bench.carry_out("bench", "one", "measure", {"x": 3.0})
            assert isinstance(outcome, Faulted)
            assert outcome.code == "measurement_invalid"

    asyncio.run(scenario())
