"""A disk on which nothing can be written when a controller starts: told in one line with its own exit code, and tried again."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from controller.engine.session import LabSession
from controller.store.opening import Store
from tests.controller.cli.conftest import Call

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

MAIN = [sys.executable, "-m", "controller"]


def _no_room() -> None:
    """Let no file of this process and of its children grow: what a full disk is to them."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def called(*words: object, full: bool) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MAIN, *map(str, words)], capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL,
        preexec_fn=_no_room if full else None, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.mark.parametrize("made_before", [False, True])
def test_run_on_a_full_disk_says_so_and_goes_on_when_there_is_room(campaign_file: Path, made_before: bool) -> None:
    store = campaign_file.with_name("lab.db")
    if made_before:
        Store.open(str(store)).close()
    said = called("run", campaign_file, "--store", store, "--json", full=True)
    assert said.returncode == 5, said.stderr
    assert "Traceback" not in said.stderr
    told = json.loads(said.stderr.splitlines()[-1])
    assert (told["type"], told["exit_code"]) == ("StoreError", 5)
    if made_before:
        assert told["error"].endswith("disk I/O error; is the disk full, or failing?")
        done = called("run", campaign_file, "--store", store, "--json", full=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1])["counts"]["completed"] == 2


def test_daemon_on_a_full_disk_ends_with_the_exit_code_that_is_tried_again(tmp_path: Path) -> None:
    store = tmp_path / "lab.db"
    Store.open(str(store)).close()
    said = called("daemon", "start", "--foreground", "--store", store, full=True)
    assert said.returncode == 5, said.stderr
    assert "Traceback" not in said.stderr
    assert said.stderr.splitlines()[-1].endswith("disk I/O error; is the disk full, or failing?")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "a file of Labwright's could not be written: No space left on device"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/lab/clock"), "/lab/clock could not be written: Disk quota exceeded"),
    ],
)
def test_any_file_that_finds_no_room_is_told_in_one_line(
    call: Call, campaign_file: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, words: str
) -> None:
    def start(session: LabSession) -> None:
        raise error

    monkeypatch.setattr(LabSession, "start", start)  # where the rendezvous file, the locks and the drivers' options are written
    said = call("run", campaign_file, "--store", campaign_file.with_name("lab.db"), "--json")
    assert said.code == 5
    told = json.loads(said.err.splitlines()[-1])
    assert told["error"] == f"{words}; make room, then give the command again: it goes on where it was"
