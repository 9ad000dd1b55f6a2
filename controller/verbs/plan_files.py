"""A plan as a file: CSV, a spreadsheet to be filled in (XLSX), or a page to be printed (HTML)."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.errors import ConflictError, MissingExtraError
from controller.files.by_hand import form_of
from controller.files.formulas import FORMULA, harmless
from controller.files.plans import FAILED, NOTES, NUMBER, heading
from controller.verbs.plans import Plan
from controller.verbs.wholefiles import whole_file

if TYPE_CHECKING:
    from instruments.tasks.form import FormField

FORMATS = (".csv", ".xlsx", ".html")
MEDIA_TYPES = {
    ".csv": "text/csv", ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".html": "text/html",
}  # fmt: skip
_LONGEST_LIST = 255
"""Choices of a cell, by the file format [characters]."""
_GIVEN, _TO_FILL = "E8E8E8", "FFF2CC"
_STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #111 }
h1 { font-size: 20px; margin: 0 } p { margin: .3em 0 1em }
table { border-collapse: collapse; width: 100% } th, td { border: 1px solid #555; padding: .45em .6em; text-align: left }
th { background: #eee } td.fill { min-width: 7em; height: 2.2em; background: #fffdf2 }
thead { display: table-header-group } tr { break-inside: avoid }
@page { size: landscape; margin: 12mm } @media print { body { margin: 0 } }
"""


def write_plan(path: Path, plan: Plan) -> None:
    """Write a plan in the format that its name ends in.

    Raises:
        ConflictError: If that is none of `FORMATS`.
        MissingExtraError: If openpyxl is needed and not installed.
        UnknownNameError: If the file cannot be written.
    """
    write = check_format(path)
    with whole_file(path) as draft:
        write(draft, plan)


def check_format(path: Path) -> Callable[[Path, Plan], None]:
    """Return what writes such a file; checked before anything is asked for. Raises as `write_plan`."""
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise ConflictError(f"{path} ends in {ending or 'nothing'}; a plan is a .csv, .xlsx or .html file")
    if ending == ".xlsx":
        try:
            import openpyxl  # noqa: F401 - only to know that it is there
        except ImportError:
            raise MissingExtraError("openpyxl", "data", "a plan as a spreadsheet") from None
    return {".csv": _write_csv, ".xlsx": _write_xlsx, ".html": _write_html}[ending]


def _headings(plan: Plan) -> tuple[list[str], list[str], dict[str, FormField]]:
    """Return the headings of what is given, and of what is to be filled in with its form."""
    parameters = plan.definition.problem.parameters
    given = [NUMBER, *(heading(name, getattr(p, "unit", None)) for name, p in parameters.items())]
    form = form_of(plan.definition)
    return given, [*(heading(name, field.unit) for name, field in form.items()), FAILED, NOTES], form


def _cells(plan: Plan, row: Mapping[str, Any]) -> list[Any]:
    """Return what is given of one experiment; a parameter that is not active stays empty."""
    return [row["experiment"], *(row["parameters"].get(name) for name in plan.definition.problem.parameters)]


def _write_csv(path: Path, plan: Plan) -> None:
    given, to_fill, _ = _headings(plan)
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow([*given, *to_fill])
        for row in plan.rows:
            cells = [harmless(c) if isinstance(c, str) else c for c in _cells(plan, row)]
            lines.writerow([*("" if c is None else c for c in cells), *("" for _ in to_fill)])


def _write_xlsx(path: Path, plan: Plan) -> None:
    """Write a spreadsheet: what is given is grey and locked, what is to be filled in yellow and checked as it is typed."""
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font, PatternFill, Protection
    from openpyxl.utils import get_column_letter

    given, to_fill, form = _headings(plan)
    book = Workbook()
    page = book.active
    page.title = "plan"
    grey, yellow = PatternFill("solid", fgColor=_GIVEN), PatternFill("solid", fgColor=_TO_FILL)
    for column, text in enumerate([*given, *to_fill], start=1):
        cell = _text(page.cell(1, column), text)
        cell.font, cell.fill, cell.alignment = Font(bold=True), grey, Alignment(wrap_text=True, vertical="top")
        page.column_dimensions[get_column_letter(column)].width = min(max(12, len(text) + 2), 40)
    for line, row in enumerate(plan.rows, start=2):
        for column, value in enumerate(_cells(plan, row), start=1):
            cell = page.cell(line, column)
            cell.fill = grey
            if isinstance(value, str):
                _text(cell, value)
            else:
                cell.value = value
        for column in range(len(given) + 1, len(given) + len(to_fill) + 1):
            cell = page.cell(line, column)
            cell.fill, cell.protection = yellow, Protection(locked=False)
    last = len(plan.rows) + 1
    for column, (name, field) in enumerate(form.items(), start=len(given) + 1):
        if plan.rows and (check := _validation(name, field)) is not None:
            check.add(f"{get_column_letter(column)}2:{get_column_letter(column)}{last}")
            page.add_data_validation(check)
    page.freeze_panes = "B2"
    page.protection.sheet = True  # without a password: it keeps fingers off, not people
    page.protection.formatColumns = page.protection.formatRows = False
    _about(book.create_sheet("read me"), plan)
    book.save(path)


