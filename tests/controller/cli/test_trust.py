"""`labwright campaign calibration` on a real store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.domain.event import ExperimentProposed, ExperimentStatusChanged, Observation
from controller.domain.proposal import Prediction
from controller.store.opening import Store
from tests.controller.cli.conftest import Call
from tests.controller.store.samples import E, Script


@pytest.fixture
def judged_store(tmp_path: Path) -> Path:
    """A campaign of twelve results, two of them far outside what was predicted."""
    script = Script()
    with Store.open(f"sqlite:///{tmp_path / 'judged.db'}") as store:
        store.commit_now(script.created(), definition=script.definition)
        for k in range(12):
            experiment, (proposed, queued) = script.proposed()
            assert isinstance(proposed, ExperimentProposed)
            predictions = {
                "yield": Prediction(mean=50.0, sd=2.0, scale=3.0, freedom=3.0),
                "cost": Prediction(mean=3.0, sd=1.0),
            }
            proposal = proposed.proposal.model_copy(update={"predictions": predictions})
            done = script.status(experiment, E.COMPLETED)
            assert isinstance(done, ExperimentStatusChanged)
            values = {"yield": Observation(value=90.0 if k in (3, 7) else 51.0), "cost": Observation(value=3.0)}
            store.commit_now([
                proposed.model_copy(update={"proposal": proposal}), queued, script.status(experiment, E.RUNNING),
                done.model_copy(update={"observations": values}),
            ])  # fmt: skip
    return tmp_path / "judged.db"


def test_calibration_counts_what_lies_inside(call: Call, judged_store: Path) -> None:
    told = call("campaign", "calibration", "sample", "--store", judged_store, "--json").json
    found = told["objectives"]["yield"]
    assert (found["results"], found["inside_80"], found["inside_90"], found["verdict"]) == (12, 10, 10, "fine")
    assert told["objectives"]["cost"]["verdict"] == "too few"
    outside = [e["number"] for e in told["experiments"] if not e["objectives"]["yield"]["inside"]["90"]]
    assert outside == [4, 8]
    low, high = told["experiments"][0]["objectives"]["yield"]["intervals"]["90"]
    assert (low, high) == pytest.approx((50 - 3 * 2.3533634, 50 + 3 * 2.3533634))
    shown = call("campaign", "show", "sample", "--store", judged_store, "--json").json
    assert shown["calibration"] == told["objectives"]


def test_calibration_as_text_says_what_it_means(call: Call, judged_store: Path) -> None:
    said = call("campaign", "calibration", "sample", "--store", judged_store).out
    assert "10 of 12" in said
    assert "within what chance allows" in said
    assert "Outside their 90 % interval" in said
    shown = call("campaign", "show", "sample", "--details", "--store", judged_store).out
    assert "yield fine (10 of 12 inside their 90 % intervals)" in shown
    assert "yield: 10 of the last 12 results inside their 90 % intervals" in shown


def test_calibration_of_nothing_says_so(call: Call, store_file: Path) -> None:
    said = call("campaign", "calibration", "sample", "--store", store_file)
    assert said.code == 0
    assert "not enough results yet" in said.out
    assert json.dumps(call("campaign", "calibration", "sample", "--store", store_file, "--json").json)


def test_experiment_shows_the_interval_of_what_would_be_measured(call: Call, judged_store: Path) -> None:
    said = call("experiment", "show", "sample", "1", "--store", judged_store).out
    assert "90 % interval" in said
    assert "42.9399 to 57.0601" in said
