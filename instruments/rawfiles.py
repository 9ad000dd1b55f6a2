"""Raw files: spectra, images and other files that an action leaves behind, each kept once under the SHA-256 of its content.

```
files/ab/cdef…      read-only; `ab` are the first two digits of its hash, `cdef…` the others
files/.part-…       what was being written when a process died; removed by the next that writes, after an hour
```

A driver has such a folder beside its journal, the controller one beside its store. A file appears whole or not at all, and is on
the disk before anybody is told of it. Reading and writing take bounded memory, however large a file is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from instruments.durable import flush
from instruments.errors import RawFileError
from instruments.protocol.values import MAX_RAW_FILE

FILES = "files"
"""Name of the folder, in an instrument's folder and in the state folder of a store."""
_CHUNK = 2**20
_STALE_S = 3600.0
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class FileShelf:
    """Raw files in one folder.

    Args:
        folder: Made when the first is put into it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Return where the file of a hash lies, or would; `RawFileError` where it is no hash (64 digits from 0 to f)."""
        if not _SHA256.fullmatch(sha256):
            raise RawFileError(f"{sha256[:80]!r} is no SHA-256: expected 64 digits from 0 to 9 and a to f")
        return self.folder / sha256[:2] / sha256[2:]

    def put(self, source: IO[bytes]) -> tuple[str, int]:
        """Keep what `source` holds; when this returns, it survives a power cut.

        Returns:
            SHA-256 and size [bytes].

        Raises:
            RawFileError: If it is larger than `MAX_RAW_FILE`.
            OSError: If it cannot be read or kept.
        """
        with self._draft() as draft:
            with draft.open("xb") as target:
                sha256, size = digest(source, target.write)
            self._take(draft, sha256, size)
        return sha256, size

    def adopt(self, path: Path, sha256: str, size: int, *, link: bool = True) -> None:
        """Keep a file that lies elsewhere, by a hard link where that can be; when this returns, it survives a power cut.

        Args:
            path: Where it lies. It stays there.
            sha256: What its content must have.
            size: What it must have [bytes].
            link: False for a copy that is to outlive damage to the original.

        Raises:
            RawFileError: If it is no plain file, or not the one that was meant.
            OSError: If it cannot be read or kept.
        """
        if self.fault(sha256, size, read=True) is None:
            flush(self.path(sha256).parent)
            return
        with self._draft() as draft:
            _check_plain(path, size)
            if link and _linked(path, draft):
                _check_plain(draft, size)
                with draft.open("rb") as source:
                    found, n = digest(source, most=size)
            else:
                with path.open("rb") as source, draft.open("xb") as target:
                    found, n = digest(source, target.write, most=size)
            if (found, n) != (sha256, size):
                raise RawFileError(f"{path} is damaged: its content has the SHA-256 {found[:16]}…, {sha256[:16]}… was told")
            self._take(draft, sha256, size)

    def fault(self, sha256: str, size: int, *, read: bool) -> str | None:
        """Return what is wrong with a file, None where it is as it should be.

        Args:
            sha256: Which.
            size: What it must have [bytes].
            read: Read it whole and compare its hash; else only look whether it is there and how large it is.
        """
        path = self.path(sha256)
        try:
            _check_plain(path, size)
            if read:
                with path.open("rb") as source:
                    found, _ = digest(source, most=size)
                if found != sha256:
                    return f"is damaged: {path} has the SHA-256 {found[:16]}…"
        except FileNotFoundError:
            return f"is missing: there is no {path}"
        except RawFileError as error:
            return f"is damaged: {error}"
        except OSError as error:
            return f"cannot be read: {path}: {error.strerror or error}"
        return None

    def parts(self, sha256: str, size: int) -> Iterator[bytes]:
        """Yield the content of a file, a mebibyte at a time.

        Raises:
            RawFileError: At the end at the latest, if it is not the content that the hash stands for.
            OSError: If it cannot be read.
        """
        path, found = self.path(sha256), hashlib.sha256()
        _check_plain(path, size)
        with path.open("rb") as source:
            while part := source.read(_CHUNK):
                found.update(part)
                yield part
        if found.hexdigest() != sha256:
            raise RawFileError(f"{path} is damaged: its content has the SHA-256 {found.hexdigest()[:16]}…")

    @contextlib.contextmanager
    def _draft(self) -> Iterator[Path]:
        """Give a name in the folder for what is not whole yet; what is left of it in the end is removed."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in self.folder.glob(".part-*"):
            with contextlib.suppress(OSError):
                if time.time() - old.lstat().st_ctime > _STALE_S:
                    old.unlink()
        draft = self.folder / f".part-{uuid.uuid4().hex}"
        try:
            yield draft
        finally:
            draft.unlink(missing_ok=True)  # also where it was a link to the very file whose name it took

    def _take(self, draft: Path, sha256: str, size: int) -> None:
        """Give a whole draft its name, unless what has that name already is whole."""
        target = self.path(sha256)
        if not target.parent.exists():
            target.parent.mkdir(exist_ok=True, mode=0o700)
            flush(self.folder)
            flush(self.folder.parent)
        if self.fault(sha256, size, read=True) is not None:
            with contextlib.suppress(PermissionError):  # somebody else's: it is theirs to guard
                draft.chmod(0o444)
            flush(draft)
            draft.replace(target)
        flush(target.parent)


def digest(
    source: IO[bytes], write: Callable[[bytes], object] | None = None, *, most: int = MAX_RAW_FILE
) -> tuple[str, int]:
    """Read a file to its end, a mebibyte at a time.

    Args:
        source: The file.
        write: Given each part.
        most: It may have so many bytes.

    Returns:
        SHA-256 and size [bytes].

    Raises:
        RawFileError: If it is larger.
        OSError: If it cannot be read.
    """
    found, size = hashlib.sha256(), 0
    while part := source.read(_CHUNK):
        size += len(part)
        if size > most:
            raise RawFileError(f"it is larger than {most} bytes ({most / 2**20:.3g} MiB); keep less of it, or in several files")
        found.update(part)
        if write is not None:
            write(part)
    return found.hexdigest(), size


def _linked(path: Path, name: Path) -> bool:
    """Give a file another name; False on another file system, or one without links."""
    try:
        os.link(path, name, follow_symlinks=False)
    except OSError:
        return False
    return True


def _check_plain(path: Path, size: int) -> None:
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise RawFileError(f"{path} is no plain file")
    if found.st_size != size:
        raise RawFileError(f"{path} has {found.st_size} bytes, {size} were told")
