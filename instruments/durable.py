"""Makes files and folders outlast a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def flush(path: Path) -> None:
    """Return when what a file holds, or which names a folder holds, is on the disk (fsync(2)).

    Raises:
        OSError: If the disk refuses, or there is no such path.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
