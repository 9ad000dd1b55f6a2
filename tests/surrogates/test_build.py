"""The registry carries out every specification and refuses what it does not know."""

from __future__ import annotations

import pytest
import torch

from surrogates import build as module
from surrogates.build import build
from surrogates.data import Group, Layout, TrainingData
from surrogates.ensembles.deep import DeepEnsemble
from surrogates.errors import FitError
from surrogates.gp.ensemble import GPEnsemble
from surrogates.specs import AutoSpec, DeepEnsembleSpec, GPMember, GPSpec
from tests.surrogates.examples import smooth_data

DATA = smooth_data(12, 3)


@pytest.mark.parametrize(
    ("recipe", "pool", "members"),
    [("auto", True, 1), ("auto", False, 4), ("table", False, 1), ("function", True, 4)],
)
def test_recipe_chooses_members(recipe: str, pool: bool, members: int) -> None:
    spec = GPSpec.model_validate({"recipe": recipe})
    assert len(build(spec, DATA, pool=pool, seed=0).report.members) == members


def test_named_members_overrule_the_recipe() -> None:
    spec = GPSpec(members=(GPMember(kernel="rbf"), GPMember(kernel="matern52")), recipe="table")
    names = [member.name for member in build(spec, DATA, pool=True, seed=0).report.members]
    assert names == ["rbf/standard/tight", "matern52/standard/tight"]


@pytest.mark.parametrize(("pool", "limit"), [(True, "MANY_OBSERVATIONS"), (False, "MANY_ON_FUNCTIONS")])
def test_auto_changes_over_when_observations_are_many(pool: bool, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, limit, 12)
    assert isinstance(build(AutoSpec(), DATA, pool=pool, seed=0), GPEnsemble)
    surrogate = build(AutoSpec(), smooth_data(13, 3), pool=pool, seed=0)
    assert isinstance(surrogate, DeepEnsemble)
    assert surrogate.report.kind == "deep_ensemble"


def test_lists_of_molecules_stay_with_gaussian_processes_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MANY_OBSERVATIONS", 5)
    generator = torch.Generator().manual_seed(0)
    X, Y = torch.rand(8, 64, dtype=torch.float64, generator=generator), torch.rand(8, 1, dtype=torch.float64, generator=generator)
    for tied, kind in ((True, GPEnsemble), (False, DeepEnsemble)):
        layout = Layout((Group("molecule", tuple(range(64)), "structure", tied=tied),))
        assert isinstance(build(AutoSpec(), TrainingData(X, Y, layout), pool=True, seed=0), kind)


def test_seed_matters_to_networks_only() -> None:
    def prints(spec: GPSpec | DeepEnsembleSpec) -> set[str]:
        return {build(spec, DATA, pool=False, seed=seed).report.fingerprint for seed in (0, 1)}

    assert len(prints(GPSpec())) == 1
    assert len(prints(DeepEnsembleSpec(members=2, hidden=(4,), epochs=2))) == 2


def test_unknown_spec_is_refused() -> None:
    with pytest.raises(FitError, match="no surrogate is registered for str"):
        build("gp", DATA, pool=True, seed=0)  # type: ignore[arg-type]
