"""`labwright demo`: which campaign is next, and the picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.cli.demo import command
from controller.cli.demo.command import prepare
from controller.domain.campaign import CampaignStatus
from controller.settings import normalise_url
from controller.store.opening import Store
from tests.controller.cli.conftest import Call
from tests.controller.store.samples import Script


def test_prepare_resumes_what_is_unfinished_and_begins_anew_after_what_is_completed(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    url = normalise_url(str(folder / "demo.db"))
    definition, file = prepare(folder, url, None)
    assert definition.name == "flow-demo"
    assert definition.simulated
    assert file.exists()
    script = Script(definition)
    with Store.open(url) as store:
        store.commit_now(script.created(), definition=definition)
        assert prepare(folder, url, None)[0].name == "flow-demo"
        store.commit_now([script.campaign_status(CampaignStatus.COMPLETED, "done")])
    renewed, file = prepare(folder, url, 900)
    assert (renewed.name, renewed.seed, renewed.lab.speed) == ("flow-demo-2", 1, 900)
    assert file.name == "flow-demo-2.yaml"


def test_demo_into_a_place_that_cannot_be_a_folder_is_refused(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = call("demo", "--output", tmp_path / "file" / "demo")
    assert said.code == 2
    assert "--output" in said.err


@pytest.mark.timeout(90)
def test_demo_runs_draws_and_says_where(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    short = tmp_path / "short.yaml"
    short.write_text(command.CAMPAIGN.read_text().replace("experiments: 24", "experiments: 3"))
    monkeypatch.setattr(command, "CAMPAIGN", short)
    done = call("demo", "--output", tmp_path / "demo", "--speed", 3000, "--json")
    assert done.code == 0, done.err
    summary = json.loads(done.out.splitlines()[-1])
    assert (summary["status"], summary["simulated"], summary["counts"]["completed"]) == ("completed", True, 3)
    assert len(summary["best"]) >= 1
    assert Path(summary["picture"]).read_bytes().startswith(b"\x89PNG")
    assert "SIMULATED" in done.err
