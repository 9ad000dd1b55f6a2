"""Writes an evidence bundle: a zip file with a campaign's log, tables, proposals, journals and provenance, each with its hash."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from controller.errors import StoreError
from controller.verbs.bundle.graph import FileNote, graph
from controller.verbs.bundle.parts import (
    COLUMNS,
    DEFINITION,
    EVENTS,
    EXPERIMENTS,
    HEAD,
    MANIFEST,
    METADATA,
    PROPOSALS,
    RAW_FILES,
    README,
)
from controller.verbs.bundle.redacting import redacted
from controller.verbs.parquet import write_parquet
from controller.verbs.raw_files import shelf_path
from controller.verbs.sheets import Sheet, about, csv_of, experiments_sheet, measurements_sheet
from controller.verbs.simulating import said_of_data
from controller.verbs.stores import Found
from instruments.errors import RawFileError
from instruments.rawfiles import FileShelf

_PACKAGES: Final = (
    "labwright", "torch", "botorch", "gpytorch", "linear-operator", "numpy", "scipy", "scikit-learn", "pydantic", "SQLAlchemy",
    "sqlmodel", "pyzmq", "pint",
)  # fmt: skip
_PACKED: Final = 16 * 2**20
"""Larger raw files are stored as they are: most are packed already, and one of zeros would look like a file made to be costly."""
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can hold: when a file was packed says nothing about it."""


class _Packing:
    """Puts files into a zip file, one after the other, and keeps note of each."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.notes: list[FileNote] = []
        self._archive = archive

    def add(
        self, name: str, content: str | bytes | Iterable[bytes], what: str, media_type: str, *, packed: bool = True
    ) -> None:
        """Write a file in parts and note its hash."""
        parts = [content.encode()] if isinstance(content, str) else [content] if isinstance(content, bytes) else content
        digest, size = hashlib.sha256(), 0
        entry = zipfile.ZipInfo(name, _EPOCH)
        entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED, 0o644 << 16
        with self._archive.open(entry, "w", force_zip64=True) as out:
            for part in parts:
                digest.update(part)
                size += len(part)
                out.write(part)
        self.notes.append(FileNote(name, what, media_type, digest.hexdigest(), size))

    def table(self, sheet: Sheet, found: Found, what: str) -> None:
        """Write a table twice: as CSV for people, as Parquet for programs."""
        self.add(f"{sheet.name}.csv", csv_of(sheet), what, "text/csv")
        out = io.BytesIO()
        write_parquet(sheet, out, about(found))
        self.add(f"{sheet.name}.parquet", out.getvalue(), what, "application/vnd.apache.parquet")


def write_bundle(found: Found, path: Path) -> None:
    """Write the evidence bundle of a campaign, all of it of one moment of the store.

    Args:
        found: The campaign.
        path: The file.

    Raises:
        MissingExtraError: If pyarrow is not installed.
        StoreError: If the store cannot be read, or a raw file is damaged.
    """
    reader, key = found.reader, found.id
    with zipfile.ZipFile(path, "w") as archive, reader.snapshot():
        packing = _Packing(archive)
        definition = json.loads(reader.definition_rows(key)[-1]["body"])
        experiments, attempts = reader.experiments(key), reader.attempts(key)
        log = _Log(found)
        packing.add(EVENTS, log.lines(), "The append-only log, an event a line; each is chained to the one before", _LINES)
        told = {
            "campaign": key, "name": found.name, "simulated": found.simulated, "events": log.n_events, "head": log.head,
            "definition_fingerprint": found.campaign["definition_fingerprint"],
        }  # fmt: skip
        packing.add(HEAD, _json(told), "Which campaign this is, and the head of its log", _JSON)
        cleaned = {**definition, "lab": redacted(definition["lab"])}
        packing.add(
            DEFINITION, _json(cleaned),
            "What was searched, wanted and allowed; the lab without secrets and paths of its machine", _JSON,
        )  # fmt: skip
        packing.add("lab.json", _json(cleaned["lab"]), "The lab: instruments, limits and protocol", _JSON)
        simulated = found.simulated
        packing.table(
            experiments_sheet(found.name, definition, experiments, simulated=simulated), found, "A row per experiment"
        )
        packing.table(
            measurements_sheet(found.name, definition, experiments, attempts, simulated=simulated), found,
            "A row per measured value",
        )
        packing.add(
            PROPOSALS, _proposals(found, experiments),
            "Why each point was proposed: model, fingerprints of data and fitted state, seed, predictions, software", _LINES,
        )  # fmt: skip
        n_journals = _journals(packing, found, definition["lab"], {a["id"] for a in attempts})
        lacking = _raw_files(packing, found, experiments, attempts)
        packing.add("environment.json", _json(_environment()), "Versions and platform of what wrote this", _JSON)
        readme = _readme(found, log, len(experiments), n_journals, lacking)
        packing.add(README, readme, "What this is and how to check it", "text/markdown")
        row = found.campaign
        described = {
            "name": f"{found.name}{' (SIMULATED)' if simulated else ''}",
            "description": (definition.get("description") or f"The campaign {found.name}")
            + (f". {said_of_data(definition, simulated=True)}." if simulated else ""),
            "published": time.strftime("%Y-%m-%d", time.gmtime()), "created": row["created_at"], "modified": row["updated_at"],
            "version": version("labwright"), "simulated": simulated, "head": log.head,
        }  # fmt: skip
        metadata = graph(described, cleaned, packing.notes, experiments, attempts)
        packing.add(METADATA, _json(metadata), "What every file is, and who made what with what", "application/ld+json")
        manifest = "".join(f"{note.sha256}  {note.name}\n" for note in packing.notes)
        packing.add(MANIFEST, manifest, "SHA-256 of every other file", "text/plain")


_JSON: Final = "application/json"
_LINES: Final = "application/jsonl"


class _Log:
    """The log of a campaign as lines; its length and head are known once it has been read."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self.n_events, self.head = 0, ""

    def lines(self) -> Iterator[bytes]:
        for page in self._found.reader.event_pages(self._found.id):
            for row in page:
                yield _line({name: row[name] for name in COLUMNS})
                self.n_events, self.head = self.n_events + 1, row["chain"]


