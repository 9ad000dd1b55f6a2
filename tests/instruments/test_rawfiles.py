"""Raw files: kept once, whole or not at all, proven by their hash, whatever they are called and however large they are."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import tracemalloc
from io import BytesIO
from pathlib import Path

import pytest

from instruments.clock import SystemClock
from instruments.errors import RawFileError
from instruments.protocol.codec import decode_from_driver, encode
from instruments.protocol.messages import Finished
from instruments.protocol.values import MAX_RAW_FILE, MeasuredValue, Succeeded
from instruments.rawfiles import FileShelf
from instruments.sdk.context import ActionContext

SPECTRUM = b"nm,absorbance\n520,0.31\n"
HASH = hashlib.sha256(SPECTRUM).hexdigest()


@pytest.fixture
def context(tmp_path: Path) -> ActionContext:
    return ActionContext("a1", SystemClock(), folder=tmp_path)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_same_bytes_are_one_file_and_a_damaged_one_is_replaced(tmp_path: Path, context: ActionContext) -> None:
    (tmp_path / "scan.csv").write_bytes(SPECTRUM)
    first = context.keep(SPECTRUM, name="spectrum.csv")
    second = context.keep(tmp_path / "scan.csv")
    assert (first.sha256, first.size, first.media_type) == (HASH, len(SPECTRUM), "text/csv")
    assert (second.name, second.sha256) == ("scan.csv", HASH)
    shelf = FileShelf(tmp_path / "files")
    assert files(shelf.folder) == [f"{HASH[:2]}/{HASH[2:]}"]
    kept = shelf.path(HASH)
    assert kept.stat().st_mode & 0o222 == 0, "nobody writes to it by mistake"
    for damaged, said in ((b"x" * len(SPECTRUM), "is damaged: .* has the SHA-256"), (b"short", "has 5 bytes, 23 were told")):
        kept.chmod(0o600)
        kept.write_bytes(damaged)
        fault = shelf.fault(HASH, len(SPECTRUM), read=True)
        assert fault is not None
        assert re.search(said, fault)
        with pytest.raises(RawFileError, match=r"damaged|bytes"):
            list(shelf.parts(HASH, len(SPECTRUM)))
        assert shelf.put(BytesIO(SPECTRUM)) == (HASH, len(SPECTRUM))
        assert b"".join(shelf.parts(HASH, len(SPECTRUM))) == SPECTRUM
    assert shelf.fault("0" * 64, 1, read=False) == f"is missing: there is no {shelf.path('0' * 64)}"


@pytest.mark.parametrize(
    "name", ["../spectrum.csv", "/etc/passwd", "a/b", "a\\b", ".hidden", "..", "", "a\nb", "a\0b", "x" * 129, "naïve.csv", 'a"b']
)
def test_name_that_leads_elsewhere_is_refused(tmp_path: Path, context: ActionContext, name: str) -> None:
    with pytest.raises(RawFileError, match="cannot name a raw file; expected up to 128 letters"):
        context.keep(SPECTRUM, name=name)
    assert files(tmp_path) == []
    assert context.kept == ()
    with pytest.raises(RawFileError, match="is no SHA-256"):
        FileShelf(tmp_path).path(name)


def test_what_cannot_be_kept_is_told_with_its_reason(tmp_path: Path, context: ActionContext) -> None:
    with pytest.raises(RawFileError, match="'csv' is no media type; expected one such as text/csv"):
        context.keep(SPECTRUM, name="a.csv", media_type="csv")
    with pytest.raises(RawFileError, match=r"raw file 'gone\.csv' cannot be kept: .*No such file"):
        context.keep(tmp_path / "gone.csv")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RawFileError, match="is no plain file"):
        context.keep(tmp_path / "pipe")
    context.keep(SPECTRUM, name="a.csv")
    context.keep(SPECTRUM, name="a.csv")
    with pytest.raises(RawFileError, match=r"'a\.csv': this action has kept another file of that name"):
        context.keep(b"other", name="a.csv")
    for n in range(99):
        context.keep(b"%d" % n, name=f"{n}.txt")
    with pytest.raises(RawFileError, match="keeps 100 files at most"):
        context.keep(b"one more", name="more.txt")
    assert len(context.kept) == 100


def test_file_that_is_too_large_is_refused_and_nothing_of_it_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = FileShelf(tmp_path)

    class Endless(BytesIO):
        given = 0

        def read(self, size: int | None = -1) -> bytes:
            self.given += size or 0
            return bytes(size or 0)

    source = Endless()
    monkeypatch.setattr("instruments.rawfiles.digest.__kwdefaults__", {"most": 5 * 2**20})
    with pytest.raises(RawFileError, match=r"larger than 5242880 bytes \(5 MiB\)"):
        shelf.put(source)
    assert source.given <= 7 * 2**20
    assert files(tmp_path) == []
    assert MAX_RAW_FILE == 2**30


def test_large_file_is_kept_and_taken_over_in_bounded_memory(tmp_path: Path) -> None:
    big, size = tmp_path / "stack.tif", 100 * 2**20
    with big.open("wb") as out:
        out.truncate(size)
    context = ActionContext("a1", SystemClock(), folder=tmp_path / "driver")
    tracemalloc.start()
    try:
        kept = context.keep(big)
        here, there = FileShelf(tmp_path / "here"), FileShelf(tmp_path / "driver" / "files")
        here.adopt(there.path(kept.sha256), kept.sha256, kept.size)
        assert sum(len(part) for part in here.parts(kept.sha256, kept.size)) == size
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
    assert here.path(kept.sha256).samefile(there.path(kept.sha256)), "on one file system it is a second name, not a copy"
    assert files(here.folder) == [f"{kept.sha256[:2]}/{kept.sha256[2:]}"]


def test_only_the_file_that_was_told_is_taken_over(tmp_path: Path) -> None:
    here, other = FileShelf(tmp_path / "here"), tmp_path / "other"
    other.write_bytes(b"y" * len(SPECTRUM))
    with pytest.raises(RawFileError, match="is damaged: its content has the SHA-256"):
        here.adopt(other, HASH, len(SPECTRUM))
    with pytest.raises(RawFileError, match="has 23 bytes, 5 were told"):
        here.adopt(other, HASH, 5)
    (tmp_path / "link").symlink_to(other)
    with pytest.raises(RawFileError, match="is no plain file"):
        here.adopt(tmp_path / "link", HASH, len(SPECTRUM))
    with pytest.raises(FileNotFoundError):
        here.adopt(tmp_path / "gone", HASH, len(SPECTRUM))
    assert files(here.folder) == []
    other.write_bytes(SPECTRUM)
    here.adopt(other, HASH, len(SPECTRUM), link=False)
    other.write_bytes(b"damaged afterwards")
    assert here.fault(HASH, len(SPECTRUM), read=True) is None, "a copy outlives damage to the original"


def test_what_a_dead_process_left_half_written_is_removed_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".part-dead").write_bytes(b"half")
    shelf = FileShelf(tmp_path)
    shelf.put(BytesIO(SPECTRUM))
    assert (tmp_path / ".part-dead").exists(), "somebody may be writing it"
    real = time.time
    monkeypatch.setattr("instruments.rawfiles.time.time", lambda: real() + 4000.0)
    shelf.put(BytesIO(b"next"))
    assert not (tmp_path / ".part-dead").exists()


def test_outcome_without_files_is_what_it_was_before_there_were_any() -> None:
    outcome = Succeeded(values={"y": MeasuredValue(value=1.0)}, started_at=1.0, finished_at=2.0)
    assert "files" not in json.loads(outcome.model_dump_json())
    context = ActionContext("a1", SystemClock())
    context.keep(SPECTRUM, name="spectrum.csv")
    told = Finished(attempt="a1", outcome=outcome.model_copy(update={"files": context.kept}))
    assert decode_from_driver(encode(told)) == told
