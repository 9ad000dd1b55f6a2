"""Choices as points in a plane: places that are learned, and the surrogate that knows them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from surrogates.base import Surrogate
from surrogates.build import build
from surrogates.data import Group, Layout, TrainingData
from surrogates.gp.embedding import Embedded, _positions, _Value, learned_places
from surrogates.gp.ensemble import problem_of
from surrogates.gp.recipes import FUNCTION
from surrogates.specs import GPSpec
from surrogates.testing import SurrogateContract
from surrogates.transforms import TRANSFORMS

EMBEDDED = GPSpec(choices="embedded")
KINDS = (0.0, 0.0, 0.0, 2.0, 2.0, 2.0)
"""What six choices add: they are of two kinds."""
LAYOUT = Layout((Group("x", (0,)), Group("c", tuple(range(1, 7)), "category")))


def _of_two_kinds(n: int, choices: Tensor) -> TrainingData:
    x = torch.rand(n, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    kind = torch.tensor(KINDS, dtype=torch.float64)[choices].unsqueeze(-1)
    y = torch.sin(3 * x) * (1 - kind) + kind
    return TrainingData(torch.cat([x, torch.nn.functional.one_hot(choices, 6).double()], -1), y, LAYOUT)


class _WithChoices(SurrogateContract):
    """The contract, its last two columns being a category of two choices."""

    def data(self, shift: float = 0.0) -> TrainingData:
        X = super().data().X
        X[:, 1] = X[:, 1].round()
        X[:, 2] = 1.0 - X[:, 1]
        layout = Layout((Group("x", (0,)), Group("c", (1, 2), "category")))
        return TrainingData(X, 10.0 * self.truth(X) + shift, layout)


def _made(data: TrainingData) -> Surrogate:
    model = build(GPSpec(members=FUNCTION[:1], choices="embedded"), data, pool=False, seed=3)
    assert isinstance(model, Embedded)
    return model


@pytest.mark.parametrize("check", SurrogateContract.names())
def test_contract_is_kept_with_choices(check: str) -> None:
    _WithChoices(_made, interpolation=0.05).check(check)


def test_choices_that_act_alike_lie_together() -> None:
    data = _of_two_kinds(24, torch.arange(24) % 6)
    places = learned_places(FUNCTION, data)[1:]
    apart = torch.cdist(places, places)
    alike = torch.tensor(KINDS).unsqueeze(0) == torch.tensor(KINDS).unsqueeze(1)
    among = alike & ~torch.eye(6, dtype=torch.bool)
    assert float(apart[among].max()) < 0.5 * float(apart[~alike].min())


def test_what_one_choice_teaches_holds_for_those_like_it() -> None:
    """The last choice has been tried twice; of its function the others of its kind tell the rest."""
    choices = torch.cat([torch.arange(25) % 5, torch.tensor([5, 5])])
    data = _of_two_kinds(27, choices)
    X = torch.zeros(21, 7, dtype=torch.float64)
    X[:, 0], X[:, 6] = torch.linspace(0, 1, 21), 1.0
    truth = 2.0 - torch.sin(3 * X[:, 0])
    errors = {
        spec.choices: float((build(spec, data, pool=False, seed=0).predict(X)[0] - truth).square().mean().sqrt())
        for spec in (EMBEDDED, GPSpec())
    }
    assert errors["embedded"] < 0.7 * errors["apart"]


def test_gradient_of_what_is_minimised_agrees_with_differences() -> None:
    data = _of_two_kinds(12, torch.arange(12) % 6)
    places, at = torch.zeros(7, 2, dtype=torch.float64), _positions(LAYOUT)
    y = data.Y.squeeze(-1)
    extended = TrainingData(
        torch.cat([data.X, data.X @ places], -1), data.Y, Layout((*LAYOUT.groups, Group("c (place)", (7, 8), "place", tied=True)))
    )
    problem = problem_of(FUNCTION, tuple(TRANSFORMS[member.transform].of(y) for member in FUNCTION), extended)
    value = _Value(problem, data.X, places, at)
    row = value.packed(0.3 * np.random.default_rng(0).standard_normal(12))
    _, gradient = value(row)
    for j in (0, 5, 11, 12, 15, len(row) - 1):
        step = np.zeros_like(row)
        step[j] = 1e-6
        slope = (value(row + step)[0] - value(row - step)[0]) / 2e-6
        assert gradient[j] == pytest.approx(slope, rel=1e-4, abs=1e-6)


def test_same_data_give_the_same_places() -> None:
    data = _of_two_kinds(18, torch.arange(18) % 6)
    assert torch.equal(learned_places(FUNCTION, data), learned_places(FUNCTION, data))


def test_choices_that_were_never_tried_are_near_nothing_in_particular() -> None:
    data = _of_two_kinds(20, torch.arange(20) % 5)
    places = learned_places(FUNCTION, data)[1:]
    assert float(places[5].norm()) < 0.05
    assert float(places[:5].norm(dim=-1).max()) > 0.2


def test_without_categories_it_is_the_plain_model() -> None:
    contract = SurrogateContract(lambda data: build(EMBEDDED, data, pool=False, seed=0))
    plain = build(GPSpec(), contract.data(), pool=False, seed=0)
    model = contract.make(contract.data())
    assert not isinstance(model, Embedded)
    assert model.report.fingerprint == plain.report.fingerprint


def test_the_report_tells_the_places() -> None:
    data = _of_two_kinds(12, torch.arange(12) % 6)
    (told, *_) = [member.hyperparameters["place.c"] for member in _made(data).report.members]
    assert isinstance(told, tuple)
    assert len(told) == 12
