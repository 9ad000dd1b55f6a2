"""A sheet of characters to draw on: symbols in cells, and lines as fine as a quarter of a cell (braille patterns)."""

from __future__ import annotations

import unicodedata

from controller.figures.figure import Colour

ESCAPES: dict[Colour, str] = {
    "ink": "", "grey": "90", "blue": "34", "orange": "33", "green": "32", "vermillion": "31", "purple": "35", "sky": "36",
    "yellow": "93",
}  # fmt: skip
"""Colour -> the number by which terminals know it (ECMA-48, Select Graphic Rendition)."""

_BRAILLE = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of the braille patterns, by row and column of the dot (Unicode, block Braille Patterns)."""


def printable(text: str) -> str:
    """Return a text of which nothing steers a terminal, with plain spaces: names and choices come from files."""
    spaced = (" " if unicodedata.category(c) == "Zs" else c for c in text)
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in spaced)


class Canvas:
    """A sheet of `width` columns and `height` lines; places are counted from the upper left."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._cells = [[" "] * width for _ in range(height)]
        self._colours: list[list[Colour]] = [["ink"] * width for _ in range(height)]

    def put(self, column: int, line: int, text: str, colour: Colour = "ink") -> None:
        """Write `text` from a cell on to the right; what lies beyond the sheet is cut."""
        if not 0 <= line < self.height:
            return
        for i, character in enumerate(text):
            if 0 <= column + i < self.width:
                self._cells[line][column + i] = printable(character)
                self._colours[line][column + i] = colour

    def shade(self, column: int, line: int, character: str, colour: Colour) -> None:
        """Write a character where nothing is yet."""
        if 0 <= line < self.height and 0 <= column < self.width and self._cells[line][column] == " ":
            self.put(column, line, character, colour)

    def dot(self, x: float, y: float, colour: Colour) -> None:
        """Set one fine dot; `x` in columns and `y` in lines, fractions counting. Whole characters stay."""
        column, line = int(x), int(y)
        if not (0 <= line < self.height and 0 <= column < self.width):
            return
        here = ord(self._cells[line][column])
        if here not in range(_BRAILLE, _BRAILLE + 256):
            if self._cells[line][column] not in " ░┆┄│─":
                return
            here = _BRAILLE
        here |= _DOTS[min(3, int((y - line) * 4))][min(1, int((x - column) * 2))]
        self._cells[line][column] = chr(here)
        self._colours[line][column] = colour

    def stroke(self, x1: float, y1: float, x2: float, y2: float, colour: Colour, *, dashed: bool = False) -> None:
        """Draw a fine straight line."""
        steps = int(max(abs(x2 - x1) * 2, abs(y2 - y1) * 4)) + 1
        for i in range(steps + 1):
            if not dashed or (i // 3) % 2 == 0:
                self.dot(x1 + (x2 - x1) * i / steps, y1 + (y2 - y1) * i / steps, colour)

    def lines(self, *, colour: bool) -> list[str]:
        """Return the sheet line by line, without blanks at the ends; with escape sequences where `colour`."""
        if not colour:
            return ["".join(row).rstrip() for row in self._cells]
        found = []
        for cells, colours in zip(self._cells, self._colours, strict=True):
            line, now = [], ""
            for character, name in zip(cells, colours, strict=True):
                code = ESCAPES[name] if character != " " else ""
                if code != now:
                    line.append(f"\x1b[{code or '0'}m")
                    now = code
                line.append(character)
            found.append("".join(line).rstrip() + ("\x1b[0m" if now else ""))
        return found
