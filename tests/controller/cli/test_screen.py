"""`labwright campaign show`: one screen, whatever state the campaign is in."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from controller.cli.screen import draw
from controller.domain.campaign import CampaignStatus
from controller.domain.event import Observation
from controller.domain.experiment import ExperimentStatus
from controller.domain.fidelity import Fidelity
from controller.presence import Presence
from controller.settings import folder_of, normalise_url
from controller.store.opening import Store
from controller.verbs.overview import overview
from controller.verbs.results import best_rows
from controller.verbs.stores import find
from tests.controller.cli.conftest import Call
from tests.controller.store.samples import START, Script, make_definition


def told_of(path: Path, name: str = "sample", **more: int) -> dict[str, Any]:
    with find([normalise_url(str(path))], name) as found:
        return overview(found, **more)


def drawn(told: dict[str, Any], width: int = 80, height: int = 23) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(draw(told, height=height))
    return out.getvalue().splitlines()


def at_work(path: Path, **campaign: object) -> Presence:
    """Leave the note that a controller at work leaves; the lab's clock is the real one, as the sample says nothing else."""
    folder = folder_of(normalise_url(str(path))) / "labs" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    instruments = [
        {"instrument": "reactor", "connected": True, "state": "busy", "held": ""},
        {"instrument": "hplc", "connected": True, "state": "ready", "held": "disabled by Ada: lamp\x1b[2J"},
    ]
    running = {"campaign": "sample", "doing": "measuring", "running": [], **campaign}
    note = Presence(folder / "status.json")
    note.show(json.dumps({"lab": "bench", "instruments": instruments, "campaigns": [running]}))
    return note


