"""Notifications as their user meets them: tried out, told while a campaign runs, listed; and a daemon that was killed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.daemon import stop_daemon
from controller.notify.outbox import Turn
from controller.settings import folder_of, normalise_url
from tests.controller.cli.conftest import Call
from tests.controller.cli.test_run import labwright
from tests.controller.notify.receiver import Receiver, receiver, until


@pytest.fixture
def inbox() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def rules(tmp_path: Path, inbox: Receiver) -> Path:
    file = tmp_path / "rules.yaml"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"targets": {
        "hook": {"webhook": inbox.webhook, "tell": ["all"], "gather_s": 1000},
        "chat": {"url": f"json://127.0.0.1:{inbox.port}/t0ken", "tell": ["finished"]},
    }}))  # fmt: skip
    return file


def test_trial_says_whether_messages_arrive(call: Call, rules: Path, inbox: Receiver) -> None:
    said = call("notify", "test", "--notify", rules, "--json")
    assert said.code == 0
    assert [(row["target"], row["arrived"], row["problem"]) for row in said.json] == [("hook", True, ""), ("chat", True, "")]
    assert len(inbox.taken) == 2
    inbox.status = 500
    said = call("notify", "test", "hook", "--notify", rules)
    assert said.code == 1
    assert "it answered 500" in said.out
    assert "t0ken" not in said.out
    assert call("notify", "test", "nobody", "--notify", rules).code == 2
    assert "labwright daemon start --notify FILE" in call("notify", "test", "--json").error["error"]
    assert "Nobody was told of anything yet" in call("notify", "list").out


def test_run_tells_how_a_campaign_ended(call: Call, campaign_file: Path, rules: Path, inbox: Receiver, tmp_path: Path) -> None:
    store = tmp_path / "run.db"
    ran = labwright("run", campaign_file, "--store", store, "--device", "cpu", "--notify", rules, "--json")
    assert ran.returncode == 0, ran.stderr
    assert {n["topic"] for _, content, _ in inbox.taken for n in content.get("notices", ())} >= {"finished", "progress"}
    assert any("the campaign is completed" in text for text in inbox.texts)
    rows = call("notify", "list", "--store", store, "--json").json
    assert {(row["target"], row["status"]) for row in rows} == {("hook", "sent"), ("chat", "sent")}
    with Turn(folder_of(normalise_url(str(store)))):  # a daemon tells of it
        refused = call("run", campaign_file, "--store", store, "--device", "cpu", "--notify", rules, "--json")
    assert refused.code == 2
    assert "leave --notify out" in refused.error["error"]


def test_wrong_file_is_refused_before_anything_begins(call: Call, campaign_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("targets: {chat: {url: {env: LABWRIGHT_NOT_SET}}}")
    for said in (
        call("daemon", "start", "--store", tmp_path / "s.db", "--notify", file, "--json"),
        call("run", campaign_file, "--store", tmp_path / "s.db", "--notify", file, "--json"),
    ):
        assert said.code == 2
        assert said.error["faults"] == [
            f"{file}: targets.chat: the environment variable LABWRIGHT_NOT_SET is not set; set it where the controller is started"
        ]
    assert not (tmp_path / "s.db").exists()


@pytest.mark.timeout(150)
def test_daemon_that_was_killed_is_told_of(call: Call, rules: Path, inbox: Receiver, tmp_path: Path) -> None:
    store = tmp_path / "daemon.db"
    try:
        started = labwright("daemon", "start", "--store", store, "--device", "cpu", "--notify", rules, "--json")
        assert started.returncode == 0, started.stderr
        told = json.loads(started.stdout)
        assert told["notify"] == str(rules)
        folder = folder_of(normalise_url(str(store)))
        until(lambda: (folder / "notify" / "outbox.db").exists() and call("notify", "test", "chat", "--store", store).code == 0)
        os.kill(told["pid"], signal.SIGKILL)
        until(lambda: any(c.get("notices") for _, c, _ in list(inbox.taken)))
        assert "the controller has ended without being told to" in " ".join(inbox.texts)
    finally:
        stop_daemon(normalise_url(str(store)), 20)
