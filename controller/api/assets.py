"""The files of the page: read once, served under an address that changes with them, so that browsers may keep them for ever."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FOLDERS = {"": Path(__file__).parent / "page", "figures/": Path(__file__).parents[1] / "figures" / "static"}
"""What stands before the names of files, and the folder that they lie in."""
INDEX, THEME = "index.html", "theme.js"
_RELEASE = re.compile(r"-\d+(\.\d+)+(?=\.)")
"""In names of files of others: pages ask for `d3.min.js`, whichever release it is."""
_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
          ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8"}  # fmt: skip
_SHORT = 1400
"""A file that fits into one packet is not packed [bytes]."""


@dataclass(frozen=True)
class Asset:
    """One file."""

    body: bytes
    media_type: str

    @cached_property
    def packed(self) -> bytes | None:
        """Its content by gzip, None where that saves nothing."""
        return gzip.compress(self.body, 6, mtime=0) if len(self.body) > _SHORT else None


class Assets:
    """All files of the page.

    Args:
        folders: See `FOLDERS`.
    """

    def __init__(self, folders: dict[str, Path] | None = None) -> None:
        found = {
            prefix + _RELEASE.sub("", path.relative_to(folder).as_posix()): path
            for prefix, folder in (folders or FOLDERS).items()
            for path in sorted(folder.rglob("*"))
            if path.suffix in _TYPES
        }
        self._files = {name: Asset(path.read_bytes(), _TYPES[path.suffix]) for name, path in found.items()}
        whole = hashlib.sha256()
        for name, asset in sorted(self._files.items()):
            whole.update(f"{name} {len(asset.body)} ".encode() + asset.body)
        self.version = whole.hexdigest()[:16]
        """Of all files together."""
        index = self._files.pop(INDEX)
        # Each module names others; what is named here is fetched at once, and not one after the other.
        modules = sorted(name for name in self._files if name.endswith(".js") and not name.startswith("figures/") and name != THEME)
        preload = "\n".join(f'<link rel="modulepreload" href="/page/{{version}}/{name}">' for name in modules)
        body = index.body.replace(b"{preload}", preload.encode()).replace(b"{version}", self.version.encode())
        self.index = Asset(body, index.media_type)
        """The page itself, which names the others."""

    def get(self, version: str, name: str) -> Asset | None:
        """Return a file, None where there is none of that name in that version."""
        return self._files.get(name) if version == self.version else None
