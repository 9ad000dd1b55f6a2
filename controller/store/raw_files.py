"""Compares the raw files that a log tells of with the folder beside the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from controller.domain.raw_file import RawFile
from instruments.rawfiles import FileShelf


def differences(told: Iterable[tuple[str, RawFile]], folder: Path, *, read: bool) -> Iterator[str]:
    """Yield a line for each raw file that is missing or damaged.

    Args:
        told: Whose it is, for people, and the file.
        folder: `files/` beside the store.
        read: Compare the hash of each, which reads all of them; else only whether they are there, and their size.
    """
    shelf, faults = FileShelf(folder), dict[tuple[str, int], str | None]()
    for whose, file in told:
        key = (file.sha256, file.size)
        if key not in faults:  # of many attempts with the same file it is read once
            there = file.kept or shelf.path(file.sha256).exists()
            faults[key] = shelf.fault(file.sha256, file.size, read=read) if there else None
        if (fault := faults[key]) is not None:
            yield f"{whose}, raw file {file.name}: {fault}"
