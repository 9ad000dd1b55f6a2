"""Reading works beside a writer, without one, and without anything heavy."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.domain.experiment import ExperimentStatus
from controller.domain.state import fold
from controller.errors import StoreError, UnknownNameError
from controller.store.opening import Store
from controller.store.reading import STATUSES, open_reader
from tests.controller.store.conftest import fill, tamper
from tests.controller.store.postgres import PostgresServer
from tests.controller.store.samples import Script
from tests.controller.store.starting import ROOT

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_statuses_are_the_domain_s() -> None:
    assert list(STATUSES) == [status.value for status in ExperimentStatus]


def test_experiments_agree_with_the_log(filled: Store, script: Script) -> None:
    state = fold(filled.events(script.campaign))
    with open_reader(filled.url) as reader:
        rows = reader.experiments("sample")
        assert rows == reader.experiments(script.campaign)
        assert reader.counts("sample") == state.counts()
    assert len(rows) == len(state.experiments) == 5
    for row, experiment in zip(rows, state.experiments.values(), strict=True):
        assert row["id"] == experiment.id
        assert row["number"] == experiment.number
        assert row["status"] == experiment.status.value
        assert row["parameters"] == experiment.point
        assert row["objectives"] == {name: o.value for name, o in experiment.observations.items()}
        assert row["attempts"] == len(experiment.attempts)
        assert row["simulated"] is True
        assert row["source"] == "model"
        assert ISO.fullmatch(row["proposed_at"])
        assert (row["completed_at"] is None) == (experiment.ended_at is None)


def test_completed_at_is_empty_again_while_a_failed_experiment_is_tried_once_more(filled: Store) -> None:
    retried = filled.reader.experiment("sample", 2)
    assert (retried["status"], retried["completed_at"], retried["fault"]) == ("running", None, None)
    assert [a["fault"] for a in retried["attempts_list"]] == [
        {"code": "clog", "message": "line 3 blocked\N{REPLACEMENT CHARACTER}", "retryable": True},
        None,
    ]


def test_experiments_can_be_chosen_by_status(filled: Store) -> None:
    reader = filled.reader
    assert [e["number"] for e in reader.experiments("sample", status="completed")] == [1]
    assert [e["number"] for e in reader.experiments("sample", status=("unknown", "queued"))] == [3, 5]


def test_experiment_shows_reasons_attempts_and_measurements(filled: Store, script: Script) -> None:
    shown = filled.reader.experiment("sample", 1)
    assert shown == filled.reader.experiment("sample", shown["id"])
    assert shown["observations"]["yield"] == {"value": 61.25, "unit": "percent", "sem": 0.5}
    assert shown["proposal"]["predictions"] == {"yield": {"mean": 55.5, "sd": 3.25, "scale": None, "freedom": None}}
    assert shown["proposal"]["seed"] == 2**62
    react, assay = shown["attempts_list"]
    assert react["arguments"] == {"temperature": 21.5, "stir": True, "label": "A1", "cycles": 3}
    assert [ISO.fullmatch(react[k]) is not None for k in ("committed_at", "accepted_at", "started_at", "ended_at")] == [
        True
    ] * 4
    measured = {m["name"]: m["value"] for m in assay["measurements"]}
    assert measured == {
        "area": 61.25,
        "peaks": 3.0,
        "saturated": False,
        "operator note": "clear\N{REPLACEMENT CHARACTER}",
    }
    assert measured["saturated"] is False


def test_everything_that_is_read_is_ready_for_json(filled: Store) -> None:
    reader = filled.reader
    everything = [
        reader.campaigns(), reader.campaign("sample"), reader.counts("sample"), reader.experiments("sample"),
        reader.experiment("sample", 2), reader.attempts("sample"), reader.alarms(), reader.alarms("sample"),
        reader.events("sample"), reader.requests(), reader.definition("sample"),
    ]  # fmt: skip
    assert json.loads(json.dumps(everything)) == everything


def test_campaign_shows_counts_and_definition(filled: Store, script: Script) -> None:
    (listed,) = filled.reader.campaigns()
    shown = filled.reader.campaign("sample")
    assert {**listed, "n_events": 39, "definition": json.loads(script.definition.model_dump_json())} == shown
    assert shown["spent"] == 4
    assert shown["budget_experiments"] == 10
    assert shown["counts"]["cancelled"] == 1


def test_events_carry_position_kind_and_body(filled: Store, script: Script) -> None:
    events = filled.reader.events("sample")
    assert [e["sequence"] for e in events] == list(range(1, 40))
    assert events[0]["kind"] == "campaign.created"
    assert events[0]["body"]["name"] == "sample"
    assert len({e["id"] for e in events}) == 39


def test_unknown_names_are_told_with_close_ones(filled: Store) -> None:
    with pytest.raises(UnknownNameError, match="no campaign 'smaple'; did you mean sample"):
        filled.reader.campaign("smaple")
    with pytest.raises(UnknownNameError, match="campaign list"):
        filled.reader.experiments("quite different")
    with pytest.raises(UnknownNameError, match="no experiment 9; it has 1 to 5"):
        filled.reader.experiment("sample", 9)
    with pytest.raises(UnknownNameError, match="no request"):
        filled.reader.request("x")


def test_missing_store_reads_as_empty(tmp_path: Path) -> None:
    with open_reader(str(tmp_path / "none" / "lab.db")) as reader:
        assert (reader.campaigns(), reader.alarms(), reader.requests()) == ([], [], [])
        with pytest.raises(UnknownNameError):
            reader.campaign("sample")
    assert not (tmp_path / "none").exists()


def test_empty_database_reads_as_empty(postgres: PostgresServer, tmp_path: Path) -> None:
    (tmp_path / "empty.db").write_bytes(b"")
    for url in (postgres.create_database(), str(tmp_path / "empty.db")):
        with open_reader(url) as reader:
            assert reader.campaigns() == []


def test_reader_sees_what_another_connection_commits_and_one_moment_in_a_snapshot(store: Store, script: Script) -> None:
    with open_reader(store.url) as reader:
        assert reader.campaigns() == []
        fill(store, script)
        assert len(reader.experiments("sample")) == 5
        with reader.snapshot():
            before = reader.experiments("sample")
            store.commit_now(script.proposed()[1])
            assert reader.experiments("sample") == before
        assert len(reader.experiments("sample")) == 6


def test_reader_that_lost_its_connection_makes_another(postgres: PostgresServer, script: Script) -> None:
    url = postgres.create_database()
    with Store.open(url) as store, open_reader(url) as reader:
        store.commit_now(script.created(), definition=script.definition)
        assert len(reader.campaigns()) == 1
        tamper(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        assert len(reader.campaigns()) == 1


def test_reader_writes_nothing_and_cannot(filled: Store) -> None:
    with open_reader(filled.url) as reader:
        with pytest.raises(StoreError, match=r"read-?only"), reader.snapshot():
            reader._rows("DELETE FROM alarm")
        assert len(reader.alarms()) == 1
    assert len(filled.reader.alarms()) == 1


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Be bound by the permissions of files, as root is not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that another user can reach, as pytest's own cannot be."""
    folder = Path(tempfile.mkdtemp(prefix="lw-ro-"))
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def lock_up(folder: Path) -> None:
    for each in folder.iterdir():
        each.chmod(0o444)
    folder.chmod(0o555)


