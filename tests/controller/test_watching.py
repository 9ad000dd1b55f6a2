"""The watch over the daemon, with real processes: restarts after crashes and hangs, and an end when it was told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from controller.errors import CampaignLockedError
from controller.watching import Patience, beat_file, notify_service_manager, watch, watch_state

QUICK = Patience(
    start_s=20.0, hang_s=1.5, abort_s=0.5, first_pause_s=0.05, longest_pause_s=0.2, most=3, window_s=60.0
)
DAEMON = """
import os, pathlib, signal, sys, time
folder, how = pathlib.Path(sys.argv[1]), sys.argv[2]
with (folder / "starts").open("a") as starts:
    starts.write(f"{os.getpid()}\\n")
n = len((folder / "starts").read_text().split())
if how == "crash twice" and n <= 2:
    os.kill(os.getpid(), signal.SIGKILL)
if how == "crash":
    sys.exit(1)
if how == "no room" and n <= 6:
    sys.exit(5)
if how == "wrong input":
    sys.exit(2)
if how in ("done", "no room") or n == 3:
    sys.exit(0)
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
while not told:
    if not (how == "hang once" and n == 1):
        (folder / "daemon.beat").touch()
    elif not (folder / "hung").exists():
        (folder / "daemon.beat").touch()
        (folder / "hung").touch()
    time.sleep(0.1)
    if how == "hang once" and n == 2:
        sys.exit(0)
(folder / "told").touch()
"""


def command(folder: Path, how: str) -> list[str]:
    return [sys.executable, "-c", DAEMON, str(folder), how]


def starts(folder: Path) -> int:
    path = folder / "starts"
    return len(path.read_text().split()) if path.exists() else 0


def test_crashed_daemon_is_started_again(tmp_path: Path) -> None:
    assert watch(command(tmp_path, "crash twice"), tmp_path, QUICK) == 0
    assert starts(tmp_path) == 3
    assert watch_state(tmp_path)["watch"] is None


def test_hanging_daemon_is_killed_and_started_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert watch(command(tmp_path, "hang once"), tmp_path, QUICK) == 0
    assert starts(tmp_path) == 2
    assert "has shown no sign of life for 1.5 s and was killed" in caplog.text


@pytest.mark.parametrize(("how", "code"), [("done", 0), ("wrong input", 2)])
def test_end_that_a_restart_would_not_change_is_the_end(tmp_path: Path, how: str, code: int) -> None:
    assert watch(command(tmp_path, how), tmp_path, QUICK) == code
    assert starts(tmp_path) == 1


def test_daemon_that_cannot_use_its_store_is_tried_again_for_as_long_as_it_takes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert watch(command(tmp_path, "no room"), tmp_path, QUICK) == 0
    assert starts(tmp_path) == 7 > QUICK.most
    assert "cannot use its store (exit code 5" in caplog.text
    assert watch_state(tmp_path)["alarm"] == ""


def test_watch_gives_up_with_an_alarm_after_too_many_restarts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert watch(command(tmp_path, "crash"), tmp_path, QUICK) == 1
    assert starts(tmp_path) == 4
    state = watch_state(tmp_path)
    assert "no longer started again" in state["alarm"]
    assert "ended unexpectedly (exit code 1)" in state["alarm"]
    assert state["alarm"] in caplog.text
    assert state["watch"] is None, "it has ended, although this process lives"


def test_daemon_that_cannot_even_be_started_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "daemon"
    monkeypatch.setattr("controller.watching.time.sleep", lambda seconds: program.exists() or program.symlink_to(sys.executable))
    assert watch([str(program), "-c", DAEMON, str(tmp_path), "done"], tmp_path, QUICK) == 0
    assert starts(tmp_path) == 1
    assert watch([str(tmp_path / "nothing")], tmp_path, QUICK) == 1
    assert "could not be started" in watch_state(tmp_path)["alarm"]


WATCH = """
import sys
from pathlib import Path
from controller.watching import watch
sys.exit(watch(sys.argv[2:], Path(sys.argv[1])))
"""


@pytest.mark.parametrize("frozen", [False, True])
def test_signal_is_passed_on_and_the_daemon_is_not_started_again(tmp_path: Path, frozen: bool) -> None:
    process = subprocess.Popen([sys.executable, "-c", WATCH, str(tmp_path), *command(tmp_path, "work")])
    try:
        deadline = time.monotonic() + 20
        while not beat_file(tmp_path).exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert watch_state(tmp_path)["watch"] == process.pid
        with pytest.raises(CampaignLockedError, match=f"watch \\(process {process.pid}\\) is at work"):
            watch(command(tmp_path, "work"), tmp_path, QUICK)
        daemon = int((tmp_path / "starts").read_text())
        if frozen:
            os.kill(daemon, signal.SIGSTOP)
        process.terminate()
        if frozen:
            os.kill(daemon, signal.SIGCONT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    assert starts(tmp_path) == 1
    assert (tmp_path / "told").exists()


def test_daemon_outlives_a_killed_watch(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", WATCH, str(tmp_path), *command(tmp_path, "work")])
    deadline = time.monotonic() + 20
    while not beat_file(tmp_path).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    daemon = int((tmp_path / "starts").read_text())
    process.kill()
    process.wait()
    assert watch_state(tmp_path)["watch"] is None
    os.kill(daemon, signal.SIGTERM)
    while not (tmp_path / "told").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_service_manager_is_told_only_where_it_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, bytes]] = []
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify_service_manager("READY=1", lambda *message: told.append(message))
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    notify_service_manager("WATCHDOG=1", lambda *message: told.append(message))
    assert told == [("/run/notify", b"WATCHDOG=1")]
