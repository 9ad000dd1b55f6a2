from __future__ import annotations

import pytest
import torch

from surrogates.base import Surrogate
from surrogates.blend import Blend
from surrogates.build import build
from surrogates.data import TrainingData
from surrogates.errors import ShapeError
from surrogates.sources import Seen, with_sources
from surrogates.specs import GPSpec
from surrogates.testing import SurrogateContract
from tests.surrogates.examples import smooth, smooth_data, uniform


def table(data: TrainingData) -> Surrogate:
    return build(GPSpec(recipe="table"), data, pool=True, seed=0)


def own(data: TrainingData) -> Surrogate:
    return build(GPSpec(recipe="function"), data, pool=False, seed=0)


def informed(data: TrainingData, others: TrainingData) -> Blend:
    """A model with another source beside one without."""
    joint = own(with_sources(data, (("other", others),)))
    seen = Seen(joint, data.layout.d, tuple(range(data.layout.d)), 1, torch.arange(data.n))
    return Blend((own(data), seen), ("alone", "together"), (0.5, 0.5))


def _made(data: TrainingData) -> Surrogate:
    others = (("other", data.rows(torch.arange(0, data.n, 2))),)
    seen = Seen(table(with_sources(data, others)), data.layout.d, tuple(range(data.layout.d)), 1, torch.arange(data.n))
    return Blend((table(data), seen), ("alone", "together"), (0.5, 0.5))


@pytest.mark.parametrize("check", SurrogateContract.names())
def test_contract_is_kept(check: str) -> None:
    SurrogateContract(_made, interpolation=0.1).check(check)


def test_alike_source_is_believed_and_predicts_where_nothing_was_measured() -> None:
    data, other = smooth_data(6, 3), smooth_data(40, 3, seed=1)
    blend = informed(data, other)
    assert blend.shares["together"] > 0.9
    X = uniform(200, 3, seed=2)
    error = (blend.predict(X)[0] - smooth(X).squeeze()).square().mean().sqrt()
    alone = (own(data).predict(X)[0] - smooth(X).squeeze()).square().mean().sqrt()
    assert float(error) < 0.3 * float(alone)


def test_misleading_source_loses_its_weight_or_its_say() -> None:
    data, other = smooth_data(12, 3), smooth_data(30, 3, seed=1)
    shuffled = TrainingData(other.X, other.Y[torch.randperm(30, generator=torch.Generator().manual_seed(0))], other.layout)
    assert informed(data, shuffled).shares["alone"] > 0.95


def test_two_observations_say_nothing_about_which_is_right() -> None:
    data, other = smooth_data(2, 3), smooth_data(40, 3, seed=1)
    joint = Seen(table(with_sources(data, (("other", other),))), 3, (0, 1, 2), 1, torch.arange(2))
    blend = Blend((table(data), joint), ("alone", "together"), (0.3, 0.7))
    assert blend.shares["together"] > 0.99
    assert [round(m.reporting_weight, 1) for m in blend.report.members] == [0.3, 0.7]


def test_reported_names_tell_the_parts_apart_and_weights_add_up() -> None:
    report = informed(smooth_data(8, 3), smooth_data(20, 3, seed=1)).report
    assert sum(member.weight for member in report.members) == pytest.approx(1.0)
    assert sum(member.reporting_weight for member in report.members) == pytest.approx(1.0)
    assert {member.name.rpartition(" ")[2] for member in report.members} == {"(alone)", "(together)"}


def test_pending_points_of_another_source_are_believed_only_by_who_knows_of_it() -> None:
    data = with_sources(smooth_data(8, 3), (("other", smooth_data(20, 3, seed=1)),))
    joint = own(data)
    alone = Seen(own(smooth_data(8, 3)), 4, (0, 1, 2))
    blend = Blend((alone, Seen(joint, 4, (0, 1, 2, 3), 0, torch.arange(8))), ("alone", "together"), (0.5, 0.5))
    pending = torch.tensor([[0.9, 0.9, 0.9, 1.0]], dtype=torch.float64)
    after = blend.condition_on_pending(pending)
    assert [part.report.pending for part in after.parts] == [0, 1]
    assert [part.report.pending for part in blend.condition_on_pending(pending).parts] == [0, 1]
    x = torch.tensor([[0.9, 0.9, 0.9, 0.0]], dtype=torch.float64)
    assert torch.equal(after.parts[0].predict(x)[1], blend.parts[0].predict(x)[1])
    assert float(after.parts[1].predict(x)[1]) <= float(blend.parts[1].predict(x)[1])


def test_parts_of_other_columns_are_refused() -> None:
    with pytest.raises(ShapeError, match="equal columns"):
        Blend((table(smooth_data(4, 3)), table(smooth_data(4, 4))), ("a", "b"), (0.5, 0.5))
