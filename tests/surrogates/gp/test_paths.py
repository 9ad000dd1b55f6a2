"""Drawn functions go where the data say, and spread as the model does; what each learns on its way is exact."""

from __future__ import annotations

import pytest
import torch

from surrogates.gp.ensemble import GPEnsemble
from surrogates.gp.paths import Paths
from surrogates.specs import GPMember
from tests.surrogates.examples import smooth_data, uniform

MEMBERS = (GPMember(kernel="matern52", prior="gamma"), GPMember(kernel="rbf", prior="gamma", transform="log_tail"))


def _paths(n: int, seed: int = 0) -> tuple[GPEnsemble, Paths]:
    data = smooth_data(14, 3)
    model = GPEnsemble(MEMBERS, data)
    generator = torch.Generator().manual_seed(seed)
    return model, Paths(model, data, n, torch.ones(n, dtype=torch.float64), generator)


def test_functions_pass_by_the_data_and_spread_elsewhere_as_each_model_says() -> None:
    _, paths = _paths(600)
    data = smooth_data(14, 3)
    at_data = paths.outcome(paths.value(data.X.expand(600, -1, -1)))
    assert float((at_data - data.Y.squeeze(-1)).abs().median()) < 0.1 * float(data.Y.std())
    X = uniform(6, 3, seed=9).expand(600, -1, -1)
    mean, sd = paths.moments(X)
    z = (paths.value(X) - mean) / sd
    assert float(z.mean()) == pytest.approx(0.0, abs=0.1)
    assert float(z.square().mean()) == pytest.approx(1.0, abs=0.15)


def test_hyperparameters_are_drawn_around_the_most_probable_ones_of_every_member() -> None:
    model, _ = _paths(2)
    member, t = model.draw_hyperparameters(smooth_data(14, 3), 400, torch.Generator().manual_seed(1))
    shares = torch.bincount(member, minlength=2) / 400
    assert shares.tolist() == pytest.approx([m.reporting_weight for m in model.report.members], abs=0.01)
    for k, report in enumerate(model.report.members):
        best = torch.tensor(report.hyperparameters["lengthscale.x0"]).log()
        drawn = t[member == k][:, 0]
        assert float(drawn.median()) == pytest.approx(float(best), abs=0.25)
        assert 0.01 < float(drawn.std()) < 1.5


def test_what_is_shown_is_learned_and_what_failed_is_not() -> None:
    _, paths = _paths(20)
    x = uniform(2, 3, seed=4)
    before = [m.clone() for m in paths.moments(x.expand(20, -1, -1))]
    paths.show(x[:1].expand(20, -1), before[0][:, 0], torch.arange(20) < 10)
    mean, sd = paths.moments(x.expand(20, -1, -1))
    assert torch.allclose(mean, before[0], atol=1e-4)  # it showed what was expected
    assert (sd[:10, 0] < 0.9 * before[1][:10, 0]).all()
    assert torch.allclose(sd[10:], before[1][10:], rtol=1e-3)
    assert paths.counted[:, -1].tolist() == [True] * 10 + [False] * 10
