"""Takes raw files over from drivers on this machine, before the result that refers to them is booked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from controller.domain.raw_file import RawFile
from instruments.errors import RawFileError
from instruments.protocol.values import RawFile as OnTheWire
from instruments.rawfiles import FILES, FileShelf


async def take_over(
    lab: Path, instrument: str, files: Sequence[OnTheWire]
) -> tuple[tuple[RawFile, ...], list[str]]:
    """Take raw files of an attempt over into the folder beside the store.

    Where a driver says that its files are is never asked: they are looked for by their hash in the folder of its instrument, so
    that nobody on the wire can have another file read.

    Args:
        lab: Folder of the lab, in the state folder of the store.
        instrument: Whose driver kept them.
        files: As the outcome tells of them.

    Returns:
        The files, each with whether it is kept now; and a line for each that is there and could not be taken over.
    """
    if not files:
        return (), []
    # In a thread: of a large file every byte is read, and the loop answers heartbeats meanwhile.
    return await asyncio.to_thread(_take_over, lab, instrument, files)


def _take_over(lab: Path, instrument: str, files: Sequence[OnTheWire]) -> tuple[tuple[RawFile, ...], list[str]]:
    with_driver, here = FileShelf(lab / instrument / FILES), FileShelf(lab.parent.parent / FILES)
    taken, problems = [], []
    for file in files:
        kept = True
        try:
            here.adopt(with_driver.path(file.sha256), file.sha256, file.size)
        except (OSError, RawFileError) as error:
            kept = False
            # A driver on another machine keeps its files there: that is no problem, and `experiment files` says so.
            if not isinstance(error, FileNotFoundError) or with_driver.folder.exists():
                problems.append(f"{file.name}: {error}")
        taken.append(RawFile(**file.model_dump(), kept=kept))
    return tuple(taken), problems
