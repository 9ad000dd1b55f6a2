"""The daemon as its user meets it: started, given a campaign, asked, stopped."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from controller.daemon import stop_daemon
from controller.settings import normalise_url
from tests.controller.cli.conftest import Call
from tests.controller.cli.test_run import labwright


@pytest.mark.timeout(150)
def test_daemon_takes_a_campaign_answers_and_stops(call: Call, campaign_file: Path, tmp_path: Path) -> None:
    store = tmp_path / "daemon.db"
    campaign_file.write_text(
        campaign_file.read_text().replace("experiments: 2", "experiments: 40").replace("3000", "200")
    )
    try:
        started = labwright("daemon", "start", "--store", store, "--device", "cpu", "--grace", 0, "--json")
        assert started.returncode == 0, started.stderr
        assert json.loads(started.stdout)["running"] is True
        assert call("daemon", "status", "--store", store, "--json").json[0]["running"] is True
        assert labwright("daemon", "start", "--store", store).returncode == 4
        given = call("campaign", "start", campaign_file, "--store", store, "--json")
        assert given.code == 0, given.err
        assert given.json["answered"] is True
        rows = call("instrument", "list", "--store", store, "--json").json
        assert {r["instrument"] for r in rows} == {"reactor", "hplc"}
        assert call("campaign", "resume", "quick", "--store", store).code == 2
        paused = call("campaign", "pause", "quick", "--store", store, "--json")
        assert paused.json["answered"] is True, paused
        (row,) = call("campaign", "list", "--store", store, "--json").json
        assert row["status"] == "paused"
        assert call("campaign", "resume", "quick", "--store", store, "--json").json["answered"] is True
        deadline = time.monotonic() + 30
        while {r["state"] for r in call("instrument", "list", "--store", store, "--json").json} == {"not at work"}:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        stopped = call("daemon", "stop", "--store", store, "--timeout", 40, "--json")
        assert stopped.code == 0, stopped.err
        assert len(stopped.json) == 1
        assert call("daemon", "stop", "--store", store).out == "No daemon is at work.\n"
    finally:
        stop_daemon(normalise_url(str(store)), 20)
    assert call("campaign", "audit", "quick", "--store", store).code == 0


@pytest.mark.timeout(150)
def test_supervised_daemon_is_back_after_it_was_killed_and_stays_away_when_stopped(call: Call, tmp_path: Path) -> None:
    store = tmp_path / "daemon.db"

    def status() -> dict[str, Any]:
        (row,) = call("daemon", "status", "--store", store, "--json").json
        return dict(row)

    try:
        started = labwright("daemon", "start", "--supervise", "--store", store, "--device", "cpu", "--grace", 0, "--json")
        assert started.returncode == 0, started.stderr
        first = status()
        assert first["running"]
        assert first["watch"] not in (None, first["pid"])
        os.kill(first["pid"], signal.SIGKILL)
        deadline = time.monotonic() + 60
        while (now := status())["pid"] in (None, first["pid"]):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert (now["watch"], now["restarts"], now["last_end"]) == (first["watch"], 1, "ended unexpectedly (SIGKILL)")
        assert labwright("daemon", "start", "--store", store).returncode == 4
        assert call("daemon", "stop", "--store", store, "--timeout", 40).code == 0
        after = status()
        assert (after["running"], after["watch"]) == (False, None)
    finally:
        stop_daemon(normalise_url(str(store)), 20)


def test_daemon_that_cannot_start_says_why(call: Call, tmp_path: Path) -> None:
    junk = tmp_path / "junk.db"
    junk.write_bytes(b"not a database at all" * 100)
    said = call("daemon", "start", "--store", junk)
    assert said.code == 5
    assert "junk.db" in said.err
    assert "Traceback" not in said.err


def test_status_without_a_daemon(call: Call) -> None:
    rows = call("daemon", "status", "--json").json
    assert [row["running"] for row in rows] == [False, False]
