"""Rows of the crash matrix that take real processes and a fault of their own; what is promised stands in `guarantees.md`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from controller.settings import HOME_VARIABLE
from tests.chaos.bench import CAMPAIGN, DEVICES, ROOT, Bench, write_files
from tests.chaos.books import examine
from tests.chaos.devices import read_log
from tests.chaos.labwright import LEASE_S
from tests.chaos.storm import Storm
from tests.integration.support import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


@pytest.fixture
def make_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Bench]]:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    made: list[Bench] = []

    def make(experiments: int, folder: Path = tmp_path / "bench", **options: Any) -> Bench:
        if not folder.exists():
            folder.mkdir()
            write_files(folder, experiments=experiments, seed=1, **options)
        made.append(Bench(folder, f"sqlite:///{folder / 'store.db'}", experiments))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


def begun(bench: Bench, instrument: str, event: str = "began") -> Counter[str]:
    """Return how often the device noted each attempt."""
    logs = [path for path in bench.device_logs() if path.parent.name == instrument]
    return Counter(line["attempt"] for path in logs for line in read_log(path) if line["event"] == event)


def finish(bench: Bench) -> None:
    assert bench.process is not None
    assert bench.process.wait(120) == 0, bench.logs()


def check(bench: Bench) -> None:
    books = examine(bench)
    assert (books.lost, books.repeated, books.wrong) == ([], [], [])
    assert books.completed == bench.experiments


def test_connection_cut_for_longer_than_the_lease_costs_nothing_but_time(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(2, mill_seconds=1.0)
    bench.start()
    wait_until(lambda: begun(bench, "mill"), 60, "the first cut")
    bench.proxy.swallow(True)  # in the middle of it; neither side is told
    time.sleep(1.5 * LEASE_S)
    assert begun(bench, "mill", "ended")  # its driver finished it alone
    bench.proxy.swallow(False)
    finish(bench)
    check(bench)


def test_clocks_that_jump_by_hours_change_nothing_but_times(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(5)
    storm = Storm(bench, 4)
    storm.run(timeout_s=120, blows=["jump clock"] * 4, pace=0.3)
    assert storm.counts["jump clock"] == 4
    check(bench)
    times = [a[k] for a in bench.attempts() for k in ("committed_at", "ended_at")]
    assert len({text[:13] for text in times}) > 1, "no clock has jumped"


def test_older_copy_of_a_journal_repeats_nothing(make_bench: Callable[..., Bench], tmp_path: Path) -> None:
    bench = make_bench(3, batch=1, mill_seconds=2.0)
    bench.start()
    wait_until(lambda: len(begun(bench, "mill", "ended")) == 1, 60, "the first cut")
    (journal,) = bench.folder.glob("**/labs/chaos/mill/journal.db")
    older = tmp_path / "older.db"
    wait_until(lambda: bench.statuses("cut")["succeeded"] == 1, 60, "its result")
    _copy(journal, older)
    wait_until(lambda: bench.statuses("cut")["running"] == 1 and len(begun(bench, "mill")) == 2, 60, "the second cut")
    assert bench.process is not None
    bench.process.kill()
    bench.process.wait()
    for process in bench.drivers():
        process.kill()
    wait_until(lambda: not bench.drivers(), 10, "the end of the drivers")
    for path in (journal, *journal.parent.glob("journal.db-*")):
        path.unlink()
    older.replace(journal)
    bench.start()
    finish(bench)
    assert set(begun(bench, "mill").values()) == {1}
    assert bench.statuses("cut") == {"succeeded": 2, "unknown": 1}
    assert "put back from an older copy" in bench.logs()


def _copy(database: Path, to: Path) -> None:
    import sqlite3

    source, target = sqlite3.connect(f"file:{database}?mode=ro", uri=True), sqlite3.connect(to)
    source.backup(target)
    source.close()
    target.close()


def test_messages_that_overtake_each_other_cost_nothing_but_time(
    make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAOS_OVERTAKE", "3")  # one frame in three, of each driver and of the controller
    bench = make_bench(4)
    bench.start()
    finish(bench)
    check(bench)
    assert set(begun(bench, "mill").values()) == {1}


OLDER_CLAIMS = ('consequence="irreversible"', 'consequence="repeatable"')
OLDER_PROTOCOL = (
    "LONGEST_S = ",
    """from instruments.transport.zeromq import ZeroMQClient as _Client
