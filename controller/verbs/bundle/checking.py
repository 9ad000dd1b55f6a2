"""Checks an evidence bundle by itself: every checksum, the chain of the log, and that the tables say what the log says.

A bundle may come from anybody. It is read where it is, file by file and line by line; nothing of it is unpacked or carried out.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, Protocol

from controller.errors import ConflictError, UnknownNameError
from controller.verbs.bundle.parts import COLUMNS, DEFINITION, EVENTS, EXPERIMENTS, HEAD, MANIFEST, METADATA
from instruments.bounded import check_unpacked

_PART: Final = 2**20
_LONGEST_LINE: Final = 64 * 2**20
_MOST_TEXT: Final = 512 * 2**20
"""Largest file that is taken into memory whole [bytes]."""
_MOST_UNPACKED: Final = 2**40
"""Largest content of a bundle [bytes]; it is hashed part by part."""
_PAGE: Final = 500
_MOST_TOLD: Final = 20


@dataclass
class Checked:
    """What was found."""

    digest: str = ""
    """SHA-256 of the manifest: it stands for the whole bundle."""
    campaign: str = ""
    simulated: bool = False
    n_files: int = 0
    n_events: int = 0
    head: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    """Experiments per status, as the log tells it."""
    given_at: int | None = None
    """Position of the event whose hash was given as a head written down earlier."""
    differences: list[str] = field(default_factory=list)
    """One line each; empty where the bundle is sound."""

    @property
    def sound(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    def told(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "sound": self.sound, "campaign": self.campaign, "simulated": self.simulated, "files": self.n_files,
            "events": self.n_events, "head": self.head, "given_head_at": self.given_at, "counts": self.counts,
            "digest": self.digest, "differences": self.differences,
        }  # fmt: skip


class _Source(Protocol):
    """Where the files of a bundle are."""

    def names(self) -> list[str]: ...
    def open(self, name: str) -> IO[bytes]: ...


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def names(self) -> list[str]:
        entries = [entry for entry in self._archive.infolist() if not entry.is_dir()]
        odd = [e.filename for e in entries if stat.S_ISLNK(e.external_attr >> 16) or e.flag_bits & 1]
        if odd:
            raise ConflictError(f"{odd[0]!r} is a link, or encrypted; an evidence bundle holds plain files")
        return [entry.filename for entry in entries]

    def open(self, name: str) -> IO[bytes]:
        return self._archive.open(name)


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        found = [path for path in self._folder.rglob("*") if path.is_symlink() or not path.is_dir()]
        odd = [path for path in found if path.is_symlink() or not path.is_file()]
        if odd:
            raise ConflictError(f"{odd[0]} is no plain file; an evidence bundle holds plain files")
        return [path.relative_to(self._folder).as_posix() for path in found]

    def open(self, name: str) -> IO[bytes]:
        return (self._folder / name).open("rb")


def check_bundle(path: Path, head: str | None = None) -> Checked:
    """Check a bundle.

    Args:
        path: A zip file, or the folder that one was unpacked into.
        head: A head of the log that was written down earlier: the log must still contain it.

    Raises:
        UnknownNameError: If there is no such file.
        ConflictError: If it is no bundle, or `head` is no hash.
    """
    checked = Checked()
    try:
        with _opened(path) as source:
            _check(source, checked, head)
    except FileNotFoundError:
        raise UnknownNameError(f"{path} is not there; name what campaign export --format crate wrote") from None
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:  # as zipfile tells damage
        raise ConflictError(f"{path} cannot be read as an evidence bundle: {error}") from error
    return checked


@contextmanager
def _opened(path: Path) -> Iterator[_Source]:
    if path.is_dir():
        yield _Folder(path)
        return
    with zipfile.ZipFile(path) as archive:
        try:
            check_unpacked(archive, _MOST_UNPACKED)
        except ValueError as error:
            raise ConflictError(f"{path} {error}; no evidence bundle does") from None
        yield _Zip(archive)


def _check(source: _Source, checked: Checked, head: str | None) -> None:
    names = source.names()
    if MANIFEST not in names:
        raise ConflictError(f"it has no {MANIFEST}: it is no evidence bundle of a campaign")
    differences = checked.differences
    differences += [f"{name}: is in it twice" for name, n in sorted(Counter(names).items()) if n > 1][:_MOST_TOLD]
    manifest = _text(source, MANIFEST)
    checked.digest = hashlib.sha256(manifest.encode()).hexdigest()
    told = _manifest(manifest, differences)
    _hashes(source, names, told, checked)
    missing = [name for name in (METADATA, HEAD, EVENTS, EXPERIMENTS, DEFINITION) if name not in names]
    differences += [f"{name}: is missing; every evidence bundle holds one" for name in missing]
    if missing:
        return
    _metadata(source, told, differences)
    _log(source, checked, head)
    del differences[_MOST_TOLD:]


def _manifest(text: str, differences: list[str]) -> dict[str, str]:
    told = {}
    for number, line in enumerate(text.splitlines(), start=1):
        found = re.fullmatch(r"([0-9a-f]{64})  (\S.*)", line)
        if found is None:
            differences.append(f"{MANIFEST}, line {number}: is no SHA-256 and file name")
        elif PurePosixPath(found[2]).is_absolute() or ".." in PurePosixPath(found[2]).parts or "\\" in found[2]:
            differences.append(f"{MANIFEST}, line {number}: names a file outside the bundle, {found[2]!r}")
        else:
            told[found[2]] = found[1]
    return told


def _hashes(source: _Source, names: Sequence[str], told: dict[str, str], checked: Checked) -> None:
    there = set(names)
    for name, expected in told.items():
        if name not in there:
            checked.differences.append(f"{name}: is missing")
            continue
        digest = hashlib.sha256()
        with source.open(name) as stream:
            while part := stream.read(_PART):
                digest.update(part)
        checked.n_files += 1
        if digest.hexdigest() != expected:
            found = digest.hexdigest()[:16]
            checked.differences.append(f"{name}: was changed; its SHA-256 is {found}…, the manifest says {expected[:16]}…")
    for name in sorted(there - told.keys() - {MANIFEST}):
        checked.differences.append(f"{name}: is in the bundle, the manifest does not tell of it")


def _metadata(source: _Source, told: dict[str, str], differences: list[str]) -> None:
    content = _json(source, METADATA, differences)
    nodes = content.get("@graph") if isinstance(content, dict) else None
    if not isinstance(nodes, list):
        differences.append(f"{METADATA}: has no @graph")
        return
    described = {
        node["@id"]: node.get("sha256") for node in nodes
        if isinstance(node, dict) and node.get("@type") == "File" and isinstance(node.get("@id"), str)
    }  # fmt: skip
    for name, expected in told.items():
        if name != METADATA and described.get(name) != expected:
            differences.append(f"{METADATA}: describes {name} with another SHA-256 than the manifest, or not at all")


def _log(source: _Source, checked: Checked, head: str | None) -> None:
    """Walk the chain, fold the log, and compare what it says with the table of experiments."""
    from pydantic import ValidationError

    from controller.domain.event import event_adapter
    from controller.domain.state import CampaignState
    from controller.errors import IllegalTransitionError
    from controller.store.verifying import walk

    about = _json(source, HEAD, checked.differences)
    if not isinstance(about, dict):
        return
    key = str(about.get("campaign"))
    checked.campaign, checked.simulated = str(about.get("name")), bool(about.get("simulated"))
    state = CampaignState()

    def pages() -> Iterator[list[dict[str, Any]]]:
        page: list[dict[str, Any]] = []
        for number, line in enumerate(_lines(source, EVENTS), start=1):
            row = _parsed(line)
            if not isinstance(row, dict) or row.keys() != set(COLUMNS):
                checked.differences.append(f"{EVENTS}, line {number}: is no event")
                return
            try:
                state.apply(event_adapter.validate_json(row["body"]))
            except (ValidationError, IllegalTransitionError) as error:
                first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
                checked.differences.append(f"{EVENTS}, line {number}: cannot follow what came before: {first}")
            page.append(row)
            if len(page) == _PAGE:
                yield page
                page = []
        yield page

    found = walk(key, pages(), head)
    checked.n_events, checked.head, checked.given_at = found.n_events, found.head, found.given_at
    checked.counts = {status: n for status, n in state.counts().items() if n}
    checked.differences += found.differences
    said = (about.get("events"), about.get("head"), about.get("simulated"), about.get("definition_fingerprint"), about.get("name"))
    if said != (found.n_events, found.head, state.simulated, state.definition_fingerprint, state.name):
        ends = f"which ends with event {found.n_events} and head {found.head[:16]}…"
        checked.differences.append(f"{HEAD}: says other than the log, {ends}")
    _definition(source, state, checked.differences)
    _experiments(source, state, checked.differences)


def _definition(source: _Source, state: Any, differences: list[str]) -> None:
    from pydantic import ValidationError

    from controller.domain.campaign import Definition
    from controller.errors import PoolError

    try:
        definition = Definition.model_validate_json(_text(source, DEFINITION))
        if definition.fingerprint != state.definition_fingerprint:
            there, told = definition.fingerprint[:16], state.definition_fingerprint[:16]
            differences.append(f"{DEFINITION}: its fingerprint is {there}…, the log says {told}…")
    except PoolError:
        pass  # a list of candidates that is referred to; it is not in the bundle
    except ValidationError as error:
        differences.append(f"{DEFINITION}: cannot be read: {error.errors()[0]['msg']}")


def _experiments(source: _Source, state: Any, differences: list[str]) -> None:
    """Compare the table of experiments with what the log says."""
    try:
        # One row more than there can be shows that there are too many.
        rows = list(islice(csv.DictReader(io.StringIO(_text(source, EXPERIMENTS), newline="")), len(state.experiments) + 1))
        table = {int(row["number"]): row for row in rows}
    except (csv.Error, KeyError, ValueError, TypeError) as error:
        differences.append(f"{EXPERIMENTS}: cannot be read: {error}")
        return
    told = {e.number: e for e in state.experiments.values()}
    if table.keys() != told.keys() or len(rows) != len(told):
        n = f"more than {len(told)}" if len(rows) > len(told) else len(rows)
        differences.append(f"{EXPERIMENTS}: has {n} experiments, the log {len(told)}")
    for number, row in table.items():
        experiment = told.get(number)
        if experiment is None:
            continue
        expected: dict[str, Any] = {"status": experiment.status.value, "simulated": str(state.simulated).lower()}
        expected |= _named(row, "parameter", experiment.point)
        expected |= _named(row, "objective", {name: seen.value for name, seen in experiment.observations.items()})
        for name, value in expected.items():
            if not _same(row.get(name), value):
                differences.append(f"{EXPERIMENTS}: experiment {number}, {name} is {row.get(name)!r}, the log says {value!r}")


def _named(row: dict[str, str], kind: str, values: dict[str, Any]) -> dict[str, Any]:
    return {f"{kind}.{name}" if f"{kind}.{name}" in row else name: value for name, value in values.items()}


def _same(cell: str | None, value: Any) -> bool:
    if cell is None or isinstance(value, str):
        return bool(cell == value)
    try:
        return bool(float(cell) == float(value))
    except ValueError:
        return False


def _text(source: _Source, name: str) -> str:
    with source.open(name) as stream:
        content = stream.read(_MOST_TEXT + 1)
    if len(content) > _MOST_TEXT:
        raise ConflictError(f"{name} is larger than {_MOST_TEXT >> 20} MiB; no evidence bundle holds such a one")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ConflictError(f"{name} is no UTF-8 text") from None


def _json(source: _Source, name: str, differences: list[str]) -> Any:
    try:
        return json.loads(_text(source, name))
    except (ValueError, RecursionError):
        differences.append(f"{name}: is no JSON")
        return None


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _lines(source: _Source, name: str) -> Iterator[bytes]:
    with source.open(name) as stream:
        while line := stream.readline(_LONGEST_LINE):
            yield line
