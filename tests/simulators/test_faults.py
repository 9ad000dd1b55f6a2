"""Faults come as often as asked, in the same places every time, and one kind does not move another."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from simulators.faults import Fate, FaultPlan, SlowFault, decide, seeded

N = 4000


def _fates(plan: FaultPlan, seed: int = 0) -> list[Fate]:
    return [decide(plan, seeded(seed, i), i) for i in range(N)]


@pytest.mark.parametrize(
    ("plan", "attribute"),
    [
        (FaultPlan(fail=0.1), "fails"),
        (FaultPlan(hang=0.1), "hangs"),
        (FaultPlan(nan=0.1), "is_nan"),
        (FaultPlan(crash=0.1), "crashes"),
    ],
)
def test_decide_gives_faults_as_often_as_asked(plan: FaultPlan, attribute: str) -> None:
    share = sum(getattr(fate, attribute) for fate in _fates(plan)) / N
    assert share == pytest.approx(0.1, abs=4 * (0.1 * 0.9 / N) ** 0.5)


def test_decide_gives_no_fault_without_a_plan() -> None:
    assert set(_fates(FaultPlan())) == {Fate()}


def test_decide_slows_by_the_factor() -> None:
    slowdowns = [fate.slowdown for fate in _fates(FaultPlan(slow=SlowFault(probability=0.2, factor=3.0)))]
    assert set(slowdowns) == {1.0, 3.0}
    assert slowdowns.count(3.0) / N == pytest.approx(0.2, abs=0.03)


def test_decide_drifts_with_the_number_of_actions_before() -> None:
    assert decide(FaultPlan(drift=0.001), seeded(0), 200).gain == pytest.approx(1.2)


def test_decide_repeats_itself_and_depends_on_the_seed() -> None:
    plan = FaultPlan(fail=0.3, nan=0.2)
    assert _fates(plan) == _fates(plan)
    assert _fates(plan, seed=1) != _fates(plan)


def test_decide_leaves_the_other_faults_where_they_were_when_one_is_added() -> None:
    before, after = _fates(FaultPlan(nan=0.1)), _fates(FaultPlan(nan=0.1, fail=0.5))
    assert [fate.is_nan for fate in before] == [fate.is_nan for fate in after]


def test_seeded_is_the_same_in_another_process() -> None:
    code = "from simulators.faults import seeded; print(seeded(7, 'x', (1.5, None)).random())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert float(done.stdout) == seeded(7, "x", (1.5, None)).random()


@pytest.mark.parametrize("options", [{"fail": 1.5}, {"nan": float("nan")}, {"explode": 0.1}, {"slow": {"factor": 2.0}}])
def test_fault_plan_refuses_what_it_cannot_do(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FaultPlan.model_validate(options)
