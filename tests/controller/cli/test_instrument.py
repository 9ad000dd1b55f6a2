"""`labwright instrument stop|resume|disable|enable`: which are meant, and what is said of those that cannot be reached."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.presence import Presence
from controller.settings import folder_of, normalise_url
from controller.store.opening import Store
from instruments.emergency import SOCKET
from instruments.sdk.journal import Journal
from instruments.transport.memory import MemoryNetwork
from tests.controller.cli.conftest import Call
from tests.instruments.devices import Bench
from tests.instruments.support import serving, until


@contextmanager
def drivers_at_work(folders: list[Path]) -> Iterator[None]:
    """Serve a driver in each folder, on a loop of another thread; no controller is anywhere."""
    ready, leave = threading.Event(), threading.Event()

    async def serve_all() -> None:
        async def one(folder: Path) -> None:
            network = MemoryNetwork()
            async with serving(Bench(), network.client(folder.name, "boot1"), journal=folder / "journal.db"):
                await until((folder / SOCKET).exists)
                started.append(folder)
                if len(started) == len(folders):
                    ready.set()
                await until(leave.is_set, timeout=60.0)

        started: list[Path] = []
        await asyncio.gather(*(one(folder) for folder in folders))

    thread = threading.Thread(target=lambda: asyncio.run(serve_all()))
    thread.start()
    try:
        assert ready.wait(20)
        yield
    finally:
        leave.set()
        thread.join(30)


@pytest.fixture
def labs(tmp_path: Path) -> Path:
    return folder_of(normalise_url(str(tmp_path / "s.db"))) / "labs"


def test_all_that_is_at_work_is_stopped_and_resumed_without_any_store(call: Call, tmp_path: Path, labs: Path) -> None:
    with drivers_at_work([labs / "a" / "reactor", labs / "a" / "hplc", labs / "b" / "reactor"]):
        said = call("instrument", "stop", "--all", "--store", tmp_path / "s.db", "--json")
        assert said.code == 0, said.err
        assert [(r["lab"], r["instrument"], r["confirmed"]) for r in said.json] == [
            ("a", "hplc", True), ("a", "reactor", True), ("b", "reactor", True),
        ]  # fmt: skip
        assert not (tmp_path / "s.db").exists()
        both = call("instrument", "stop", "reactor", "--store", tmp_path / "s.db", "--json")
        assert [r["lab"] for r in both.json] == ["a", "b"], "when in doubt a stop means all of that name"
        refused = call("instrument", "resume", "reactor", "--store", tmp_path / "s.db")
        assert refused.code == 2
        assert "say which with --lab" in refused.err
        lifted = call("instrument", "resume", "reactor", "--lab", "a", "--store", tmp_path / "s.db", "--json")
        assert [(r["lab"], r["confirmed"]) for r in lifted.json] == [("a", True)]
        again = call("instrument", "resume", "reactor", "--lab", "a", "--store", tmp_path / "s.db", "--json")
        assert [(r["confirmed"], r["message"]) for r in again.json] == [(True, "was not stopped")]


def test_driver_that_died_is_named_and_comes_up_stopped(call: Call, tmp_path: Path, labs: Path) -> None:
    folder = labs / "a" / "reactor"
    Journal(folder / "journal.db", instrument="reactor").close()
    (folder / SOCKET).touch()  # what a killed driver leaves behind
    said = call("instrument", "stop", "--all", "--timeout", 0.3, "--store", tmp_path / "s.db", "--json")
    assert said.code == 1
    (row,) = said.json
    assert not row["confirmed"]
    assert "no driver process is there; its device was not told, go and look" in row["message"]
    journal = Journal(folder / "journal.db", instrument="reactor")
    assert journal.held is not None
    journal.close()


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", "{", "[" * 100_000])
def test_status_that_nobody_can_read_keeps_no_stop_out(call: Call, tmp_path: Path, labs: Path, content: str) -> None:
    with drivers_at_work([labs / "a" / "reactor"]), Presence(labs / "a" / "status.json") as published:
        published.show(content)
        said = call("instrument", "stop", "--all", "--store", tmp_path / "s.db", "--json")
        assert [r["confirmed"] for r in said.json] == [True]


def test_last_word_of_a_controller_that_is_gone_counts_for_nothing(call: Call, tmp_path: Path, labs: Path) -> None:
    """Whatever process has its number by now."""
    (labs / "a").mkdir(parents=True)
    status = {"pid": os.getpid(), "instruments": [{"instrument": "reactor", "state": "ready"}]}
    (labs / "a" / "status.json").write_text(json.dumps(status))
    said = call("instrument", "stop", "--all", "--store", tmp_path / "s.db")
    assert (said.code, said.out) == (0, "Nothing is at work: no driver, no controller.\n")


def test_nothing_at_work_is_no_error(call: Call, tmp_path: Path) -> None:
    said = call("instrument", "stop", "--all", "--store", tmp_path / "s.db")
    assert (said.code, said.out) == (0, "Nothing is at work: no driver, no controller.\n")


@pytest.mark.parametrize("arguments", [[], ["reactor", "--all"]])
def test_which_instruments_must_be_said(call: Call, tmp_path: Path, arguments: list[str]) -> None:
    said = call("instrument", "stop", *arguments, "--store", tmp_path / "s.db")
    assert said.code == 2
    assert "say which instruments, by name or with --all" in said.err


def test_unknown_name_is_told_what_comes_close(call: Call, tmp_path: Path, labs: Path) -> None:
    Journal(labs / "a" / "reactor" / "journal.db", instrument="reactor").close()
    said = call("instrument", "stop", "reacter", "--store", tmp_path / "s.db")
    assert said.code == 2
    assert "did you mean reactor?" in said.err


def test_switching_off_is_kept_and_shown_with_who_and_why(call: Call, store_file: Path) -> None:
    (first, *_) = call("instrument", "list", "--store", store_file, "--json").json
    name = first["instrument"]
    assert first["enabled"] is True
    assert call("instrument", "disable", name, "--store", store_file).code == 2, "a reason is needed"
    said = call("instrument", "disable", name, "--reason", "leaks", "--store", store_file, "--json")
    assert said.code == 0, said.err
    assert said.json["answer"] == "no controller is at work in that lab; the next one honours it"
    (row, *_) = call("instrument", "list", "--store", store_file, "--json").json
    assert not row["enabled"]
    assert row["held"].startswith("disabled by ")
    assert row["held"].endswith(": leaks")
    assert call("instrument", "enable", name, "--store", store_file).code == 0
    (row, *_) = call("instrument", "list", "--store", store_file, "--json").json
    assert (row["enabled"], row["held"]) == (True, "")
    unknown = call("instrument", "disable", "nothing-like-it", "--reason", "x", "--store", store_file)
    assert unknown.code == 2


def test_store_that_is_locked_does_not_hold_up_the_stop_of_what_is_here(call: Call, tmp_path: Path, labs: Path) -> None:
    """One driver is on this machine, the other is reached by way of the store, which somebody else does not let go of."""
    store = tmp_path / "s.db"
    Store.open(str(store)).close()
    with drivers_at_work([labs / "a" / "reactor"]), Presence(labs / "a" / "status.json") as published:
        published.show(json.dumps({"instruments": [{"instrument": "reactor"}, {"instrument": "far"}]}))
        other = sqlite3.connect(store, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            began = time.monotonic()
            said = call("instrument", "stop", "--all", "--timeout", 0.5, "--store", store, "--json")
            took = time.monotonic() - began
        finally:
            other.close()
    assert said.code == 1
    assert {r["instrument"]: r["confirmed"] for r in said.json} == {"reactor": True, "far": False}
    (far,) = (r for r in said.json if r["instrument"] == "far")
    assert "the store does not let the controller be asked" in far["message"]
    assert took < 6.0
