"""Keeps freed memory with the process that will need it again at once."""

from __future__ import annotations

import ctypes
import sys

# Of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT = 256 << 20
_LARGEST = 32 << 20  # the most that glibc takes; larger blocks are mapped and given back, as ever


def keep_freed_memory() -> bool:
    """Tell the C library to keep up to 256 MiB that were freed instead of giving them back to the system.

    A fit of 200 observations makes and drops matrices of a megabyte hundreds of times. Given back each time, and each page cleared
    by the kernel when it is asked for anew, they take as long as the arithmetic. To be called once, by a process that does nothing
    but fit and propose.

    Returns:
        Whether the C library could be told; only glibc can.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST)) and bool(mallopt(_TRIM_THRESHOLD, _KEPT))
