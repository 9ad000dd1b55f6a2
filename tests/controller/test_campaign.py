"""Ask and tell in Python, in memory and in a store."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from controller.campaign import Campaign
from controller.domain.experiment import ExperimentStatus
from controller.errors import CampaignLockedError, ConflictError, SpaceExhaustedError
from controller.store.audit import audit
from controller.store.opening import Store
from tests.integration.support import write_campaign

pytestmark = pytest.mark.timeout(120)


def height(parameters: dict[str, object]) -> float:
    shift = 0.2 if parameters["c"] == "left" else 0.7
    return 10 - 20 * (float(str(parameters["a"])) - shift) ** 2 - 10 * (float(str(parameters["b"])) - 0.4) ** 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_campaign(tmp_path)


def test_asked_and_told_campaign_finds_a_good_point_and_predicts_it(path: Path) -> None:
    with Campaign.load(path, device="cpu") as campaign:
        for _ in range(8):
            (suggestion,) = campaign.ask()
            campaign.tell(suggestion, {"y": height(suggestion.parameters)})
        (best,) = campaign.best()
        assert best["objectives"]["y"] > 8.5
        (expected,) = campaign.predict([best["parameters"]])
        assert abs(expected["y"].mean - best["objectives"]["y"]) < 1.0
        assert expected["y"].sd > 0


def test_suggestions_under_way_are_not_suggested_again(path: Path) -> None:
    with Campaign.load(path, device="cpu") as campaign:
        asked = campaign.ask(3) + campaign.ask(2)
        settings = [tuple(s.parameters.values()) for s in asked]
        assert len(set(settings)) == 5
        assert [s.experiment for s in asked] == [1, 2, 3, 4, 5]


def test_same_seed_suggests_the_same_and_another_seed_something_else(path: Path) -> None:
    first, again, other = (Campaign.load(path, seed=seed, device="cpu").ask(4) for seed in (3, 3, 4))
    assert [s.parameters for s in first] == [s.parameters for s in again]
    assert [s.parameters for s in first] != [s.parameters for s in other]


def test_failed_experiment_and_one_of_ones_own_are_told(path: Path) -> None:
    with Campaign.load(path, device="cpu") as campaign:
        (suggestion,) = campaign.ask()
        campaign.tell(suggestion.experiment, None, reason="spilt")
        own = {"a": 0.0, "b": 0.0, "c": "right"}
        campaign.tell(own, {"y": height(own)}, sem={"y": 0.1})
        failed, told = campaign.state.experiments.values()
        assert (failed.status, failed.fault.message if failed.fault else "") == (ExperimentStatus.FAILED, "spilt")
        assert told.proposal.source == "user"
        assert told.observations["y"].sem == 0.1
        assert campaign.ask()[0].parameters not in (suggestion.parameters, own)


@pytest.mark.parametrize(
    ("experiment", "objectives", "message"),
    [
        (1, {"z": 1.0}, "expected a value for each of y"),
        (1, {}, "expected a value for each of y"),
        (1, {"y": math.nan}, "y must be a finite number, got nan"),
        (1, {"y": -math.inf}, "y must be a finite number, got -inf"),
        (7, {"y": 1.0}, "there is no experiment 7"),
        ({"a": 5.0, "b": 0.0, "c": "left"}, {"y": 1.0}, "not a setting that this campaign allows"),
        ({"a": 0.5}, {"y": 1.0}, "not a setting that this campaign allows"),
    ],
)
def test_what_cannot_be_told_is_refused(
    path: Path, experiment: int | dict[str, float | str], objectives: dict[str, float], message: str
) -> None:
    with Campaign.load(path, device="cpu") as campaign:
        campaign.ask()
        with pytest.raises(ConflictError, match=message):
            campaign.tell(experiment, objectives)
        assert len(campaign.state.experiments) == 1


def test_telling_twice_is_refused(path: Path) -> None:
    with Campaign.load(path, device="cpu") as campaign:
        campaign.ask()
        campaign.tell(1, {"y": 1.0})
        with pytest.raises(ConflictError, match="experiment 1 is completed already"):
            campaign.tell(1, {"y": 2.0})


def test_exhausted_space_is_told(path: Path) -> None:
    with Campaign.load(path, device="cpu") as campaign:
        assert len(campaign.ask(500)) == 288
        with pytest.raises(SpaceExhaustedError):
            campaign.ask()


def test_stored_campaign_goes_on_where_it_was_and_its_books_balance(path: Path, tmp_path: Path) -> None:
    file = str(tmp_path / "told.db")
    with Campaign.load(path, store=file, device="cpu") as campaign:
        (first,) = campaign.ask()
        campaign.tell(first, {"y": 1.0})
        campaign.ask()
        with pytest.raises(CampaignLockedError):
            Campaign.load(path, store=file, device="cpu")
    with Campaign.load(path, store=file, device="cpu") as campaign:
        assert campaign.state.counts()["completed"] == 1
        campaign.tell(2, {"y": 2.0})
        assert campaign.best()[0]["experiment"] == 2
    with Store.open(f"sqlite:///{file}") as store:
        assert audit(store, "test").balanced
    text = path.read_text(encoding="utf-8").replace("maximize", "minimize")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConflictError, match=r"problem\.objectives"):
        Campaign.load(path, store=file, device="cpu")


def test_figure_is_the_one_that_the_store_gives(path: Path, tmp_path: Path) -> None:
    from controller.errors import UnknownNameError
    from controller.verbs.plotting import figure
    from controller.verbs.stores import find

    url = f"sqlite:///{tmp_path / 'kept.db'}"
    with Campaign.load(path, store=url, device="cpu") as campaign:
        for suggestion in campaign.ask(3):
            campaign.tell(suggestion, {"y": height(suggestion.parameters)})
        campaign.retract(2, "spilt")
        drawn = {kind: campaign.plot(kind) for kind in ("progress", "parallel")}
        with pytest.raises(UnknownNameError, match="there is no figure 'timeline' of a campaign in memory; there is progress"):
            campaign.plot("timeline")
    with find([url], campaign.definition.name) as found:
        assert drawn == {kind: figure(found, kind) for kind in drawn}
    assert "data:image/svg+xml" in drawn["progress"]._repr_html_()
