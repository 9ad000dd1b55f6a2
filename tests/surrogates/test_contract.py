"""Every surrogate keeps the contract."""

from __future__ import annotations

import pytest

from surrogates.base import Surrogate
from surrogates.build import build
from surrogates.data import TrainingData
from surrogates.specs import AnySpec, AutoSpec, DeepEnsembleSpec, GPMember, GPSpec, RandomForestSpec
from surrogates.testing import SurrogateContract

SPECS: dict[str, tuple[AnySpec, float]] = {
    "table": (GPSpec(recipe="table"), 0.1),
    "function": (GPSpec(recipe="function"), 0.05),
    "rbf-log-tail": (GPSpec(members=(GPMember(kernel="rbf", transform="log_tail", prior="gamma"),)), 0.05),
    "deep-ensemble": (DeepEnsembleSpec(members=8, hidden=(32, 32), epochs=150), 0.4),
    "random-forest": (RandomForestSpec(trees=30), 0.4),
    "auto": (AutoSpec(), 0.05),
}


def _contract(name: str) -> SurrogateContract:
    spec, interpolation = SPECS[name]

    def make(data: TrainingData) -> Surrogate:
        return build(spec, data, pool=False, seed=3)

    return SurrogateContract(make, interpolation=interpolation)


@pytest.mark.parametrize("check", SurrogateContract.names())
@pytest.mark.parametrize("name", SPECS)
def test_contract_is_kept(name: str, check: str) -> None:
    _contract(name).check(check)
