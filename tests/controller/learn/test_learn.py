from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from controller.domain.campaign import Budget
from controller.domain.event import CampaignCreated, ExperimentProposed, ExperimentStatusChanged
from controller.domain.experiment import ExperimentStatus
from controller.domain.objective import Objective
from controller.domain.proposal import Proposal
from controller.domain.request import Observed
from controller.domain.state import CampaignState, fold
from controller.encoding.columns import Encoder
from controller.learn.calibration import calibration
from controller.learn.dataset import training_data
from controller.learn.feasibility import fit_feasibility
from controller.learn.fit import fit
from controller.learn.stopping import experiments_left, is_over, reason_to_stop, seconds_left
from surrogates.specs import AutoSpec, DeepEnsembleSpec, GPSpec
from tests.controller.spaces import continuous, problem

LINE = problem(continuous("x"))


def observed(*pairs: tuple[float, float | None], sem: float | None = None) -> list[Observed]:
    return [
        Observed(
            point={"x": x},
            values=None if y is None else {"y": y},
            sem={} if sem is None or y is None else {"y": sem},
        )
        for x, y in pairs
    ]


def test_training_data_leaves_failures_out_and_turns_minimised_objectives() -> None:
    rows = observed((0.1, 3.0), (0.2, None), (0.3, 5.0))
    data = training_data(Encoder.of(LINE), rows, "y", Objective(goal="minimize"))
    assert data is not None
    assert data.Y.squeeze(1).tolist() == [-3.0, -5.0]
    assert data.X.squeeze(1).tolist() == pytest.approx([0.1, 0.3])
    assert data.noise_var is None


def test_training_data_squares_standard_errors_where_all_have_one() -> None:
    rows = observed((0.1, 3.0), (0.3, 5.0), sem=0.5)
    encoder, objective = Encoder.of(LINE), Objective(goal="maximize")
    data = training_data(encoder, rows, "y", objective)
    assert data is not None
    assert data.noise_var is not None
    assert data.noise_var.squeeze(1).tolist() == [0.25, 0.25]
    mixed = training_data(encoder, [*rows, *observed((0.6, 1.0))], "y", objective)
    assert mixed is not None
    assert mixed.noise_var is None


def test_training_data_is_none_without_values() -> None:
    assert training_data(Encoder.of(LINE), observed((0.1, None)), "y", Objective(goal="maximize")) is None


def test_fit_takes_no_bent_members_for_a_value_to_match() -> None:
    rows = observed(*((x, math.sin(6 * x)) for x in np.linspace(0, 1, 8)))
    data = training_data(Encoder.of(LINE), rows, "y", Objective(goal="match", target=0.2))
    assert data is not None
    matched = fit(AutoSpec(), data, Objective(goal="match", target=0.2), listed=False, seed=0, device="auto")
    assert all("log_tail" not in m.name for m in matched.report.members)
    free = fit(AutoSpec(), data, Objective(goal="maximize"), listed=False, seed=0, device="auto")
    assert any("log_tail" in m.name for m in free.report.members)


def test_fit_carries_out_the_specification_of_the_policy() -> None:
    rows = observed(*((x, x) for x in np.linspace(0, 1, 8)))
    data = training_data(Encoder.of(LINE), rows, "y", Objective(goal="maximize"))
    assert data is not None
    spec = DeepEnsembleSpec(members=2, hidden=(8,), epochs=5)
    objective = Objective(goal="maximize")
    assert fit(spec, data, objective, listed=False, seed=0, device="cpu").report.kind == "deep_ensemble"
    table = fit(GPSpec(recipe="table"), data, objective, listed=False, seed=0, device="cpu")
    assert len(table.report.members) == 1


def test_feasibility_is_lower_where_experiments_failed() -> None:
    rows = observed(*((x, None if x > 0.6 else x) for x in np.linspace(0.0, 1.0, 11)))
    found = fit_feasibility(Encoder.of(LINE), rows, "cpu")
    assert found is not None
    bad, edge, good = found.log_probability(torch.tensor([[0.95], [0.62], [0.2]], dtype=torch.float64)).exp().tolist()
    assert bad < 0.1 < good
    assert bad < edge < good
    assert good > 0.8


