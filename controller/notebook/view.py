"""What one can look at of a campaign, wherever it is: the same calls for one in a store and for one behind HTTP."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.verbs.frames import Library, Units, frame
from controller.verbs.markup import campaign_html
from controller.verbs.sheets import Sheet

if TYPE_CHECKING:
    from controller.figures.figure import Figure


class CampaignView(ABC):
    """A campaign that one looks at; each call asks anew, so what it returns is of now.

    Attributes:
        name: The campaign's.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def show(self) -> dict[str, Any]:
        """Return where it stands: status, counts, what is spent, the best, alarms, definition."""

    @abstractmethod
    def experiments(self) -> list[dict[str, Any]]:
        """Return every experiment by number: settings, results, status, when."""

    @abstractmethod
    def experiment(self, number: int | str) -> dict[str, Any]:
        """Return one experiment with its proposal, attempts and measurements. Raises `UnknownNameError`."""

    @abstractmethod
    def sheet(self, table: str = "experiments") -> Sheet:
        """Return `experiments`, `measurements` or `events` as a table with units."""

    @abstractmethod
    def plot(self, kind: str = "progress", *, parameter: str | None = None, through: int | None = None) -> Figure:
        """Return a figure, which a notebook shows; `.save("a.png")` keeps it.

        Args:
            kind: `progress`, `front`, `parallel`, `slices`, `calibration`, `sensitivity` or `timeline`; `slices` and
                `sensitivity` ask the model, which takes seconds.
            parameter: Of `slices`: along which; all where nothing is said.
            through: Of `slices`: the experiment whose setting is held; the best where nothing is said.

        Raises:
            UnknownNameError: If there is no such figure, parameter or experiment; the message names those there are.
            ConflictError: If there is nothing yet that it could show.
        """

    @abstractmethod
    def export(self, path: str | Path, *, format: str | None = None, table: str = "experiments") -> Path:
        """Write it into a file, whole or not at all.

        Args:
            path: The file; its ending says the format: `.csv`, `.json`, `.parquet`, `.xlsx`, or `.zip` for an evidence bundle.
            format: Said in place of the ending.
            table: Which table, for CSV and Parquet.
        """

    @abstractmethod
    def why(self, number: int | None = None) -> dict[str, Any]:
        """Return why the point of an experiment was proposed; by default of the newest of the model. Takes seconds."""

    @abstractmethod
    def sensitivity(self) -> dict[str, Any]:
        """Return which parameters matter for what. Takes seconds."""

    @abstractmethod
    def slice(self, parameter: str, through: int | None = None) -> dict[str, Any]:
        """Return what is expected along a parameter, the setting of experiment `through` held, by default the best's."""

    @abstractmethod
    def forecast(
        self, experiments: int | None = None, *, by: float | None = None, worth: float | None = None
    ) -> dict[str, Any]:
        """Return what further experiments will probably bring. Takes seconds.

        Args:
            experiments: How many; those left of the budget by default.
            by: An improvement whose probability is wanted too.
            worth: What one experiment must bring at least; says when to stop.
        """

    @abstractmethod
    def calibration(self) -> dict[str, Any]:
        """Return what had been predicted of experiments, what they showed, and whether the model deserves trust."""

    @abstractmethod
    def audit(self, *, verify: bool = False, head: str | None = None) -> dict[str, Any]:
        """Return whether the books balance: `balanced`, `differences`; `verify` walks the hash chain, `head` must be in it."""

    @property
    def status(self) -> str:
        """Where it stands: `running`, `paused`, `completed` and so on."""
        return str(self.show()["status"])

    @property
    def simulated(self) -> bool:
        """Whether no real instrument takes part."""
        return bool(self.show()["simulated"])

    @property
    def definition(self) -> dict[str, Any]:
        """What is searched, wanted and allowed, and where."""
        return dict(self.show()["definition"])

    def best(self) -> list[dict[str, Any]]:
        """Return the best experiment, or the Pareto front: `experiment`, `parameters`, `objectives`."""
        return list(self.show()["best"])

    def alarms(self) -> list[dict[str, Any]]:
        """Return its alarms, oldest first."""
        return list(self.show()["alarms"])

    def frame(self, library: Library = "pandas", *, units: Units = "attrs") -> Any:
        """Return its experiments as a frame, a row each.

        Args:
            library: `pandas` or `polars`.
            units: `attrs` keeps plain names, and units in `frame.attrs["units"]` (pandas); `names` writes `temperature [degC]`.

        Raises:
            MissingExtraError: If the library is not installed.
        """
        return frame(self.sheet("experiments"), library, units=units)

    def measurements(self, library: Library = "pandas") -> Any:
        """Return what was measured as a frame, a row for each value, with unit, step and instrument; see `frame`."""
        return frame(self.sheet("measurements"), library)

    def events(self, library: Library = "pandas") -> Any:
        """Return the log as a frame, a row for each event; see `frame`."""
        return frame(self.sheet("events"), library)

    def __repr__(self) -> str:
        told = self.show()
        simulated = ", SIMULATED" if told["simulated"] else ""
        done = told["counts"].get("completed", 0)
        return f"<campaign {self.name}: {told['status']}, {done} experiments completed{simulated}>"

    def _repr_html_(self) -> str:
        return campaign_html(self.show())


class Listing(Sequence[dict[str, Any]]):
    """Rows that a notebook shows as a table."""

    def __init__(self, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
        self._rows, self._columns = list(rows), tuple(columns)

    def __getitem__(self, index: Any) -> Any:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return "\n".join(", ".join(f"{c} {row.get(c)}" for c in self._columns) for row in self._rows) or "nothing yet"

    def _repr_html_(self) -> str:
        from controller.verbs.markup import table_html

        return table_html(self._rows, self._columns) if self._rows else "<p>nothing yet</p>"


LISTED = ("campaign", "status", "data", "completed", "spent", "budget_experiments", "updated_at", "store")
"""Columns of a list of campaigns."""


def listing(rows: Sequence[dict[str, Any]]) -> Listing:
    """Return campaigns as `list_campaigns` gives them, for a notebook."""
    data = [
        {**row, "completed": row["counts"]["completed"], "data": "SIMULATED" if row["simulated"] else "real"} for row in rows
    ]
    return Listing(data, LISTED)
