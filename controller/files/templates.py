"""A campaign, a lab and a note to begin with, written where a user asks for them."""

from __future__ import annotations

import contextlib
import os
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Final

from controller.errors import FileFaultsError
from controller.files.faults import ABSENT, Fault, one_line

NAMES: Final = ("campaign.yaml", "lab.yaml", "README.md")


def write_templates(folder: Path, *, force: bool = False) -> list[Path]:
    """Write a working, commented campaign on the flow-chemistry simulator into a folder, made if it is not there.

    Args:
        folder: Where to.
        force: Write over files of the same names.

    Returns:
        The files written.

    Raises:
        FileFaultsError: If one is there already and `force` is false, or the folder cannot be written; nothing has been written
            over then.
    """
    paths = [folder / name for name in NAMES]
    there = [path for path in paths if path.exists() or path.is_symlink()]
    if there and not force:
        message = "is there already and is not written over; choose another folder, or use --force"
        raise FileFaultsError([str(Fault(path, None, (), ABSENT, message)) for path in there])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            _write(path, files("controller.files").joinpath("template", path.name).read_text(encoding="utf-8"))
    except OSError as error:
        message = f"cannot be written ({one_line(error.strerror or str(error))}); choose another folder"
        raise FileFaultsError([str(Fault(folder, None, (), ABSENT, message))]) from None
    return paths


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).chmod(0o644)  # mkstemp makes files for their owner alone
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
