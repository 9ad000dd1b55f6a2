"""The short form of the storm, on both stores; `make chaos` is the long one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.engine.recorder import FOLDER, read_flight
from controller.settings import HOME_VARIABLE
from instruments.protocol.replay import replay
from tests.chaos.bench import Bench, write_files
from tests.chaos.books import examine
from tests.chaos.storm import Storm
from tests.controller.store.postgres import PostgresServer, installed_postgres

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
EXPERIMENTS = 6


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    with installed_postgres() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    write_files(tmp_path, experiments=EXPERIMENTS, seed=1)
    return tmp_path


def weather(bench: Bench, blows: list[str], server: PostgresServer | None = None) -> None:
    """Let the blows fall, then look at the books."""
    storm = Storm(bench, 3, server)
    storm.run(timeout_s=240, blows=blows, pace=0.5)
    assert sorted(storm.counts.elements()) == sorted(blows), "the campaign ended before the storm did"
    books = examine(bench)
    assert books.lost == []
    assert books.repeated == []
    assert books.wrong == []
    (flight,) = bench.folder.glob(f"**/labs/chaos/{FOLDER}")
    replayed = replay(read_flight(flight))
    assert replayed.steps > 100
    assert replayed.chapters > 1
    assert replayed.difference is None


def test_books_balance_after_a_storm_on_sqlite(folder: Path) -> None:
    bench = Bench(folder, f"sqlite:///{folder / 'store.db'}", EXPERIMENTS)
    try:
        weather(bench, ["kill controller", "kill driver", "full disk", "kill everything"])
        check_that_faults_are_seen(bench)
    finally:
        bench.close()


def test_books_balance_after_a_storm_on_postgresql(folder: Path, postgres: PostgresServer) -> None:
    bench = Bench(folder, postgres.create_database(), EXPERIMENTS)
    try:
        weather(bench, ["kill both", "stop server", "swallow", "pause driver"], postgres)
    finally:
        bench.close()


def check_that_faults_are_seen(bench: Bench) -> None:
    """Plant what the books are there to find: a device that acted twice, and results that only a journal knows."""
    log = next(path for path in bench.device_logs() if path.parent.name == "reactor")
    line = next(text for text in log.read_text(encoding="utf-8").splitlines() if "began" in text)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    assert examine(bench).repeated == [f"attempt {json.loads(line)['attempt']} was begun 2 times"]
    with sqlite3.connect(log.with_name("journal.db")) as database:
        columns = "action, arguments, received, units, conversions, typical_s, longest_s, deadline_s, accepted_at, outcome"
        database.execute(
            f"INSERT INTO attempts (attempt, {columns}) SELECT 'nobody-knows-me', {columns} FROM attempts"
            " WHERE outcome IS NOT NULL LIMIT 1"
        )
        database.execute("UPDATE attempts SET outcome = replace(outcome, '\"value\":', '\"value\":1') WHERE rowid ="
                         " (SELECT min(rowid) FROM attempts WHERE outcome LIKE '%succeeded%')")  # fmt: skip
    database.close()
    lost = examine(bench).lost
    assert len(lost) == 2
    assert any("nobody-knows-me" in text for text in lost)
