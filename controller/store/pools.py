"""Large lists of candidates: kept once in the store by the hash of their content, and as a file that processes map into memory.

The store is where they are kept, in compressed parts, so that a copy of the store is whole and a campaign goes on on another
machine. The files, `pools/SHA256.pool` in the state folder, are written from it where they are missing, and may be deleted
while no controller runs.
"""

from __future__ import annotations

import hashlib
import os
import uuid
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from controller.domain.pool import Columns, Pool, columns_of
from controller.errors import PoolError
from controller.store.connecting import place

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from controller.store.reading import Reader

POOLS = "pools"
"""Folder of the files, in the state folder of the store."""
PART = 4 * 2**20
"""Bytes of content in one row of the store."""
_TRIED = 64 * 2**10
_WORTHWHILE = 0.9
_REMEDY = "restore the store from a copy (labwright db backup makes them)"


def packed(pool: Pool) -> Iterator[bytes]:
    """Yield the content of a pool in parts of `PART` bytes, each as zlib packs it (RFC 1950)."""
    waiting = bytearray()
    for piece in pool.parts():
        view = memoryview(piece).cast("B")
        for begin in range(0, len(view), PART):
            waiting += view[begin : begin + PART]
            while len(waiting) >= PART:
                yield _pack(bytes(waiting[:PART]))
                del waiting[:PART]
    if waiting:
        yield _pack(bytes(waiting))


def _pack(part: bytes) -> bytes:
    # Measured numbers of many digits do not get smaller: a sample tells, and level 0 only frames them.
    tried = part[:_TRIED]
    return zlib.compress(part, 1 if len(zlib.compress(tried, 1)) < _WORTHWHILE * len(tried) else 0)


def unpacked(sha256: str, parts: Iterable[bytes], where: str) -> Iterator[bytes]:
    """Yield the content of a pool from its packed parts.

    Raises:
        PoolError: At the end at the latest, if the content is not the one that `sha256` stands for.
    """
    digest = hashlib.sha256()
    for number, part in enumerate(parts, start=1):
        try:
            content = zlib.decompress(part)
        except zlib.error as error:
            raise PoolError(f"{_name(sha256)} is damaged in {where}: part {number} ({error}); {_REMEDY}") from None
        digest.update(content)
        yield content
    if digest.hexdigest() != sha256:
        raise PoolError(f"{_name(sha256)} is damaged in {where}: its content has the hash {digest.hexdigest()[:16]}…; {_REMEDY}")


def kept_columns(reader: Reader, sha256: str) -> Columns:
    """Return the columns of a pool as the store has them, in memory.

    Raises:
        PoolError: If it is missing there, or damaged.
    """
    import numpy as np

    content = b"".join(unpacked(sha256, _parts(reader, sha256), f"store {place(reader.url)}"))
    return _columns(np.frombuffer(content, np.uint8), sha256, f"store {place(reader.url)}")


def differences(reader: Reader) -> list[str]:
    """Return a line for each pool of the store that is not what its hash says."""
    wrong = []
    for row in reader.pool_rows():
        try:
            for _ in unpacked(row["sha256"], _parts(reader, row["sha256"]), "the store"):
                pass
        except PoolError as error:
            wrong.append(str(error))
    return wrong


def open_file(path: Path, sha256: str) -> Columns:
    """Return the columns of a pool from its file, mapped into memory.

    Raises:
        PoolError: If the file is missing, or is not the pool's.
    """
    import numpy as np

    again = f"end the controller, delete {path} if it is there, and start again: it is written anew from the store"
    try:
        content: NDArray[np.uint8] = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError) as error:
        raise PoolError(f"{_name(sha256)} cannot be read from {path} ({error}); {again}") from None
    if hashlib.sha256(content.data).hexdigest() != sha256:
        raise PoolError(f"{_name(sha256)} is damaged in {path}; {again}")
    return _columns(content.view(np.ndarray), sha256, str(path))


class Shelf:
    """The files of pools in one folder, written from what is at hand.

    Called with a hash it returns the columns of that pool: it is the source of pools that are referred to.

    Args:
        folder: Of the files.
        reader: Of the store that keeps them; None where there is only the folder.
    """

    def __init__(self, folder: Path, reader: Reader | None = None) -> None:
        self._folder, self._reader = folder, reader

    def __call__(self, sha256: str) -> Columns:
        """Return the columns of a pool, mapped into memory; `PoolError` where it is missing or damaged."""
        path = self.path(sha256)
        if self._reader is None or self._is_whole(path):
            return open_file(path, sha256)
        self._write(path, unpacked(sha256, _parts(self._reader, sha256), f"store {place(self._reader.url)}"))
        return open_file(path, sha256)

    def path(self, sha256: str) -> Path:
        """Return the file of a pool."""
        if len(sha256) != 64 or not sha256.isalnum():
            raise PoolError(f"{sha256[:80]!r} is no hash of a list of candidates")
        return self._folder / f"{sha256}.pool"

    def put(self, pool: Pool) -> Pool:
        """Write a pool's file, unless it is there, and return the pool as one that is referred to and lies in it."""
        path = self.path(pool.sha256)
        _ = pool.columns  # one that refers to this shelf is now on it
        if not self._is_whole(path):
            self._write(path, pool.parts())
        return Pool.referred(pool.sha256, len(pool), pool.names, self)

    def _is_whole(self, path: Path) -> bool:
        try:
            open_file(path, path.stem)
        except PoolError:
            return False
        return True

    @staticmethod
    def _write(path: Path, parts: Iterable[bytes | memoryview]) -> None:
        partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as error:
            raise PoolError(f"{_name(path.stem)} cannot be written to {path}: {error.strerror}; make room there") from error
        finally:
            partial.unlink(missing_ok=True)


def _parts(reader: Reader, sha256: str) -> Iterator[bytes]:
    row = next((row for row in reader.pool_rows() if row["sha256"] == sha256), None)
    if row is None:
        raise PoolError(f"{_name(sha256)} is missing in store {place(reader.url)}; {_REMEDY}")
    for position in range(row["parts"]):
        part = reader.pool_part(sha256, position)
        if part is None:
            raise PoolError(f"{_name(sha256)} is damaged in store {place(reader.url)}: part {position + 1} is missing; {_REMEDY}")
        yield part


def _columns(content: NDArray[np.uint8], sha256: str, where: str) -> Columns:
    try:
        return columns_of(content)
    except ValueError as error:
        raise PoolError(f"{_name(sha256)} in {where} cannot be read: {error}") from None


def _name(sha256: str) -> str:
    return f"the list of candidates {sha256[:16]}…"
