"""Compares the raw files that a log tells of with the folder beside the store, and copies that folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from controller.domain.raw_file import RawFile
from instruments.errors import RawFileError
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


def copy_all(folder: Path, target: Path) -> tuple[int, list[str]]:
    """Copy every raw file into another folder, each proven by its hash; what lies there whole already is left as it is.

    Args:
        folder: `files/` beside a store.
        target: Made where it is missing and there is something to copy.

    Returns:
        How many there are in the copy now, and a line for each that could not be copied.
    """
    shelf, n, problems = FileShelf(target), 0, []
    for path in sorted(folder.glob("[0-9a-f][0-9a-f]/*")):
        try:
            shelf.adopt(path, path.parent.name + path.name, path.stat().st_size, link=False)
            n += 1
        except (OSError, RawFileError) as error:
            problems.append(str(error))
    return n, problems
