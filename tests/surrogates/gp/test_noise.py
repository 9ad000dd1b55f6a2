from __future__ import annotations

import pytest
import torch

from surrogates.build import build
from surrogates.data import Layout, TrainingData
from surrogates.specs import GPMember, GPSpec

MEMBER = (GPMember(prior="gamma"),)


def data(n: int, noise: float, wrong: dict[int, float], seed: int = 0) -> TrainingData:
    generator = torch.Generator().manual_seed(seed)
    X = torch.rand(n, 1, generator=generator, dtype=torch.float64)
    Y = torch.sin(6.0 * X) + noise * torch.randn(n, 1, generator=generator, dtype=torch.float64)
    for position, shift in wrong.items():
        Y[position] += shift
    return TrainingData(X, Y, Layout.numeric(1))


def error(noise: str, rows: TrainingData) -> float:
    model = build(GPSpec(members=MEMBER, noise=noise), rows, pool=False, seed=0)  # type: ignore[arg-type]
    X = torch.linspace(0.05, 0.95, 50, dtype=torch.float64).unsqueeze(1)
    return float((model.predict(X)[0] - torch.sin(6.0 * X.squeeze(-1))).square().mean().sqrt())


def test_outliers_are_named_and_count_for_less() -> None:
    rows = data(30, 0.05, {4: 3.0, 17: -2.0, 22: 6.0})
    model = build(GPSpec(members=MEMBER, noise="robust"), rows, pool=False, seed=0)
    assert model.report.outliers == (4, 17, 22)
    assert error("robust", rows) < 0.25 * error("normal", rows)
    # They are pending's business as little as the prediction's: a new observation is taken for a typical one.
    x = torch.tensor([[0.5]], dtype=torch.float64)
    noisy, quiet = model.predict(x, observation_noise=True)[1], model.predict(x)[1]
    assert float((noisy.square() - quiet.square()).sqrt()) < 0.2
    assert model.condition_on_pending(x).report.outliers == (4, 17, 22)


@pytest.mark.parametrize("seed", range(4))
def test_without_outliers_robust_is_normal_bit_for_bit(seed: int) -> None:
    rows = data(25, 0.1, {}, seed)
    robust = build(GPSpec(members=MEMBER, noise="robust"), rows, pool=False, seed=0)
    normal = build(GPSpec(members=MEMBER), rows, pool=False, seed=0)
    assert robust.report.outliers == ()
    assert robust.report.fingerprint == normal.report.fingerprint


def test_most_observations_are_never_taken_for_outliers() -> None:
    rows = data(20, 0.05, {i: 5.0 * (-1) ** i for i in range(0, 20, 2)})
    model = build(GPSpec(members=MEMBER, noise="robust"), rows, pool=False, seed=0)
    assert len(model.report.outliers) <= 4


def test_noise_that_depends_on_the_setting_is_learned() -> None:
    generator = torch.Generator().manual_seed(1)
    X = torch.rand(60, 1, generator=generator, dtype=torch.float64)
    spread = torch.where(X > 0.5, 0.6, 0.02)
    Y = torch.sin(6.0 * X) + spread * torch.randn(60, 1, generator=generator, dtype=torch.float64)
    rows = TrainingData(X, Y, Layout.numeric(1))
    quiet = torch.linspace(0.05, 0.45, 30, dtype=torch.float64).unsqueeze(1)
    errors, spreads = {}, {}
    for noise in ("normal", "heteroscedastic"):
        model = build(GPSpec(members=MEMBER, noise=noise), rows, pool=False, seed=0)  # type: ignore[arg-type]
        mean, sd = model.predict(quiet)
        errors[noise] = float((mean - torch.sin(6.0 * quiet.squeeze(-1))).square().mean().sqrt())
        spreads[noise] = float(sd.mean())
    assert errors["heteroscedastic"] < 0.6 * errors["normal"]
    assert spreads["heteroscedastic"] < 0.6 * spreads["normal"]


def test_default_noise_is_left_out_of_what_is_written() -> None:
    assert "noise" not in GPSpec().model_dump()
    assert GPSpec(noise="robust").model_dump()["noise"] == "robust"