@pytest.mark.parametrize("rows", [observed((0.1, 1.0)), observed((0.1, None)), []], ids=["success", "failure", "none"])
def test_feasibility_is_unknown_until_both_outcomes_were_seen(rows: list[Observed]) -> None:
    assert fit_feasibility(Encoder.of(LINE), rows, "cpu") is None


def test_calibration_finds_the_observation_that_does_not_fit() -> None:
    rows = observed(*((x, x + (5.0 if i == 7 else 0.0)) for i, x in enumerate(np.linspace(0, 1, 15))))
    objective = Objective(goal="maximize")
    data = training_data(Encoder.of(LINE), rows, "y", objective)
    assert data is not None
    report = calibration(fit(AutoSpec(), data, objective, listed=True, seed=0, device="cpu"), data)
    assert report is not None
    assert report.observations == 15
    assert report.worst == 7
    assert report.worst_z > 2
    assert 0.5 <= report.coverage_90 <= 1.0


def test_calibration_says_nothing_of_few_observations() -> None:
    objective = Objective(goal="maximize")
    data = training_data(Encoder.of(LINE), observed((0.1, 1.0), (0.5, 2.0)), "y", objective)
    assert data is not None
    assert calibration(fit(AutoSpec(), data, objective, listed=True, seed=0, device="cpu"), data) is None


def state(*statuses: ExperimentStatus) -> CampaignState:
    events: list[object] = [
        CampaignCreated(campaign="c", at=1000.0, name="n", definition_fingerprint="", seed=0, simulated=True)
    ]
    path = {
        ExperimentStatus.QUEUED: [ExperimentStatus.QUEUED],
        ExperimentStatus.CANCELLED: [ExperimentStatus.CANCELLED],
        ExperimentStatus.COMPLETED: [ExperimentStatus.QUEUED, ExperimentStatus.RUNNING, ExperimentStatus.COMPLETED],
        ExperimentStatus.FAILED: [ExperimentStatus.QUEUED, ExperimentStatus.RUNNING, ExperimentStatus.FAILED],
    }
    for i, status in enumerate(statuses, 1):
        proposal = Proposal(point={"x": 0.1 * i}, source="user")
        events.append(ExperimentProposed(campaign="c", at=1000.0, experiment=f"e{i}", number=i, proposal=proposal))
        events += [
            ExperimentStatusChanged(campaign="c", at=1000.0, experiment=f"e{i}", status=step) for step in path[status]
        ]
    return fold(events)  # type: ignore[arg-type]


def test_budget_counts_failures_and_not_cancellations() -> None:
    S = ExperimentStatus
    spent = state(S.COMPLETED, S.FAILED, S.CANCELLED, S.QUEUED)
    assert experiments_left(Budget(experiments=5), spent) == 2
    assert reason_to_stop(Budget(experiments=5), spent, 0.0) is None
    assert reason_to_stop(Budget(experiments=3), spent, 0.0) == "the budget of 3 experiments is used up"
    assert not is_over(Budget(experiments=3), spent, 0.0)
    assert is_over(Budget(experiments=2), state(S.COMPLETED, S.FAILED), 0.0)


def test_hours_of_work_are_limited() -> None:
    budget = Budget(experiments=5, hours=2)
    assert seconds_left(budget, 3600.0) == 3600
    assert reason_to_stop(budget, state(), 3600.0) is None
    assert reason_to_stop(budget, state(), 7200.0) == "the budget of 2 hours is used up"
    assert seconds_left(Budget(experiments=5), 1e9) is None


def test_exhausted_space_is_a_reason_to_stop() -> None:
    assert (
        reason_to_stop(Budget(experiments=5), state(), 0.0, exhausted=True) == "every allowed setting has been proposed"
    )