@pytest.mark.parametrize(("width", "height"), [(80, 23), (60, 23), (120, 40), (200, 60)])
def test_it_fits_the_screen_and_uses_the_room_there_is(store_file: Path, width: int, height: int) -> None:
    lines = drawn(told_of(store_file), width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for expected in ("sample", "2 of 10 experiments", "SIMULATED DATA", "no controller is at work", "yield 61.25 ± 0.5 percent"):
        assert expected in text
    assert "\0" not in text
    assert "\x1b" not in text


def test_what_runs_and_until_when_is_what_the_controller_says(store_file: Path) -> None:
    quiet = told_of(store_file)
    assert quiet["controller"]["at_work"] is False
    assert [r["until"] for r in quiet["running"]] == [None]
    item = {"experiment": 2, "step": "react", "instrument": "reactor", "status": "running", "fraction": 0.5}
    with at_work(store_file, running=[{**item, "since": START, "expected_s": 600.0}]):
        told = told_of(store_file)
    assert told["controller"]["at_work"] is True
    assert told["running"] == [{**item, "since": "2026-05-28T20:26:40.250Z", "until": "2026-05-28T20:36:40.250Z"}]
    text = "\n".join(drawn(told))
    assert "measuring" in text
    assert "late, since 2026-05-28" in text
    assert "hplc is held: disabled by Ada" in text
    assert "labwright campaign watch sample" in text


def test_a_controller_that_was_killed_is_not_at_work(store_file: Path) -> None:
    with at_work(store_file) as note:
        note.leave_behind()
    assert told_of(store_file)["controller"]["at_work"] is False


def test_what_waits_for_a_person_is_told_with_the_command_that_settles_it(store_file: Path) -> None:
    told = told_of(store_file)
    assert {"what": "experiment 3 is unknown: nobody can say what became of it", "do": "labwright experiment resolve sample 3"} in [
        {**p, "what": p["what"].split(":")[0] + ": nobody can say what became of it"} for p in told["people"]
    ]
    assert "labwright experiment resolve sample NUMBER" in [n["command"] for n in told["next"]]


def test_the_end_is_forecast_from_the_pace_without_the_time_that_nobody_worked(tmp_path: Path) -> None:
    path, script = tmp_path / "pace.db", Script()
    with Store.open(str(path)) as store:
        store.commit_now(script.created(), definition=script.definition)
        for n in range(6):
            if n == 3:
                script.now += 100_000.0
            for unit in script.one_completed():
                store.commit_now(unit)
    with at_work(path):
        progress = told_of(path)["progress"]
    assert (progress["finished"], progress["budget"]) == (6, 10)
    each = progress["pace_s"]
    assert 5.0 < each < 20.0
    assert progress["ends_at"] > "2026-05-30"
    assert told_of(path)["progress"]["pace_s"] is None, "nothing goes on without a controller"


def test_a_campaign_that_has_not_begun_and_one_that_has_ended_say_so(tmp_path: Path) -> None:
    path, script = tmp_path / "new.db", Script()
    with Store.open(str(path)) as store:
        store.commit_now(script.created(), definition=script.definition)
        assert "nothing measured yet" in "\n".join(drawn(told_of(path)))
        for unit in script.one_completed():
            store.commit_now(unit)
        store.commit_now([script.campaign_status(CampaignStatus.COMPLETED, "the budget is used up")])
    told = told_of(path)
    text = "\n".join(drawn(told))
    assert "the budget is used up" in text
    assert "labwright campaign export sample" in text
    assert told["people"] == []


def test_a_failed_experiment_is_named_with_its_reason(tmp_path: Path) -> None:
    path, script = tmp_path / "failed.db", Script()
    with Store.open(str(path)) as store:
        store.commit_now(script.created(), definition=script.definition)
        experiment, proposed = script.proposed()
        store.commit_now(proposed)
        _, committed = script.committed(experiment)
        store.commit_now([script.status(experiment, ExperimentStatus.RUNNING), committed])
        store.commit_now([script.status(experiment, ExperimentStatus.FAILED, "the pump leaks")])
    (waits,) = told_of(path)["people"]
    assert waits == {"what": "experiment 1 failed: the pump leaks", "do": "labwright experiment show sample 1"}


def test_json_holds_the_same_and_does_not_change_while_nothing_happens(call: Call, store_file: Path) -> None:
    first, second = (call("campaign", "show", "sample", "--store", store_file, "--json").json for _ in range(2))
    assert first == second
    assert first["progress"]["budget"] == 10
    assert first["newest"][-1] == {
        "experiment": 1, "status": "completed", "source": "model", "parameters": {"temperature": 20.1, "base": "KOAc"},
        "why": "expects yield 55.5; β-phase",
    }  # fmt: skip
    assert first["controller"] == {"at_work": False, "doing": ""}


def test_the_best_of_many_is_the_best_of_all_rows_also_where_a_level_counts_alone(tmp_path: Path) -> None:
    definition = make_definition(experiments=20)
    levels = Fidelity.model_validate({"levels": {"quick": {"cost": 1.0}, "real": {"cost": 5.0}}, "target": "real"})
    problem = definition.problem.model_copy(
        update={"parameters": {**definition.problem.parameters, "fidelity": levels.parameter}, "fidelity": levels}
    )
    script = Script(definition.model_copy(update={"problem": problem}))
    path = tmp_path / "levels.db"
    with Store.open(str(path)) as store:
        store.commit_now(script.created(), definition=script.definition)
        for n, (yields, cost) in enumerate(((50.0, 1.0), (70.0, 2.0), (60.0, 0.5), (90.0, 3.0), (40.0, 4.0))):
            experiment, (proposed, queued) = script.proposed()
            point = {**proposed.proposal.point, "fidelity": "quick" if n == 3 else "real"}  # type: ignore[union-attr]
            proposal = proposed.proposal.model_copy(update={"point": point})  # type: ignore[union-attr]
            store.commit_now([proposed.model_copy(update={"proposal": proposal}), queued])
            store.commit_now([script.status(experiment, ExperimentStatus.RUNNING)])
            observed = {"yield": Observation(value=yields, unit="percent"), "cost": Observation(value=cost)}
            done = script.completed(experiment).model_copy(update={"observations": observed})
            store.commit_now([done])
    told = told_of(path)
    assert [(b["experiment"], b["objectives"]["yield"]) for b in told["best"]] == [(3, 60.0), (2, 70.0)]
    with find([normalise_url(str(path))], "sample") as found:
        rows = best_rows(told["definition"], found.reader.experiments(found.id))
    assert [r["experiment"] for r in rows] == [b["experiment"] for b in told["best"]]
    text = "\n".join(drawn(told))
    assert "Pareto front: 2 experiments" in text
