"""What `labwright campaign import` does: earlier results from a file become experiments of a campaign, or nothing is changed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.errors import ConflictError
from controller.files.faults import Faults, listed
from controller.files.mapping import Mapped, map_table, simulated_rows
from controller.files.results import FORMS, Form, read_table
from controller.verbs.requests import Answer, carry_out
from controller.verbs.stores import Found

if TYPE_CHECKING:
    from controller.domain.campaign import Definition

_PART = 2**20


@dataclass(frozen=True)
class Results:
    """What a file holds for a campaign, checked."""

    file: str
    sha256: str
    form: Form
    mapped: Mapped

    def argument(self, by: str) -> dict[str, Any]:
        """Return it as the controller is asked to enter it."""
        rows = [entry.told() for entry in self.mapped.entries]
        return {"file": self.file, "sha256": self.sha256, "form": self.form, "rows": rows, "by": by}

    def told(self) -> dict[str, Any]:
        """Return what would be imported, as JSON data."""
        mapped = self.mapped
        failed = sum(entry.values is None for entry in mapped.entries)
        return {
            "file": self.file, "sha256": self.sha256, "form": self.form, "results": len(mapped.entries) - failed, "failed": failed,
            "columns": mapped.columns, "left_aside": mapped.aside, "converted": mapped.converted, "unit_not_said": mapped.unsaid,
            "rows_without_result": mapped.without_result, "rows_outside": mapped.outside,
        }  # fmt: skip

    def lines(self) -> list[str]:
        """Return what would be imported, for people."""
        mapped, told = self.mapped, self.told()
        writers = {"labwright": "written by Labwright", "baybe": "as BayBE writes it", "ax": "as Ax writes it"}
        writers["olympus"] = "a dataset of Olympus"
        written = writers.get(self.form, "a table")
        lines = [f"{self.file}: {written}; {told['results']} results" + (f", {told['failed']} failed" if told["failed"] else "")]
        lines.append("columns: " + ", ".join(n if n == h else f"{n} from {h!r}" for n, h in mapped.columns.items()))
        if mapped.converted:
            lines.append("converted: " + ", ".join(f"{n} from {what}" for n, what in mapped.converted.items()))
        if mapped.unsaid:
            lines.append(f"no unit is said for {listed(mapped.unsaid)}: the campaign's is taken")
        if mapped.aside:
            lines.append(f"left aside: {listed(mapped.aside)}")
        if mapped.without_result:
            lines.append(f"{len(mapped.without_result)} rows hold no result: {listed(mapped.without_result)}")
        if mapped.outside:
            lines.append(f"{len(mapped.outside)} rows lie outside the campaign and are left out: {listed(mapped.outside)}")
        return lines


def read_results(
    path: Path, definition: Definition, *, form: str | None = None, sheet: str | None = None,
    named: Mapping[str, str] | None = None, converting: bool = False, leaving_out: bool = False,
) -> Results:  # fmt: skip
    """Read what a file holds for a campaign; nothing is changed.

    Args:
        path: CSV, Parquet or XLSX.
        definition: Of the campaign.
        form: Who wrote it, one of `FORMS`; found out where nothing is said.
        sheet: Of a spreadsheet.
        named: Parameter or objective -> heading of its column, where that has another name.
        converting: Convert units that differ from the campaign's.
        leaving_out: Leave rows out whose setting the campaign does not allow.

    Raises:
        FileFaultsError: If something in it is wrong; lists everything that is, each with row and column.
        ConflictError: If it cannot be read at all, the campaign can take nothing in, or simulated data would mix with real.
        MissingExtraError: If its format needs a package that is not installed.
    """
    from controller.engine.importing import objection

    if form is not None and form not in FORMS:
        raise ConflictError(f"there is no form {form!r}; expected one of {', '.join(FORMS)}")
    if why := objection(definition):
        raise ConflictError(f"campaign {definition.name}: {why}")
    faults = Faults()
    table = read_table(path, faults, form=form, sheet=sheet)  # type: ignore[arg-type]  # checked above
    faults.raise_if_any()
    assert table is not None  # noqa: S101 - without a fault there is one
    if simulated_rows(table) and not definition.simulated:
        remedy = "learn from them as from another campaign, with earlier: in the campaign file"
        raise ConflictError(f"{path} holds SIMULATED data and {definition.name} is real: the two never mix; {remedy}")
    mapped = map_table(table, definition.problem, faults, named=named, converting=converting, leaving_out=leaving_out)
    faults.raise_if_any()
    return Results(path.name, _digest(path), table.form, mapped)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while part := stream.read(_PART):
            digest.update(part)
    return digest.hexdigest()


def import_results(found: Found, results: Results, *, by: str, timeout_s: float) -> Answer:
    """Have results entered into the books of a campaign, by its controller or, where none is at work, here.

    Args:
        found: The campaign.
        results: As `read_results` gives them.
        by: Who asks.
        timeout_s: Patience with the controller [s].

    Raises:
        ConflictError: If the file was imported before, or something in it is not what the campaign allows.
    """
    from controller.engine.importing import import_events, imported_text

    argument = results.argument(by)
    return carry_out(
        found, "import", argument,
        here=lambda state, definition, at: import_events(state, definition, argument, at),
        text=imported_text(argument), by=by, timeout_s=timeout_s,
    )  # fmt: skip


def import_into_new(url: str, definition: Definition, results: Results, *, by: str) -> Answer:
    """Enter a campaign that the store does not hold yet, paused, and its earlier results with it.

    Args:
        url: The store.
        definition: Of the campaign.
        results: As `read_results` gives them.
        by: Who asks.

    Raises:
        ConflictError: If the store has got a campaign of that name meanwhile.
        CampaignLockedError: If a controller begins it at this moment.
    """
    from controller.domain.state import fold
    from controller.engine.importing import import_events, imported_text
    from controller.verbs.entering import begun, enter

    argument, at = results.argument(by), time.time()
    why = "earlier results were imported; it begins with labwright run FILE, or campaign start FILE"
    events = begun(definition, why, at)
    enter(url, definition, [*events, *import_events(fold(events), definition, argument, at)], "import into it by its name")
    return Answer(f"{imported_text(argument)}; {why}")
