from __future__ import annotations

import numpy as np
import pytest
import torch

from controller.domain.knowledge import EarlierCampaign, Knowledge
from controller.domain.objective import Objective
from controller.encoding.columns import Encoder
from controller.learn.earlier import aligned, earlier_data, led_number
from controller.learn.fit import fit, fit_informed
from surrogates.blend import Blend
from surrogates.data import TrainingData
from surrogates.specs import GPMember, GPSpec
from tests.controller.spaces import continuous, problem
from tests.surrogates.examples import smooth, smooth_data, uniform

MOST = Objective(goal="maximize")


ONE = GPSpec(members=(GPMember(kernel="rbf", prior="gamma"),))


def fitted(data: TrainingData) -> object:
    return fit(ONE, data, MOST, listed=False, seed=0, device="cpu")


def informed(own: TrainingData | None, earlier: TrainingData) -> object:
    return fit_informed(ONE, own, [("before", earlier)], MOST, listed=False, seed=0, device="cpu")


def test_results_of_another_level_and_range_are_moved_to_meet_ones_own() -> None:
    own, other = smooth_data(16, 3), smooth_data(24, 3, seed=1)
    stretched = TrainingData(other.X, 5.0 * other.Y + 30.0, other.layout)
    moved = aligned(stretched, own, fitted)  # type: ignore[arg-type]
    error = (moved.Y - other.Y).abs().mean() / other.Y.std()
    assert float(error) < 0.3
    assert aligned(stretched, None, fitted).Y is stretched.Y  # type: ignore[arg-type]
    one = aligned(stretched, own.rows(torch.tensor([0])), fitted)  # type: ignore[arg-type]
    # One result says nothing about the range.
    assert float(one.Y.std() / stretched.Y.std()) == pytest.approx(1.0)


def test_equal_results_do_not_stretch_anything_beyond_measure() -> None:
    own = TrainingData(uniform(5, 3), torch.full((5, 1), 2.0, dtype=torch.float64), smooth_data(5, 3).layout)
    moved = aligned(smooth_data(20, 3, seed=1), own, fitted)  # type: ignore[arg-type]
    assert bool(torch.isfinite(moved.Y).all())
    assert float(moved.Y.std()) < float(smooth_data(20, 3, seed=1).Y.std())


def test_what_misleads_costs_little_and_what_is_alike_gains_much() -> None:
    own, other = smooth_data(12, 3), smooth_data(24, 3, seed=1)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    X = uniform(300, 3, seed=2)
    truth = smooth(X).squeeze()

    def error(surrogate: object) -> float:
        return float((surrogate.predict(X)[0] - truth).square().mean().sqrt())  # type: ignore[attr-defined]

    alone = error(fitted(own))
    assert error(informed(own, other)) < 0.8 * alone
    for Y in (other.Y[order], -other.Y):
        assert error(informed(own, TrainingData(other.X, Y, other.layout))) < 1.3 * alone


def test_earlier_results_are_followed_only_where_they_help_to_predict_and_the_report_says_so() -> None:
    own, other = smooth_data(12, 3), smooth_data(24, 3, seed=1)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    alike = informed(own, other)
    assert isinstance(alike, Blend)
    assert alike.believed["with earlier campaigns"] > 0.5
    assert "earlier campaigns followed, believed by" in alike.report.warnings[-1]
    shuffled = informed(own, TrainingData(other.X, other.Y[order], other.layout))
    # To the last digit the model of one's own results.
    assert shuffled.report.fingerprint == fitted(own).report.fingerprint  # type: ignore[attr-defined]
    assert "earlier campaigns not followed, believed by" in shuffled.report.warnings[-1]  # type: ignore[attr-defined]
    few = own.rows(torch.arange(4))
    listed = fit_informed(ONE, few, [("before", other)], MOST, listed=True, seed=0, device="cpu")
    assert listed is not None
    assert listed.report.warnings == ("earlier campaigns not followed before 5 results",)
    assert informed(few, other).report.warnings == ("earlier campaigns followed before 5 results",)  # type: ignore[attr-defined]


def test_one_experiment_of_a_space_is_led_and_none_of_a_list() -> None:
    which = problem(continuous("a", "b"))
    assert led_number(which, 5, listed=False) is None
    sister = EarlierCampaign(name="s", points={"a": (0.1,), "b": (0.2,)}, values={"y": (1.0,)})
    told = which.model_copy(update={"knowledge": Knowledge(earlier=(sister,))})
    # The last of the first points, and early enough to be among the results of the first test.
    assert [led_number(told, wanted, listed=False) for wanted in (1, 3, 5, 20)] == [1, 3, 5, 5]
    assert led_number(told, 5, listed=True) is None
    asked = tuple({"a": 0.1 * k, "b": 0.2} for k in range(6))
    # What the campaign file wants first comes before.
    assert led_number(which.model_copy(update={"knowledge": Knowledge(earlier=(sister,), first=asked)}), 5, listed=False) == 7


def test_of_many_results_the_best_and_an_even_share_are_kept() -> None:
    which = problem(continuous("a"))
    values = np.random.default_rng(0).random(5000)
    campaign = EarlierCampaign(name="big", points={"a": tuple(values)}, values={"y": tuple(values)})
    ((name, data),) = earlier_data(Encoder.of(which), [campaign], "y", MOST)
    assert name == "earlier 1: big"
    assert data.n == 300
    assert float(data.Y.max()) == values.max()
    assert float(data.X.min()) < 0.05
    least = Objective(goal="minimize")
    ((_, data),) = earlier_data(Encoder.of(which), [campaign, campaign], "y", least)[:1]
    assert data.n == 150
    assert float(-data.Y.max()) == values.min()
    assert earlier_data(Encoder.of(which), [campaign], "other", MOST) == []
