"""Draws figures into a file; the end of its name says how."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from controller.errors import UnknownNameError
from controller.figures.figure import Figure

ENDINGS = (".png", ".svg", ".html")


def ending_of(path: Path) -> str:
    """Return how a file is written, by the end of its name.

    Raises:
        UnknownNameError: If it is none of `ENDINGS`.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise UnknownNameError(f"{path}: a figure is written as {', '.join(ENDINGS)}; end the name with one of these")
    return ending


def save(figures: Sequence[Figure], path: Path) -> Path:
    """Draw figures into one file, one below the other.

    Args:
        figures: At least one.
        path: Ends with one of `ENDINGS`.

    Returns:
        `path`.

    Raises:
        UnknownNameError: If it ends otherwise, or cannot be written.
        MissingExtraError: If matplotlib is not installed (PNG and SVG).
    """
    ending = ending_of(path)
    if ending == ".html":
        from controller.figures.draw_html import page

        content = page(figures, " · ".join(dict.fromkeys(f.title for f in figures))).encode("utf-8", "replace")
    else:
        from controller.figures.draw_matplotlib import draw

        content = draw(figures, "svg" if ending == ".svg" else "png")
    draft = path.with_name(path.name + ".part")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        raise UnknownNameError(f"{path} cannot be written: {error.strerror}; name a file in an existing folder") from error
    return path
