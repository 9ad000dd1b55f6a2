"""Predictions that are right are left alone; those that are too sure, or too cautious, are found out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from controller.domain.judged import Judged
from controller.domain.request import Observed
from controller.domain.student import interval
from controller.encoding.columns import Encoder
from controller.learn.coverage import FEWEST, NEWEST, coverage, distrust
from controller.learn.dataset import training_data
from controller.learn.fit import fit
from controller.learn.trust import FREEDOM, Trusted
from surrogates.specs import AutoSpec
from tests.controller.spaces import continuous, problem


def _judged(n: int, *, narrow: float = 1.0, shift: float = 0.0, seed: int = 0) -> list[Judged]:
    drawn = np.random.default_rng(seed).standard_t(3, n)
    return [Judged(mean=5.0, scale=2.0 / narrow, freedom=3.0, value=5.0 + 2.0 * (t + shift)) for t in drawn]


def test_right_predictions_are_fine() -> None:
    found = coverage(_judged(200))
    assert found.verdict == "fine"
    assert found.inside_90 / found.results == pytest.approx(0.9, abs=0.05)
    assert found.inside_80 / found.results == pytest.approx(0.8, abs=0.06)
    assert found.position == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("narrow", "verdict"), [(4.0, "too narrow"), (0.1, "too wide")])
def test_wrong_widths_are_found_out(narrow: float, verdict: str) -> None:
    assert coverage(_judged(60, narrow=narrow)).verdict == verdict


def test_results_on_one_side_are_seen_in_their_position() -> None:
    position = coverage(_judged(60, shift=2.0)).position
    assert position is not None
    assert position > 0.8


def test_few_results_say_nothing() -> None:
    assert coverage([]).verdict == "too few"
    assert coverage(_judged(FEWEST - 1, narrow=100.0)).verdict == "too few"
    assert distrust({"y": j} for j in _judged(FEWEST - 1, narrow=100.0)) is None


def test_binomial_tests_are_exact() -> None:
    inside = Judged(mean=0.0, scale=1.0, freedom=3.0, value=0.0)
    outside = Judged(mean=0.0, scale=1.0, freedom=3.0, value=100.0)
    found = coverage([inside] * 9 + [outside])
    assert found.p_narrow == 1.0  # twice 1 - 0.9**10, and no probability is larger
    assert found.p_wide == pytest.approx(2.0 * (0.8**10 + 10 * 0.2 * 0.8**9))
    assert coverage([outside] * 10).p_narrow == pytest.approx(2.0 * 0.1**10)


def test_distrust_names_the_objective_and_forgives_what_is_long_past() -> None:
    wild, calm = _judged(NEWEST, narrow=20.0), _judged(NEWEST)
    reason = distrust({"f": c, "g": w} for c, w in zip(calm, wild, strict=True))
    assert reason is not None
    assert "the model of g" in reason
    assert distrust([{"g": j} for j in wild] + [{"g": j} for j in calm]) is None


def test_right_models_are_hardly_ever_distrusted() -> None:
    alarms = 0
    for seed in range(100):
        rows = [{"y": j} for j in _judged(60, seed=seed)]
        alarms += any(distrust(rows[:n]) is not None for n in range(FEWEST, 61, 5))
    assert alarms <= 3


def test_interval_is_that_of_the_t_distribution() -> None:
    low, high = interval(1.0, 2.0, 3.0, 0.9)
    assert (low, high) == pytest.approx((1.0 - 2.0 * 2.3533634, 1.0 + 2.0 * 2.3533634))


def test_new_measurements_lie_where_they_were_predicted() -> None:
    line = problem(continuous("x"))
    encoder, rng = Encoder.of(line), np.random.default_rng(3)
    xs = rng.random(40)
    ys = np.sin(6 * xs) + 0.2 * rng.standard_normal(40)
    rows = [Observed(point={"x": float(x)}, values={"y": float(y)}) for x, y in zip(xs, ys, strict=True)]
    data = training_data(encoder, rows, "y", line.objectives["y"])
    assert data is not None
    surrogate = fit(AutoSpec(), data, line.objectives["y"], listed=False, seed=0, device="cpu")
    trusted = Trusted.of({"y": surrogate}, {"y": data})
    new = rng.random(300)
    X = torch.from_numpy(new[:, None])
    mean, sd = surrogate.predict(X)
    scales = trusted.scales("y", X)
    assert all(scale > 0.9 * float(s) for scale, s in zip(scales, sd, strict=True))
    truth = np.sin(6 * new) + 0.2 * rng.standard_normal(300)
    found = coverage([Judged(float(m), s, FREEDOM, float(y)) for m, s, y in zip(mean, scales, truth, strict=True)])
    assert 0.84 < found.inside_90 / 300 < 0.99