_send = _Client.send
_Client.send = lambda self, channel, frame: _send(self, channel, frame.replace(b'"protocol":1', b'"protocol":0', 1))
LONGEST_S = """,
)


@pytest.mark.parametrize("older", [OLDER_CLAIMS, OLDER_PROTOCOL], ids=["claims", "protocol"])
def test_older_version_of_a_driver_repeats_nothing(
    make_bench: Callable[..., Bench], tmp_path: Path, older: tuple[str, str]
) -> None:
    own, file = DEVICES.read_text(encoding="utf-8"), tmp_path / "mill.py"
    assert own.count(older[0]) == 1
    file.write_text(own, encoding="utf-8")
    bench = make_bench(3, batch=1, mill_seconds=3.0, mill=file)
    bench.start()
    wait_until(lambda: len(begun(bench, "mill")) == 1 and bench.statuses("cut")["running"] == 1, 60, "the first cut")
    file.write_text(own.replace(*older), encoding="utf-8")  # whoever starts it again starts the older one
    _kill_mill(bench)
    if older is OLDER_PROTOCOL:
        wait_until(lambda: "this controller speaks" in bench.logs(), 60, "the refusal of the older driver")
        file.write_text(own, encoding="utf-8")
        _kill_mill(bench)  # which may just have ended by itself, being refused
    wait_until(lambda: bench.statuses("cut")["unknown"] == 1, 60, "the word that nobody knows")
    finish(bench)
    assert set(begun(bench, "mill").values()) == {1}
    assert bench.statuses("cut") == {"succeeded": 2, "unknown": 1}


def _kill_mill(bench: Bench) -> None:
    for process in bench.drivers():
        with suppress(psutil.NoSuchProcess):
            if "mill" in process.cmdline():
                process.kill()


def test_second_controller_is_refused_while_the_first_is_frozen(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(2)
    bench.start()
    wait_until(lambda: begun(bench, "reactor"), 60, "the first action")
    assert bench.process is not None
    first = psutil.Process(bench.process.pid)
    first.suspend()
    second = subprocess.run(
        [sys.executable, "-m", "tests.chaos.labwright", "run", str(bench.folder / "campaign.yaml"), "--json"],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT, env=bench.environment,
    )  # fmt: skip
    time.sleep(LEASE_S)
    first.resume()
    # 5: frozen in the middle of a commit, the first keeps the store itself locked.
    assert second.returncode in (4, 5), second.stderr
    finish(bench)
    check(bench)


def test_controllers_on_two_copies_keep_each_to_its_own_drivers(
    make_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    bench = make_bench(4, mill_seconds=0.5)
    bench.start()
    wait_until(lambda: len(begun(bench, "mill", "ended")) == 1, 60, "the first cut")
    copied = tmp_path / "copy"
    assert bench.process is not None
    original = psutil.Process(bench.process.pid)
    original.suspend()  # so that the copy is of one moment
    for process in bench.drivers():
        process.suspend()
    shutil.copytree(bench.folder, copied, ignore=shutil.ignore_patterns("*.sock"))
    for process in bench.drivers():
        process.resume()
    original.resume()
    other = make_bench(4, copied)
    other.start()
    finish(bench)
    finish(other)
    check(bench)
    assert begun(other, "mill").keys() - begun(bench, "mill").keys(), "the copy has done nothing of its own"
    for each in (bench, other):
        known = {a["id"] for a in each.attempts()}
        assert all(begun(each, instrument).keys() <= known for instrument in ("reactor", "mill", "scale"))
    audit: Any = other.ask("campaign", "audit", CAMPAIGN)
    assert audit["balanced"]