def test_read_only_folder_without_a_log_is_read(public_folder: Path, script: Script) -> None:
    file = public_folder / "lab.db"
    with Store.open(str(file)) as store:
        fill(store, script)
    lock_up(public_folder)
    with as_nobody(), open_reader(str(file)) as reader:
        assert len(reader.experiments("sample")) == 5


def test_read_only_folder_with_a_log_that_cannot_be_read_says_what_to_do(public_folder: Path, script: Script) -> None:
    # As a backup that was taken while a controller wrote: the log holds what the file does not.
    with Store.open(str(public_folder / "lab.db")) as store:
        fill(store, script)
        for name in ("lab.db", "lab.db-wal"):
            shutil.copy(public_folder / name, public_folder / name.replace("lab", "copy"))
    lock_up(public_folder)
    with (
        as_nobody(),
        open_reader(str(public_folder / "copy.db")) as reader,
        pytest.raises(StoreError, match="copy both files"),
    ):
        reader.campaigns()


def test_read_only_folder_is_read_while_its_owner_writes(public_folder: Path, script: Script) -> None:
    with Store.open(str(public_folder / "lab.db")) as store:
        fill(store, script)
        public_folder.chmod(0o555)
        with as_nobody(), open_reader(str(public_folder / "lab.db")) as reader:
            assert len(reader.experiments("sample")) == 5


