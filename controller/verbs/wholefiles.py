"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from controller.errors import UnknownNameError
from instruments.durable import flush

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What another name would not help against."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a draft beside `path` that takes its place when the block ends well, flushed to the disk; else nothing is left.

    Raises:
        UnknownNameError: If its folder does not exist, or it cannot be written.
        OSError: If the disk is full.
    """
    draft = path.with_name(f".{path.name}.{token_hex(4)}.part")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield draft
        flush(draft)
        draft.replace(path)
        flush(path.parent)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise
        why = error.strerror or str(error)
        raise UnknownNameError(f"{path} cannot be written: {why}; name a file in an existing folder") from error
    finally:
        draft.unlink(missing_ok=True)
