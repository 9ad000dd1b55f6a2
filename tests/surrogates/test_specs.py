"""Specifications survive a file, refuse what they do not know, and need no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import TypeAdapter, ValidationError

from surrogates.specs import AnySpec, AutoSpec, DeepEnsembleSpec, GPMember, GPSpec, RandomForestSpec, SurrogateSpec

ADAPTER: TypeAdapter[AnySpec] = TypeAdapter(SurrogateSpec)


@pytest.mark.parametrize(
    "spec",
    [
        AutoSpec(),
        GPSpec(),
        GPSpec(members=(GPMember(kernel="rbf", prior="gamma"),)),
        DeepEnsembleSpec(hidden=(8,)),
        RandomForestSpec(trees=7),
    ],
)
def test_spec_survives_json(spec: AnySpec) -> None:
    assert ADAPTER.validate_json(ADAPTER.dump_json(spec)) == spec


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": "forest"},
        {"kind": "gp", "kernel": "rbf"},
        {"kind": "gp", "members": []},
        {"kind": "deep_ensemble", "members": 1},
        {"kind": "random_forest", "trees": 1},
        {"kind": "random_forest", "features": 0},
        {"kind": "deep_ensemble", "hidden": [0]},
        {},
    ],
)
def test_unknown_or_impossible_spec_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(bad)


@pytest.mark.parametrize("module", ["surrogates", "surrogates.specs", "surrogates.report", "surrogates.errors"])
def test_module_loads_without_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
