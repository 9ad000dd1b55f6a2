"""kill -9 at random moments: no experiment is lost, none is carried out twice, the books balance.

`LABWRIGHT_KILLS` sets how many kills (the default keeps `make test` short).
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.support import Bench, wait_until

KILLS = int(os.environ.get("LABWRIGHT_KILLS", "5"))
EXPERIMENTS = 40 if KILLS > 10 else 16


def check_books(bench: Bench, experiments: int) -> None:
    """Assert that every experiment was completed, carried out once, and that the audit agrees."""
    listed = bench.ask("experiment", "list", "test")
    assert [e["status"] for e in listed] == ["completed"] * experiments
    assert [e["attempts"] for e in listed] == [1] * experiments
    carried_out = bench.carried_out()
    assert len(carried_out) == experiments
    assert set(carried_out.values()) == {1}
    audit = bench.ask("campaign", "audit", "test")
    assert audit["balanced"]
    assert audit["differences"] == []


@pytest.mark.timeout(900)
def test_campaign_completes_each_experiment_once_when_the_controller_is_killed(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(experiments=EXPERIMENTS, batch=2, duration="0.5 s")
    moments = random.Random(11)
    process = bench.start()
    killed = 0
    while killed < KILLS:
        time.sleep(moments.uniform(0.3, 4.0))
        assert process.poll() is None or process.returncode == 0, bench.logs()
        process.kill()
        process.wait()
        killed += 1
        process = bench.start()
    assert process.wait(600) == 0, bench.logs()
    check_books(bench, EXPERIMENTS)


@pytest.mark.timeout(900)
def test_campaign_completes_each_experiment_once_when_drivers_are_killed(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(experiments=EXPERIMENTS, batch=2, duration="1 s")
    moments = random.Random(12)
    process = bench.start()
    killed = 0
    while killed < KILLS and process.poll() is None:
        time.sleep(moments.uniform(0.2, 2.0))
        for pid in bench.driver_pids()[:1]:
            os.kill(pid, signal.SIGKILL)
            killed += 1
    assert killed >= KILLS - 1, "the campaign ended before the drivers could be killed"
    assert process.wait(600) == 0, bench.logs()
    check_books(bench, EXPERIMENTS)


@pytest.mark.timeout(300)
def test_running_experiment_is_adopted_when_controller_and_driver_are_killed_together(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(experiments=3, duration="2 s")
    process = bench.start()
    wait_until(lambda: bench.carried_out().total() >= 1, 60, "the first experiment")
    process.kill()
    process.wait()
    bench.kill_everything()
    bench.run()
    check_books(bench, 3)


@pytest.mark.timeout(300)
def test_proposer_death_costs_nothing_but_time(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(experiments=10, duration="0.3 s")
    process = bench.start()
    wait_until(lambda: bench.carried_out().total() >= 3, 90, "the third experiment")
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and _is_proposer_of(folder, process.pid):
            os.kill(int(folder.name), signal.SIGKILL)
    assert process.wait(200) == 0, bench.logs()
    check_books(bench, 10)
    assert {e["source"] for e in bench.ask("experiment", "list", "test")} <= {"space-filling", "model"}


def _is_proposer_of(folder: Path, parent: int) -> bool:
    try:
        parent_pid = int((folder / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1])
        return parent_pid == parent and b"thinking_process" in (folder / "cmdline").read_bytes()
    except OSError:
        return False
