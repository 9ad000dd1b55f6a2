"""What notebooks show of campaigns and tables: small pieces of HTML, every text escaped, simulated data marked as such."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from controller.verbs.readable import readable

_MARK = (
    '<span style="background:#b34700;color:#fff;border-radius:3px;padding:1px 6px;font-size:85%;font-weight:600">SIMULATED</span>'
)
_CELL = "text-align:left;vertical-align:top;padding:2px 12px 2px 0"
_MOST = 20
"""Rows of a table that are shown; a frame shows all."""


def html_text(value: object) -> str:
    """Return a value as people read it, escaped: see `readable`."""
    return readable(value, escape, "&nbsp;")


def table_html(rows: Sequence[Mapping[str, Any]], columns: Iterable[str], *, caption: str = "") -> str:
    """Return rows as a table of some columns; those that are empty in every row are left out.

    Args:
        rows: What there is to show; of more than twenty the first.
        columns: Keys of the rows.
        caption: Stands above it.
    """
    shown = [name for name in columns if any(row.get(name) not in (None, "", {}, []) for row in rows)]
    heads = "".join(f'<th scope="col" style="{_CELL}">{escape(name.replace("_", " "))}</th>' for name in shown)
    lines = [
        "<tr>" + "".join(f'<td style="{_CELL}">{html_text(row.get(name))}</td>' for name in shown) + "</tr>" for row in rows[:_MOST]
    ]
    more = f"<p>and {len(rows) - _MOST} more</p>" if len(rows) > _MOST else ""
    top = f'<caption style="text-align:left;font-weight:600">{escape(caption)}</caption>' if caption else ""
    return f"<table>{top}<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>{more}"


def facts_html(title: str, facts: Mapping[str, Any], *, simulated: bool, below: str = "") -> str:
    """Return a title with facts below it; empty ones are left out.

    Args:
        title: Whose facts they are.
        facts: Name -> value.
        simulated: Mark it as simulated.
        below: HTML that follows.
    """
    mark = f" {_MARK}" if simulated else ""
    lines = [
        f'<tr><th scope="row" style="{_CELL}">{escape(name)}</th><td style="{_CELL}">{text}</td></tr>'
        for name, value in facts.items() if (text := html_text(value))
    ]  # fmt: skip
    return f"<div><strong>{escape(title)}</strong>{mark}<table><tbody>{''.join(lines)}</tbody></table>{below}</div>"


def with_units(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return name -> name with its unit, `temperature [degC]`, of parameters or objectives as JSON data."""
    return {name: f"{name} [{entry['unit']}]" if entry.get("unit") else name for name, entry in entries.items()}


def campaign_html(told: Mapping[str, Any]) -> str:
    """Return where a campaign stands.

    Args:
        told: `campaign`, `status`, `reason`, `simulated`, `counts`, `spent`, `imported`, `budget_experiments`, `best` and `alarms`;
            with a `definition`, units are shown.
    """
    problem = told.get("definition", {}).get("problem", {})
    units = {k: with_units(problem.get(k, {})) for k in ("parameters", "objectives")}
    best = [{k: {units[k].get(n, n): v for n, v in row[k].items()} if k in units else row[k] for k in row} for row in told["best"]]
    counts = {status: n for status, n in told["counts"].items() if n}
    facts = {
        "status": told["status"], "reason": told["reason"], "experiments": counts or "none yet",
        "budget": f"{told['spent']} of {told['budget_experiments']} spent", "imported": told.get("imported") or None,
        "alarms": len(told["alarms"]) or None,
    }  # fmt: skip
    title = f"Pareto front ({len(best)})" if len(best) > 1 else "Best so far"
    table = table_html(best, ("experiment", "objectives", "parameters", "feasible"), caption=title) if best else ""
    return facts_html(f"Campaign {told['campaign']}", facts, simulated=bool(told["simulated"]), below=table)