def _validation(name: str, field: FormField) -> Any:
    """Return what a spreadsheet checks as a value is typed in, None where nothing can be; `campaign tell` checks all of it."""
    from openpyxl.worksheet.datavalidation import DataValidation

    choices = field.choices or (("yes", "no") if field.type == "bool" else None)
    if choices is not None:
        listed = ",".join(choices)
        # A comma or a quote separates choices there, and a list may be no longer.
        if len(listed) > _LONGEST_LIST or any("," in c or '"' in c or c.startswith(FORMULA) for c in choices):
            return None
        check = DataValidation(type="list", formula1=f'"{listed}"', allow_blank=True)
    elif field.type in ("float", "int"):
        kind = "whole" if field.type == "int" else "decimal"
        low = -1e300 if field.low is None else field.low
        high = 1e300 if field.high is None else field.high
        check = DataValidation(type=kind, operator="between", formula1=f"{low:.15g}", formula2=f"{high:.15g}", allow_blank=True)
        check.errorStyle = "warning"  # `3.2 ± 0.1` and `0.35 um` are read too
    else:
        return None
    check.showErrorMessage = check.showInputMessage = True
    check.errorTitle, check.error = name[:32], f"Expected {field.expected()}"[:255]
    check.promptTitle, check.prompt = name[:32], f"{field.expected()}. {field.description}".strip()[:255]
    return check


def _about(page: Any, plan: Plan) -> None:
    name = plan.definition.name
    page.column_dimensions["A"].width, page.column_dimensions["B"].width = 22, 100
    lines = {
        "campaign": name, "made": _now(),
        "how to fill in": "Fill in the yellow cells: each result in the unit of its heading; '3.2 ± 0.1' gives its standard error.",
        "failed": "Write why into 'failed' where an experiment could not be done; leave its results empty.",
        "not done yet": "Leave the row empty; the same file can be told again later.",
        "other columns": "What you add is kept as notes beside the result.",
        "take it in": f"labwright campaign tell {name} FILE",
    }  # fmt: skip
    for line, (what, text) in enumerate(lines.items(), start=1):
        _text(page.cell(line, 1), what)
        _text(page.cell(line, 2), text)
    page.protection.sheet = True


def _text(cell: Any, text: str) -> Any:
    """Write a text that never becomes a formula, whatever it begins with."""
    cell.value = "".join(c if c >= " " or c in "\t\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
    cell.data_type = "s"
    cell.quotePrefix = text.startswith(FORMULA)
    return cell


def _write_html(path: Path, plan: Plan) -> None:
    """Write a page to be printed and filled in with a pen; what is written there is typed into a CSV or XLSX plan later."""
    given, to_fill, form = _headings(plan)
    hints = [*(field.expected() for field in form.values()), "why", ""]
    head = "".join(f"<th scope='col'>{escape(text)}</th>" for text in given)
    head += "".join(f"<th scope='col'>{escape(t)}<br><small>{escape(h)}</small></th>" for t, h in zip(to_fill, hints, strict=True))
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(_shown(cell))}</td>" for cell in _cells(plan, row)) + "<td class='fill'></td>" * len(to_fill)
        + "</tr>\n"
        for row in plan.rows
    )  # fmt: skip
    name, who = escape(plan.definition.name), f"{escape(_now())} · carried out by: {'_' * 20}"
    about = escape(plan.definition.description) + (" · " if plan.definition.description else "")
    path.write_text(
        f"<!doctype html>\n<html lang='en'><meta charset='utf-8'><title>Plan of {name}</title><style>{_STYLE}</style>\n"
        f"<h1>Plan of {name}</h1><p>{about}{len(plan.rows)} experiments · {who}</p>\n"
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table></html>\n",
        encoding="utf-8",
    )


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _now() -> str:
    return datetime.now(UTC).isoformat(sep=" ", timespec="minutes").replace("+00:00", " UTC")
