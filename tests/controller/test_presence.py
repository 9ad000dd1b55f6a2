"""Notes of processes that are at work, with real processes: each counts as long as its process lives, and no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from controller.presence import Presence, present

HOLDER = """
import os, sys, time
from pathlib import Path
from controller.presence import Presence
note = Presence(Path(sys.argv[1]))
note.show(str(os.getpid()))
print("there", flush=True)
time.sleep(60)
"""


def test_note_of_a_killed_process_counts_no_more_although_it_is_still_there(tmp_path: Path) -> None:
    path = tmp_path / "note"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"there\n"
        assert present(path) == str(holder.pid)
        os.kill(holder.pid, signal.SIGSTOP)
        assert present(path) == str(holder.pid), "one that hangs is there"
        holder.kill()
    assert path.read_text() == str(holder.pid)
    assert present(path) is None


def test_note_is_not_handed_on_to_the_children_of_its_process(tmp_path: Path) -> None:
    path = tmp_path / "note"
    with Presence(path) as note:
        note.show("parent")
        program = "import time; print('there', flush=True); time.sleep(60)"
        child = subprocess.Popen([sys.executable, "-c", program], close_fds=False, stdout=subprocess.PIPE)
        note.leave_behind()
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"there\n"
            assert path.exists()
            assert present(path) is None
        finally:
            child.kill()
            child.communicate()


def test_note_that_is_renewed_is_seen_by_everybody_all_the_time(tmp_path: Path) -> None:
    path, ended, missed = tmp_path / "note", threading.Event(), []

    def look() -> None:
        while not ended.is_set():
            if (found := present(path)) is None or not found.startswith("state "):
                missed.append(found)

    with Presence(path) as note:
        note.show("state 0")
        lookers = [threading.Thread(target=look) for _ in range(3)]
        for looker in lookers:
            looker.start()
        for i in range(300):
            note.show(f"state {i}")
        ended.set()
        for looker in lookers:
            looker.join()
        assert missed == []
        assert present(path) == "state 299"
    assert not path.exists()
    assert list(tmp_path.iterdir()) == []


def test_note_of_another_process_is_not_removed(tmp_path: Path) -> None:
    ours, theirs = Presence(tmp_path / "note"), Presence(tmp_path / "note")
    ours.show("ours")
    theirs.show("theirs")
    ours.withdraw()
    assert present(tmp_path / "note") == "theirs"
    theirs.withdraw()
    assert present(tmp_path / "note") is None


def test_note_that_cannot_be_written_leaves_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Presence(tmp_path / "note") as note:
        note.show("first")
        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            with pytest.raises(OSError, match="No space left"):
                note.show("second")
        assert present(tmp_path / "note") == "first"
        assert [file.name for file in tmp_path.iterdir()] == ["note"]
