"""One line per fault: the place, the value, what was expected and what to do."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from controller.errors import FileFaultsError

Keys = tuple[str | int, ...]
"""The way from the top of a file to one entry: names of keys and positions in lists (from 0)."""

_COMPARED: Final = 2000
"""Names that are compared with one that is not known."""
MAX_FAULTS: Final = 200
"""Faults that are told one by one; of more only the number."""
_LONGEST_VALUE: Final = 60
_LONGEST_LINE: Final = 800
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, default=str)


class _Absent:
    """No value is shown: the key is missing, or the value says nothing."""


ABSENT: Final = _Absent()


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in one place."""

    file: Path
    line: int | None
    keys: Keys
    value: object
    message: str

    def __str__(self) -> str:
        """Return `FILE:LINE: key.path: value: message`, always one line."""
        place = [f"{self.file}:{self.line}" if self.line is not None else str(self.file)]
        if self.keys:
            place.append(dotted(self.keys))
        if self.value is not ABSENT:
            place.append(shown(self.value))
        return one_line(_fitted(": ".join([*place, self.message])))


@dataclass
class Faults:
    """Gathers faults, so that one look at a file finds them all."""

    found: list[Fault] = field(default_factory=list)
    ready: list[str] = field(default_factory=list)
    """Lines of files that could not be read at all, as `read_document` gives them."""
    n_more: int = 0
    """Faults that were found beyond these."""
    _seen: set[str] = field(default_factory=set, repr=False)

    def add(self, file: Path, line: int | None, keys: Keys, message: str, value: object = ABSENT) -> None:
        """Add a fault, unless the same was added before, or there are `MAX_FAULTS` already."""
        if len(self.found) >= MAX_FAULTS:
            self.n_more += 1
            return
        fault = Fault(file, line, keys, value, message)
        if str(fault) not in self._seen:
            self._seen.add(str(fault))
            self.found.append(fault)

    def extend(self, lines: list[str]) -> None:
        """Add faults that are lines already."""
        self.ready += [line for line in lines if line not in self.ready]

    def __len__(self) -> int:
        return len(self.found) + len(self.ready) + self.n_more

    def lines(self) -> list[str]:
        """Return one line per fault: file by file in the order met, each from top to bottom."""
        files = {file: i for i, file in enumerate(dict.fromkeys(fault.file for fault in self.found))}
        more = [f"and {self.n_more} more; correct these first"] if self.n_more else []
        return [str(fault) for fault in sorted(self.found, key=lambda f: (files[f.file], f.line or 0))] + self.ready + more

    def raise_if_any(self) -> None:
        """Raise everything gathered.

        Raises:
            FileFaultsError: If there is at least one fault.
        """
        if len(self):
            raise FileFaultsError(self.lines())


def dotted(keys: Keys) -> str:
    """Return `("protocol", 0, "with")` as `protocol[0].with`."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{shortened(key)}" if text else shortened(key)
    return text


def shown(value: object) -> str:
    """Return `value` as it could stand in a file, on one line and cut where it is long."""
    text = ""
    for part in _ENCODER.iterencode(value):  # a value may be the whole of a large file
        text += part
        if len(text) > _LONGEST_VALUE:
            break
    return shortened(text)


def shortened(text: str, most: int = _LONGEST_VALUE) -> str:
    """Return `text` cut to `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _fitted(line: str) -> str:
    """Return a line without its middle where it is too long: place and remedy stand at its ends."""
    half = _LONGEST_LINE // 2
    return line if len(line) <= _LONGEST_LINE else f"{line[:half]} … {line[-half:]}"


def listed(names: Iterable[object], most: int = 12) -> str:
    """Return names separated by commas, the first `most` of them."""
    every = [shortened(str(name)) for name in names]
    rest = len(every) - most
    return ", ".join(every[:most]) + (f" and {rest} more" if rest > 0 else "")


def nearest(wrong: str, known: Iterable[str]) -> str:
    """Return `did you mean x?`, or what there is to choose from."""
    known = list(known)
    comparable = known[:_COMPARED] if len(wrong) <= _LONGEST_VALUE else []
    near = difflib.get_close_matches(wrong, comparable, n=2, cutoff=0.6)
    if not near:  # case and separators are what people get wrong most
        near = [name for name in comparable if _letters(name) == _letters(wrong)][:2]
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there is {listed(known)}" if known else "there is none"


def one_line(text: str) -> str:
    """Return `text` with line breaks and control characters replaced, so that a fault stays one line."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
