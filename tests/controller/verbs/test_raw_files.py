"""Raw files as people see them: where each is, copied and handed in by hash; a damaged or missing one is never handed out."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from controller.engine.keeping_files import take_over
from controller.errors import ConflictError, StoreError, UnknownNameError
from controller.store.raw_files import copy_all
from controller.verbs.bundle.checking import check_bundle
from controller.verbs.campaigns import audit_campaign
from controller.verbs.experiments import show_experiment
from controller.verbs.export import export
from controller.verbs.raw_files import copy_files, hand_in, one_file, shown_size
from controller.verbs.stores import Found, find
from instruments.protocol.values import RawFile as OnTheWire
from instruments.rawfiles import FILES, FileShelf
from tests.controller.cli.conftest import Call, call
from tests.controller.raw_files import AWAY, HERE, IMAGE, SPECTRUM, damage, fill

__all__ = ["call"]  # a fixture of the command line's tests


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'sample.db'}"


@pytest.fixture
def shelf(url: str) -> FileShelf:
    return fill(url)


@pytest.fixture
def found(url: str, shelf: FileShelf) -> Iterator[Found]:
    with find([url], "sample") as found:
        yield found


def differences(found: Found, *, verify: bool) -> list[str]:
    return audit_campaign(found, verify=verify, head=None).differences


def test_experiment_says_which_files_it_left_and_where_they_are(found: Found, shelf: FileShelf) -> None:
    here, away = show_experiment(found, "1")["files"]
    assert here == {
        "name": "spectrum.csv", "sha256": HERE.sha256, "size": 23, "media_type": "text/csv", "step": "assay", "attempt": 1,
        "instrument": "hplc", "where": "kept", "path": str(shelf.path(HERE.sha256)),
    }  # fmt: skip
    assert (away["name"], away["where"], away["path"]) == ("film.png", "at the driver", None)
    assert differences(found, verify=True) == []
    assert [shown_size(n) for n in (999, 1000, 12_345, 104_857_600, 2**30)] == ["999 B", "1 kB", "12.3 kB", "105 MB", "1.07 GB"]


def test_files_are_copied_by_step_and_nothing_is_overwritten(found: Found, tmp_path: Path) -> None:
    for _ in range(2):  # the second time it lies there already
        here, away = copy_files(found, "1", tmp_path / "out")
        assert Path(here["copied"]).read_bytes() == SPECTRUM
        assert (here["copied"], away["copied"]) == (str(tmp_path / "out" / "assay" / "spectrum.csv"), None)
    Path(here["copied"]).write_bytes(b"somebody's own")
    with pytest.raises(ConflictError, match="is another file and is not overwritten"):
        copy_files(found, "1", tmp_path / "out")
    assert Path(here["copied"]).read_bytes() == b"somebody's own"


def test_files_that_stayed_with_a_driver_are_handed_in_by_their_hash(found: Found, tmp_path: Path, shelf: FileShelf) -> None:
    (tmp_path / "stick" / "ab").mkdir(parents=True)
    (tmp_path / "stick" / "other.png").write_bytes(b"!" * len(IMAGE))
    (tmp_path / "stick" / "link").symlink_to("/etc/passwd")
    assert [row["where"] for row in hand_in(found, "1", tmp_path / "stick")] == ["kept", "at the driver"]
    (tmp_path / "stick" / "ab" / "cdef").write_bytes(IMAGE)
    shelf.path(HERE.sha256).unlink()
    assert [row["where"] for row in hand_in(found, "1", tmp_path / "stick")] == ["missing", "kept"]
    assert one_file(found, "1", AWAY.sha256)["path"] == str(shelf.path(AWAY.sha256))
    damage(shelf.path(AWAY.sha256))
    assert any("raw file film.png: is damaged" in line for line in differences(found, verify=True)), "it is looked after now"
    with pytest.raises(UnknownNameError, match="is no folder"):
        hand_in(found, "1", tmp_path / "gone")


def test_damaged_and_missing_files_are_named_and_never_handed_out(found: Found, shelf: FileShelf, tmp_path: Path) -> None:
    damage(shelf.path(HERE.sha256))
    assert differences(found, verify=False) == [], "size and place are right"
    (line,) = differences(found, verify=True)
    assert line.startswith("experiment 1, step assay, attempt 1, raw file spectrum.csv: is damaged: ")
    for hand_out in (
        lambda: copy_files(found, "1", tmp_path / "out"),
        lambda: one_file(found, "1", HERE.sha256),
        lambda: export(found, "crate", tmp_path / "out.zip"),
    ):
        with pytest.raises(StoreError, match=r"raw file spectrum\.csv.* is damaged"):
            hand_out()
    assert [path for path in tmp_path.rglob("out*") if path.is_file()] == []
    assert list((tmp_path / "out").rglob("*.*")) == []
    shelf.path(HERE.sha256).unlink()
    (line,) = differences(found, verify=False)
    assert "raw file spectrum.csv: is missing: there is no " in line
    with pytest.raises(StoreError, match="is missing"):
        one_file(found, "1", HERE.sha256)
    with pytest.raises(UnknownNameError, match="it stayed with the driver of hplc"):
        one_file(found, "1", AWAY.sha256)
    with pytest.raises(UnknownNameError, match="has no raw file"):
        one_file(found, "1", "../../etc/passwd")


def test_row_that_somebody_changed_is_found(found: Found, tmp_path: Path) -> None:
    found.reader.close()
    with sqlite3.connect(tmp_path / "sample.db") as store:
        store.execute("UPDATE attempt SET files = NULL WHERE files IS NOT NULL")
    with find([found.url], "sample") as again:
        assert any("files is []" in line for line in differences(again, verify=False))


def test_bundle_holds_the_files_and_says_which_are_not_there(found: Found, tmp_path: Path) -> None:
    bundle = tmp_path / "sample.zip"
    export(found, "crate", bundle)
    assert check_bundle(bundle).differences == []
    name = f"files/{HERE.sha256}"
    with zipfile.ZipFile(bundle) as archive:
        assert archive.read(name) == SPECTRUM
        assert f"- film.png of experiment 1, step assay ({AWAY.sha256})" in archive.read("README.md").decode()
        graph = {node["@id"]: node for node in json.loads(archive.read("ro-crate-metadata.json"))["@graph"]}
        archive.extractall(tmp_path / "crate")
    assert (graph[name]["encodingFormat"], graph[name]["sha256"]) == ("text/csv", HERE.sha256)
    assert "spectrum.csv of experiment 1, step assay" in graph[name]["description"]
    assert {"@id": name} in graph["#experiment-1"]["result"]
    assert ROCrate(tmp_path / "crate").dereference(name) is not None


def test_backup_of_the_files_is_proven_and_no_link(shelf: FileShelf, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    assert copy_all(shelf.folder, target) == (1, [])
    damage(shelf.path(HERE.sha256))
    assert FileShelf(target).fault(HERE.sha256, HERE.size, read=True) is None
    (tmp_path / "empty").mkdir()
    n, (problem,) = copy_all(shelf.folder, tmp_path / "new")
    assert n == 0
    assert "is damaged" in problem


async def test_files_are_taken_over_by_hash_from_the_folder_of_their_instrument_alone(tmp_path: Path) -> None:
    lab = tmp_path / "labs" / "bench"
    with_driver = FileShelf(lab / "hplc" / FILES)
    told = OnTheWire(name="a.csv", sha256=hashlib.sha256(SPECTRUM).hexdigest(), size=len(SPECTRUM), media_type="text/csv")
    assert await take_over(lab, "hplc", ()) == ((), [])
    (file,), problems = await take_over(lab, "hplc", (told,))
    assert (file.kept, problems) == (False, []), "a driver on another machine: no alarm"
    with_driver.folder.mkdir(parents=True)
    (file,), (problem,) = await take_over(lab, "hplc", (told,))
    assert not file.kept
    assert problem.startswith("a.csv: [Errno 2] No such file")
    place = with_driver.path(told.sha256)
    place.parent.mkdir()
    place.write_bytes(SPECTRUM)
    damage(place)
    (file,), (problem,) = await take_over(lab, "hplc", (told,))
    assert not file.kept
    assert "is damaged: its content has the SHA-256" in problem
    place.write_bytes(SPECTRUM)
    for _ in range(2):  # the controller died before it booked the result: it is offered again
        (file,), problems = await take_over(lab, "hplc", (told,))
        assert (file.kept, problems) == (True, [])
    assert (tmp_path / FILES / told.sha256[:2] / told.sha256[2:]).read_bytes() == SPECTRUM
    (file,), _ = await take_over(lab, "other", (told.model_copy(update={"sha256": "0" * 64}),))
    assert not file.kept


def test_backup_command_takes_the_files_along_and_says_which_are_damaged(call: Call, shelf: FileShelf, tmp_path: Path) -> None:
    store = tmp_path / "sample.db"
    (row,) = call("db", "backup", str(tmp_path / "copy.db"), "--store", store, "--json").json
    assert (row["raw_files"], row["detail"]) == (1, "")
    assert call("db", "check", "--store", tmp_path / "copy.db").code == 0
    damage(shelf.path(HERE.sha256))
    done = call("db", "backup", str(tmp_path / "second.db"), "--store", store, "--json")
    assert (done.code, done.json[0]["raw_files"]) == (5, 0)
    assert "is damaged" in done.json[0]["detail"]
    assert call("db", "check", "--store", tmp_path / "second.db").code == 5, "the file is missing in that copy"