def test_reading_imports_nothing_heavy(tmp_path: Path, script: Script) -> None:
    with Store.open(str(tmp_path / "lab.db")) as store:
        fill(store, script)
    program = (
        "import sys\n"
        "from controller.store.reading import open_reader\n"
        f"assert len(open_reader({str(tmp_path / 'lab.db')!r}).experiments('sample')) == 5\n"
        "heavy = {'sqlmodel', 'sqlalchemy', 'pydantic', 'alembic', 'torch', 'numpy', 'psycopg'}\n"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"


def test_proposals_made_before_a_result_or_after_its_retraction_did_not_rest_on_it(store: Store, script: Script) -> None:
    before, proposed = script.proposed()
    store.commit_now(script.created(), definition=script.definition)
    store.commit_now(proposed)
    units = script.one_completed()
    for unit in units:
        store.commit_now(unit)
    completed = units[0][0].experiment  # type: ignore[union-attr]  # it is proposed there
    store.commit_now(script.proposed()[1])
    assert [row["number"] for row in store.reader.rested_on(script.campaign, 2)] == [3]
    store.commit_now([script.retracted(completed, 2)])
    store.commit_now(script.proposed()[1])
    assert store.reader.rested_on(script.campaign, 2) == [{"number": 3, "status": "queued"}]
    store.commit_now([script.reinstated(completed, 2)])
    store.commit_now(script.proposed()[1])
    assert [row["number"] for row in store.reader.rested_on(script.campaign, 2)] == [3, 5], "4 was proposed without it"
    store.commit_now([script.retracted(completed, 2)])
    store.commit_now(script.proposed()[1])
    assert [row["number"] for row in store.reader.rested_on(script.campaign, 2)] == [3, 5]
    assert store.reader.experiment_id(script.campaign, 1) == before
    assert store.reader.experiment_id(script.campaign, 9) is None


def test_experiments_come_in_pages_that_leave_nothing_out(filled: Store) -> None:
    every = filled.reader.experiments("sample")
    for limit in (1, 2, 100):
        pages: list[dict[str, Any]] = []
        after = 0
        while page := filled.reader.experiments("sample", after=after, limit=limit):
            assert len(page) <= limit
            pages += page
            after = page[-1]["number"]
        assert pages == every
    unsettled = filled.reader.experiments("sample", ("unknown", "queued"), after=0, limit=100)
    assert unsettled == [e for e in every if e["status"] in ("unknown", "queued")]


def test_log_comes_in_pages_that_leave_nothing_out(filled: Store) -> None:
    every = filled.reader.events("sample")
    first = filled.reader.events("sample", after=0, limit=3)
    rest = filled.reader.events("sample", after=first[-1]["sequence"], limit=1000)
    assert [*first, *rest] == every
    assert filled.reader.events("sample", after=every[-1]["sequence"], limit=10) == []


def test_attempts_know_where_they_belong(filled: Store) -> None:
    shown = filled.reader.experiment("sample", 1)
    ids = [attempt["id"] for attempt in shown["attempts_list"]]
    found = filled.reader.places_of([*ids, "nobody's"])
    assert found.keys() == set(ids)
    assert {(row["number"], row["experiment"], row["campaign"]) for row in found.values()} == {(1, shown["id"], shown["campaign"])}
    assert [found[key]["step"] for key in ids] == [attempt["step"] for attempt in shown["attempts_list"]]
    assert filled.reader.places_of([]) == {}


def test_rare_events_are_found_without_reading_the_log(tmp_path: Path, script: Script) -> None:
    """SQLite uses a partial index only where a query says its condition in the same words."""
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        fill(store, script)
        reader, asked = store.reader, list[tuple[str, tuple[object, ...]]]()
        rows = reader._rows

        def noted(sql: str, *values: object) -> list[tuple[Any, ...]]:
            asked.append((sql, values))
            return rows(sql, *values)

        reader._rows = noted  # type: ignore[method-assign]
        reader.context_rows(script.campaign)
        reader.rested_on(script.campaign, 1)
        with reader.snapshot():
            plans = [rows(f"EXPLAIN QUERY PLAN {sql}", *values) for sql, values in asked if "FROM event" in sql]
    assert len(plans) == 2
    assert all("ix_event_rare" in str(plan) for plan in plans), plans
