"""The composition root's own checks; what it composes is tested in `tests/integration`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from controller.daemon import RunOptions, daemon_state, run_campaign, stop_daemon
from controller.errors import ConflictError
from controller.files.loading import load_campaign
from controller.watching import watch_state
from tests.integration.support import write_campaign


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_gpu_that_is_not_there_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    definition = load_campaign(write_campaign(tmp_path))
    store = tmp_path / "store.db"
    with pytest.raises(ConflictError, match="torch sees no GPU"):
        run_campaign(definition, RunOptions(store_url=f"sqlite:///{store}", device="cuda"))
    assert not store.exists()


def test_daemon_that_left_its_number_behind_is_not_taken_for_running(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    folder = tmp_path / "store.files"
    folder.mkdir()
    (folder / "daemon.pid").write_text("999999999", encoding="utf-8")
    assert daemon_state(url) == {"running": False, "pid": None, "folder": str(folder)}


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with us, and ends on SIGTERM."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("note", ["daemon.pid", "daemon.watch.json"])
def test_stranger_that_has_the_number_of_a_dead_daemon_is_neither_taken_for_it_nor_ended(
    tmp_path: Path, stranger: subprocess.Popen[bytes], note: str
) -> None:
    url, folder = f"sqlite:///{tmp_path / 'store.db'}", tmp_path / "store.files"
    folder.mkdir()
    watching = {"pid": stranger.pid, "restarts": 2, "last_end": "ended unexpectedly (SIGKILL)", "alarm": ""}
    (folder / note).write_text(json.dumps(watching if note.endswith(".json") else stranger.pid), encoding="utf-8")
    assert daemon_state(url) == {"running": False, "pid": None, "folder": str(folder)}
    assert watch_state(folder)["watch"] is None
    assert stop_daemon(url, 0.5), "there is nobody to wait for"
    with pytest.raises(subprocess.TimeoutExpired):
        stranger.wait(0.5)
