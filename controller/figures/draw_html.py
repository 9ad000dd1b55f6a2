"""Draws figures as HTML: a page of its own with everything in it, or what a notebook shows."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from controller.figures.figure import Figure, Table
from controller.figures.given import number_text

STATIC = Path(__file__).parent / "static"
SCRIPTS = ("d3-7.9.2.min.js", "plot-0.6.17.umd.min.js", "figure.js")
"""In the order in which a page loads them. d3 and Observable Plot are their projects' own builds, under the ISC licence; their
licences lie beside them."""
STYLE = "figure.css"
_PAGE = """body { margin: 0; padding: 1.5rem; background: var(--page); }
.figure { max-width: 1200px; margin: 0 auto 2.5rem !important; }"""
_GROUND = ":root { --page: #ffffff; } @media (prefers-color-scheme: dark) { :root { --page: #15181c; } }"
_MOST_ROWS = 200


def page(figures: Sequence[Figure], title: str) -> str:
    """Return a whole page that needs nothing beside itself, and no network."""
    scripts = "".join(f"<script>{(STATIC / name).read_text(encoding='utf-8')}</script>\n" for name in SCRIPTS)
    # `<` is written so that no text of a campaign can end the script.
    content = json.dumps([f.model_dump(mode="json") for f in figures], ensure_ascii=False).replace("<", "\\u003c")
    places = "".join(f'<section id="figure-{i}"></section>\n' for i in range(len(figures)))
    said = "".join(f"<h2>{escape(f.title)}</h2><p>{escape(f.subtitle)}</p><p>{escape(f.summary)}</p>" for f in figures)
    draw = "figures.forEach((figure, i) => drawFigure(document.getElementById(`figure-${i}`), figure));"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n'
        f"<style>{_GROUND}\n{(STATIC / STYLE).read_text(encoding='utf-8')}\n{_PAGE}</style>\n</head>\n<body>\n<main>\n{places}"
        f"<noscript>{said}</noscript>\n</main>\n{scripts}<script>const figures = {content};\n{draw}</script>\n</body>\n</html>\n"
    )  # fmt: skip


def fragment(figure: Figure) -> str:
    """Return what a notebook shows: the picture without scripts, so that it is there wherever it is read, and the data."""
    from controller.errors import MissingExtraError
    from controller.figures.draw_matplotlib import draw

    try:
        data = base64.b64encode(draw([figure], "svg")).decode("ascii")
        picture = f'<img alt="{escape(figure.summary)}" style="max-width:100%" src="data:image/svg+xml;base64,{data}">'
    except MissingExtraError as error:
        picture = f"<p><strong>{escape(figure.title)}</strong> {escape(figure.subtitle)}</p><p>{escape(str(error))}</p>"
    notes = "".join(f"<p>{escape(note)}</p>" for note in (figure.summary, *figure.notes))
    return f"<figure>{picture}<figcaption>{notes}</figcaption>{_table(figure.table)}</figure>"


def _table(table: Table) -> str:
    if not table.columns:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(number_text(cell)) if cell is not None else str()}</td>' for cell in row)}</tr>"
        for row in table.rows[:_MOST_ROWS]
    )  # fmt: skip
    more = f" (the first {_MOST_ROWS} of {len(table.rows)} rows)" if len(table.rows) > _MOST_ROWS else ""
    return f"<details><summary>Data{more}</summary><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></details>"