def _proposals(found: Found, experiments: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    bodies = {row["experiment"]: json.loads(row["body"]) for row in found.reader.proposal_rows(found.id)}
    for row in experiments:
        yield _line({"number": row["number"], "experiment": row["id"], "proposal": bodies.get(row["id"])})


def _journals(packing: _Packing, found: Found, lab: dict[str, Any], attempts: set[str]) -> int:
    """Write what the drivers' journals hold of a campaign, as far as they are on this machine; return how many there are."""
    from controller.settings import folder_of
    from instruments.errors import JournalError
    from instruments.sdk.journal import JournalReader

    n = 0
    for instrument in lab["instruments"]:
        path = folder_of(found.url) / "labs" / lab["lab"] / instrument / "journal.db"
        if not path.exists():
            continue
        try:
            with JournalReader(path) as journal:
                kept = [_line(_record(record)) for record in journal.records() if record.attempt in attempts]
        except JournalError:
            continue  # the audit says what is wrong with it
        if kept:
            packing.add(f"journals/{instrument}.jsonl", kept, f"What the driver of {instrument} wrote down by itself", _LINES)
            n += 1
    return n


def _record(record: Any) -> dict[str, Any]:
    told = asdict(record)
    told["outcome"] = None if record.outcome is None else record.outcome.model_dump(mode="json")
    return told


def _environment() -> dict[str, Any]:
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(), "implementation": platform.python_implementation(), "system": platform.system(),
        "release": platform.release(), "machine": platform.machine(), "packages": packages,
        "written_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }  # fmt: skip


def _raw_files(
    packing: _Packing, found: Found, experiments: Iterable[Mapping[str, Any]], attempts: Iterable[Mapping[str, Any]]
) -> list[str]:
    """Write every raw file once, under its hash; return a line for each that is not here.

    Raises:
        StoreError: If one is damaged: a bundle must not bear witness to it.
    """
    shelf, numbers = FileShelf(shelf_path(found)), {row["id"]: row["number"] for row in experiments}
    whose: dict[str, tuple[Mapping[str, Any], list[str]]] = {}
    for attempt in attempts:
        for file in attempt["files"]:
            of = f"{file['name']} of experiment {numbers[attempt['experiment']]}, step {attempt['step']}"
            whose.setdefault(file["sha256"], (file, []))[1].append(of)
    lacking = []
    for sha256, (file, named) in whose.items():
        if not shelf.path(sha256).exists():
            lacking += [f"{of} ({sha256})" for of in named]
            continue
        about = f"{'; '.join(named[:3])}{f' and {len(named) - 3} more' if len(named) > 3 else ''}"
        try:
            packing.add(
                f"{RAW_FILES}/{sha256}", shelf.parts(sha256, file["size"]), f"Raw file: {about}", file["media_type"],
                packed=file["size"] <= _PACKED,
            )  # fmt: skip
        except (OSError, RawFileError) as error:
            raise StoreError(f"raw file {named[0]}: {error}; the bundle is not written") from None
    return lacking


def _readme(found: Found, log: _Log, n_experiments: int, n_journals: int, lacking: Sequence[str]) -> str:
    row = found.campaign
    said = said_of_data(found.reader.definition(found.id), simulated=found.simulated)
    data = f"**{said}.**" if found.simulated else "Data of real instruments."
    missing = "".join(["\nRaw files that were not beside the store when this was written:\n\n", *(f"- {f}\n" for f in lacking)])
    counts = ", ".join(f"{n} {status}" for status, n in row["counts"].items() if n) or "none"
    return f"""# Evidence of the campaign {found.name}

{data}

{n_experiments} experiments ({counts}); the campaign is {row["status"]}. Its log has {log.n_events} events and the head

    {log.head}

A head that was written down elsewhere tells whether the log was changed since. `labwright bundle check FILE` checks every
checksum, the chain of the log and that the table of experiments says what the log says; it needs no store.
`sha256sum --check {MANIFEST}` checks the checksums alone.

| file | what it holds |
|---|---|
| {EXPERIMENTS}, experiments.parquet | a row per experiment: setting, results, status, when; units: see {DEFINITION} |
| measurements.csv, measurements.parquet | a row per measured value, with unit, step and instrument |
| {EVENTS} | the log as it is stored, character by character |
| {PROPOSALS} | why each point was proposed, by which model on which data |
| {DEFINITION}, lab.json | what was searched, and where; secrets and paths of the lab's machine are taken out |
| journals/ | what {n_journals} drivers wrote down by themselves |
| {RAW_FILES}/ | raw files, such as spectra and images, under their SHA-256; {METADATA} says whose they are |
| environment.json | versions |
| {METADATA} | RO-Crate 1.1: what every file is, and each experiment with its instruments, setting and results |

The log is complete and unchanged, or its hashes would not fit: what people and devices wrote into it is in it.
A list of candidates too large for the definition is referred to there by its hash.
{missing if lacking else ""}"""


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _line(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass") + b"\n"
