"""Campaign files and definitions: defaults, limits, and a fingerprint that changes with the search alone."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from controller.domain.campaign import Budget, CampaignFile, Definition, FailurePolicy, ProposalPolicy
from controller.domain.lab import InstrumentSpec, LabSpec
from surrogates.specs import DeepEnsembleSpec
from tests.strategies.definitions import definitions

WRITTEN: dict[str, Any] = {
    "campaign": "direct-arylation",
    "parameters": {"temperature": {"type": "continuous", "bounds": [90, 120], "unit": "degC"}},
    "objectives": {"yield": {"goal": "maximize", "unit": "percent"}},
    "budget": {"experiments": 50},
    "lab": {"simulator": "table"},
}


def _file(**changes: Any) -> CampaignFile:
    return CampaignFile.model_validate(WRITTEN | changes)


def test_shortest_file_has_the_documented_defaults() -> None:
    file = _file()
    assert (file.batch, file.seed, file.allow_replicates, file.constraints) == (1, 0, False, ())
    assert (file.budget.hours, file.failures.attempts, file.failures.pause_after) == (None, 3, 5)
    assert file.proposals.surrogate.kind == "auto"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"campaign": "two words"}, "match pattern"),
        ({"campaign": "../etc"}, "match pattern"),
        ({"campaign": "x" * 129}, "at most 128 characters"),
        ({"parameters": {}}, "at least 1 item"),
        ({"parameters": {"2nd": {"type": "continuous", "bounds": [0, 1]}}}, "match pattern"),
        ({"objectives": {}}, "at least 1 item"),
        ({"budget": {"experiments": 0}}, "greater than or equal to 1"),
        ({"budget": {"experiments": 5, "hours": 0}}, "greater than 0"),
        ({"batch": 0}, "greater than or equal to 1"),
        ({"batch": 1001}, "less than or equal to 1000"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"seed": 2**63}, "less than"),
        ({"failures": {"attempts": 0}}, "greater than or equal to 1"),
        ({"failures": {"stall_factor": 0.5}}, "greater than or equal to 1"),
        ({"proposals": {"patience": 0}}, "greater than 0"),
        ({"proposals": {"surrogate": {"kind": "oracle"}}}, "'gp', 'deep_ensemble', 'random_forest', 'auto'"),
        ({"experiments": 5}, "Extra inputs"),
    ],
)
def test_campaign_file_is_refused_with_the_reason(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _file(**changes)


@pytest.mark.parametrize(("batch", "written", "ahead"), [(1, None, 0), (4, None, 1), (1, 2, 2), (4, 0, 0)])
def test_proposals_are_kept_ready_ahead_of_larger_batches(batch: int, written: int | None, ahead: int) -> None:
    definition = _definition(batch=batch, proposals=ProposalPolicy(ahead=written))
    assert definition.ahead == ahead


def _definition(**changes: Any) -> Definition:
    lab = {
        "lab": "bench",
        "instruments": {"oven": {"driver": "simulated-table"}},
        "protocol": [{"step": "bake", "instrument": "oven", "action": "run", "with": {"t": "$temperature"}}],
        "simulated": True,
    }
    base = {k: WRITTEN[k] for k in ("parameters", "objectives")}
    content = {"name": "bread", "problem": base, "budget": {"experiments": 5}, "lab": lab}
    return Definition.model_validate(content | changes)


@settings(max_examples=40, deadline=None)
@given(definitions())
def test_definition_survives_json_with_its_fingerprint(definition: Definition) -> None:
    again = Definition.model_validate_json(definition.model_dump_json())
    assert again == definition
    assert again.fingerprint == definition.fingerprint
    assert again.simulated is definition.lab.simulated
    assert json.loads(definition.model_dump_json())["format"] == 1


@settings(max_examples=40, deadline=None)
@given(definitions())
def test_fingerprint_ignores_what_may_be_amended(definition: Definition) -> None:
    other_lab = LabSpec(
        lab="elsewhere", instruments={"reactor": InstrumentSpec(driver="d"), "hplc": InstrumentSpec(driver="d")},
        protocol=definition.lab.protocol,
    )  # fmt: skip
    amended = definition.model_copy(
        update={"budget": Budget(experiments=999), "batch": 7, "failures": FailurePolicy(attempts=9),
                "description": "other", "name": "other", "lab": other_lab}
    )  # fmt: skip
    assert amended.fingerprint == definition.fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"proposals": ProposalPolicy(surrogate=DeepEnsembleSpec())},
        {"proposals": ProposalPolicy(first_points=3)},
        {"problem": {**{k: WRITTEN[k] for k in ("parameters", "objectives")}, "constraints": ["temperature <= 110"]}},
        {"problem": {**{k: WRITTEN[k] for k in ("parameters", "objectives")}, "allow_replicates": True}},
    ],
    ids=["seed", "surrogate", "first points", "constraint", "replicates"],
)
def test_fingerprint_changes_with_the_search(changes: dict[str, Any]) -> None:
    assert _definition(**changes).fingerprint != _definition().fingerprint


def test_fingerprint_is_the_same_in_another_process() -> None:
    definition = _definition()
    code = (
        "import sys; from controller.domain.campaign import Definition; "
        "print(Definition.model_validate_json(sys.stdin.read()).fingerprint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=definition.model_dump_json(), text=True, capture_output=True, check=True, timeout=60,
        env={"PYTHONHASHSEED": "12345"},
    )  # fmt: skip
    assert done.stdout.strip() == definition.fingerprint
