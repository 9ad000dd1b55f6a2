"""A store, looked into from a notebook, while a controller writes it or none runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from controller.errors import ConflictError
from controller.notebook.view import CampaignView, Listing, listing
from controller.verbs.sheets import Sheet
from controller.verbs.stores import Found, find, readers, show_url, store_urls

if TYPE_CHECKING:
    from controller.figures.figure import Figure

T = TypeVar("T")


class Store:
    """The campaigns of a store; nothing is changed by looking, and nothing needs to be closed.

    Args:
        url: A SQLite file or `postgresql://…`; both of the user's own stores, real and simulated, where nothing is said.

    Raises:
        StoreError: If it is no store's address, or, when something is asked, it cannot be read.
    """

    def __init__(self, url: str | Path | None = None) -> None:
        self._urls = store_urls(None if url is None else str(url))

    def campaigns(self) -> Listing:
        """Return the campaigns, newest first."""
        from controller.verbs.campaigns import list_campaigns

        with readers(self._urls) as opened:
            return listing(list_campaigns(opened))

    def campaign(self, name: str) -> StoredCampaign:
        """Return a campaign by name or id.

        Raises:
            UnknownNameError: If there is none; the message names those that come close.
            ConflictError: If two stores have one of that name.
        """
        with find(self._urls, name) as found:
            return StoredCampaign(found.name, found.url, found.id)

    def __getitem__(self, name: str) -> StoredCampaign:
        return self.campaign(name)

    def __iter__(self) -> Iterator[StoredCampaign]:
        return (StoredCampaign(row["campaign"], url, row["id"]) for row in self.campaigns() for url in [self._url_of(row)])

    def __len__(self) -> int:
        return len(self.campaigns())

    def _url_of(self, row: dict[str, Any]) -> str:
        return next(url for url in self._urls if show_url(url) == row["store"])

    def __repr__(self) -> str:
        return f"Store({', '.join(show_url(url) for url in self._urls)})"

    def _repr_html_(self) -> str:
        return self.campaigns()._repr_html_()


class StoredCampaign(CampaignView):
    """A campaign in a store; see `CampaignView` for what it can be asked."""

    def __init__(self, name: str, url: str, key: str) -> None:
        super().__init__(name)
        self._url, self._key = url, key

    def _look(self, call: Callable[[Found], T]) -> T:
        with find([self._url], self._key) as found:
            return call(found)

    def show(self) -> dict[str, Any]:
        """Return where it stands: status, counts, what is spent, the best, alarms, definition."""
        from controller.verbs.campaigns import look_at

        return self._look(lambda found: look_at(found).told())

    def experiments(self) -> list[dict[str, Any]]:
        """Return every experiment by number: settings, results, status, when."""
        return self._look(lambda found: found.reader.experiments(found.id))

    def experiment(self, number: int | str) -> dict[str, Any]:
        """Return one experiment with its proposal, attempts and measurements. Raises `UnknownNameError`."""
        from controller.verbs.experiments import show_experiment

        return self._look(lambda found: show_experiment(found, str(number)))

    def sheet(self, table: str = "experiments") -> Sheet:
        """Return `experiments`, `measurements` or `events` as a table with units."""
        from controller.verbs.export import sheet_of

        return self._look(lambda found: sheet_of(found, table))

    def plot(self, kind: str = "progress", *, parameter: str | None = None, through: int | None = None) -> Figure:
        """Return a figure; see `CampaignView.plot`."""
        from controller.verbs.plotting import figure

        which, held = (parameter,) if parameter else (), None if through is None else str(through)
        return self._look(lambda found: figure(found, kind, parameters=which, through=held))

    def export(self, path: str | Path, *, format: str | None = None, table: str = "experiments") -> Path:
        """Write it into a file; see `CampaignView.export`."""
        from controller.verbs.export import export

        target, form = checked_target(path, format)
        self._look(lambda found: export(found, form, target, table))
        return target

    def why(self, number: int | None = None) -> dict[str, Any]:
        """Return why the point of an experiment was proposed."""
        from controller.verbs.reasons import why

        return self._look(lambda found: why(found, None if number is None else str(number)))

    def sensitivity(self) -> dict[str, Any]:
        """Return which parameters matter for what."""
        from controller.verbs.reasons import sensitivity

        return self._look(sensitivity)

    def slice(self, parameter: str, through: int | None = None) -> dict[str, Any]:
        """Return what is expected along a parameter."""
        from controller.verbs.reasons import slice_through

        return self._look(lambda found: slice_through(found, parameter, number=None if through is None else str(through)))

    def forecast(
        self, experiments: int | None = None, *, by: float | None = None, worth: float | None = None
    ) -> dict[str, Any]:
        """Return what further experiments will probably bring."""
        from controller.verbs.foreseeing import forecast

        return self._look(lambda found: forecast(found, experiments, by=by, worth=worth))

    def calibration(self) -> dict[str, Any]:
        """Return what had been predicted of experiments, and what they showed."""
        from controller.verbs.trust import calibration_told

        return self._look(calibration_told)

    def audit(self, *, verify: bool = False, head: str | None = None) -> dict[str, Any]:
        """Return whether the books balance."""
        from controller.verbs.campaigns import audit_campaign, audit_told

        return self._look(lambda found: audit_told(audit_campaign(found, verify=verify, head=head)))


def checked_target(path: str | Path, format: str | None) -> tuple[Path, str]:
    """Return a file, and the format that it is to have. Raises `ConflictError` where its name does not say."""
    from controller.verbs.export import FORMATS, format_of

    target = Path(path)
    form = format or format_of(target)
    if form is None:
        endings = ", ".join(f.ending for f in FORMATS.values())
        raise ConflictError(f"{target}: its ending says no format; expected {endings}, or format=")
    return target, form
