"""`labwright run` as its user meets it: to the end, stopped and resumed, refused, repeated."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.support import LABWRIGHT, Bench, wait_until

pytestmark = pytest.mark.timeout(300)


def points(bench: Bench) -> list[dict[str, Any]]:
    return [e["parameters"] for e in bench.ask("experiment", "list", "test")]


def test_same_seed_gives_the_same_experiments_twice(make_bench: Callable[..., Bench]) -> None:
    first, second, other = make_bench(experiments=8), make_bench(experiments=8), make_bench(experiments=8)
    summary = first.run()
    second.run()
    other.run("--seed", "7")
    assert summary["status"] == "completed"
    assert summary["counts"]["completed"] == 8
    assert summary["best"][0]["objectives"]["y"] > 5
    assert points(first) == points(second)
    assert points(first) != points(other)


def test_run_finishes_what_runs_and_resumes_after_sigterm(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(experiments=6, duration="1.5 s")
    process = bench.start()
    wait_until(lambda: bench.carried_out().total() >= 2, 90, "the second experiment")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 3, bench.logs()
    listed = bench.ask("experiment", "list", "test")
    assert {e["status"] for e in listed} <= {"completed", "queued"}
    assert bench.ask("campaign", "audit", "test")["balanced"]
    assert bench.run()["counts"]["completed"] == 6
    assert set(bench.carried_out().values()) == {1}
    assert len(bench.carried_out()) == 6


def test_run_leaves_a_long_action_to_its_driver_when_the_grace_time_is_short(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(experiments=2, duration="6 s")
    process = bench.start("--grace", "0.2")
    wait_until(lambda: bench.carried_out().total() >= 1, 90, "the first experiment")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 3, bench.logs()
    assert next(e["status"] for e in bench.ask("experiment", "list", "test")) == "running"
    assert bench.run()["counts"]["completed"] == 2
    assert sorted(bench.carried_out().values()) == [1, 1]


def test_second_controller_is_refused_with_its_own_exit_code(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(experiments=4, duration="2 s")
    process = bench.start()
    wait_until(lambda: bench.carried_out().total() >= 1, 90, "the first experiment")
    second = bench.start()
    assert second.wait(60) == 4, bench.logs()
    assert process.wait(120) == 0, bench.logs()
    assert len(bench.carried_out()) == 4


def test_ended_campaign_is_shown_again_and_goes_on_with_a_larger_budget(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(experiments=3)
    first = bench.run()
    assert bench.run() == first
    text = bench.campaign.read_text(encoding="utf-8")
    bench.campaign.write_text(text.replace("experiments: 3", "experiments: 5"), encoding="utf-8")
    assert bench.run()["counts"]["completed"] == 5
    assert bench.ask("campaign", "audit", "test")["balanced"]


def test_another_search_under_the_same_name_is_refused_and_says_what_differs(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(experiments=2)
    bench.run()
    text = bench.campaign.read_text(encoding="utf-8")
    bench.campaign.write_text(text.replace("goal: maximize", "goal: minimize"), encoding="utf-8")
    done = subprocess.run(
        [*LABWRIGHT, "run", str(bench.campaign), "--store", str(bench.store)], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "problem.objectives" in done.stderr
    assert "Traceback" not in done.stderr


def test_flow_chemistry_lab_finds_a_front_in_spite_of_failures(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    bench.campaign.write_text(
        """campaign: test
parameters:
  temperature: {type: continuous, bounds: [30, 120], unit: degC}
  residence_time: {type: continuous, bounds: [0.5, 2], unit: min}
  equivalents: {type: continuous, bounds: [1, 5]}
  concentration: {type: continuous, bounds: [0.1, 0.5], unit: mol/L}
objectives:
  space_time_yield: {goal: maximize, unit: kg/m**3/h}
  e_factor: {goal: minimize}
budget: {experiments: 12}
batch: 2
failures: {pause_after: 12}
lab: {simulator: flow-chemistry, noise: 0.01, failures: 0.1, speed: 3000}
""",
        encoding="utf-8",
    )
    summary = bench.run()
    assert summary["status"] == "completed"
    assert summary["counts"]["completed"] + summary["counts"]["failed"] == 12
    assert summary["counts"]["completed"] >= 6
    assert len(summary["best"]) >= 1
    assert {"space_time_yield", "e_factor"} == set(summary["best"][0]["objectives"])
    assert all(e["simulated"] for e in bench.ask("experiment", "list", "test"))
    assert bench.ask("campaign", "audit", "test")["balanced"]
    assert json.dumps(summary)
