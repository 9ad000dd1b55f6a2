"""A daemon, looked at and steered over HTTP: the verbs of the command line, from a notebook on any machine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from controller.errors import ConflictError, NothingYetError
from controller.notebook.store import checked_target
from controller.notebook.view import CampaignView, Listing, listing
from controller.notebook.wire import Wire
from controller.verbs.sheets import Sheet, events_sheet, experiments_sheet, measurements_sheet

if TYPE_CHECKING:
    from controller.domain.base import Value
    from controller.figures.figure import Figure

_PAGE = 1000
ENDED = ("completed", "failed")
"""Statuses of a campaign that nothing follows by itself."""


class Client:
    """Speaks with one daemon.

    Args:
        url: Where it serves HTTP, `http://127.0.0.1:8765` or `https://host:port`.
        token: As `labwright tokens new` shows it once; `$LABWRIGHT_TOKEN` where nothing is said, so that it is in no notebook.
        certificate: File with the certificate of the authority that signed the daemon's, where the system does not know it.
        insecure: Allow `http://` to another machine, unencrypted.
        patience_s: For one answer [real s].

    Raises:
        ConflictError: If the address is none, or the token would travel unencrypted.

    Every call raises `AccessError` without a valid token or the role that it needs, `ServerError` if the daemon cannot be reached,
    and otherwise what the command line would raise: `UnknownNameError`, `ConflictError`, `FileFaultsError`, `StoreError` …
    """

    def __init__(
        self, url: str, token: str | None = None, *, certificate: str | Path | None = None, insecure: bool = False,
        patience_s: float = 60.0,
    ) -> None:  # fmt: skip
        self._wire = Wire(url, token, certificate=certificate, insecure=insecure, patience_s=patience_s)

    def whoami(self) -> dict[str, Any]:
        """Return name and role of the token, and when it expires."""
        return self._wire.get("whoami")

    def campaigns(self) -> Listing:
        """Return the campaigns, newest first."""
        return listing(self._wire.get("campaigns")["campaigns"])

    def campaign(self, name: str) -> RemoteCampaign:
        """Return a campaign by name or id. Raises `UnknownNameError`."""
        return RemoteCampaign(self._wire, str(self._wire.get("campaigns", name)["campaign"]), name)

    def __getitem__(self, name: str) -> RemoteCampaign:
        return self.campaign(name)

    def start(
        self, file: Mapping[str, Any], *, seed: int | None = None, simulate: bool = False, timeout_s: float = 30.0
    ) -> RemoteCampaign:
        """Hand a campaign to the daemon; needs the role `administer`.

        Args:
            file: A campaign file as a mapping, its lab within it; other files by absolute paths on the daemon's machine.
            seed: Used instead of the file's.
            simulate: Use the simulated twin of every instrument.
            timeout_s: Patience with the controller [s].

        Raises:
            FileFaultsError: If the file is wrong; lists everything that is.
        """
        body = {"file": dict(file), "seed": seed, "simulate": simulate}
        told = self._wire.post("campaigns", body={k: v for k, v in body.items() if v is not None}, timeout_s=timeout_s)
        return RemoteCampaign(self._wire, str(told["campaign"]), str(told["campaign"]))

    def instruments(self) -> Listing:
        """Return the instruments with their states."""
        rows = self._wire.get("instruments")["instruments"]
        return Listing(rows, tuple(rows[0]) if rows else ())

    def stop_instruments(self, *names: str, mode: str = "now", timeout_s: float = 5.0) -> dict[str, Any]:
        """Stop instruments at once, past any controller, and hold them until they are resumed; all of them where none is named.

        Args:
            names: Of instruments.
            mode: `now`, or `finish` what runs.
            timeout_s: Patience with each [s].
        """
        which = {"instruments": list(names)} if names else {"all": True}
        return self._wire.post("instruments", "stop", body={**which, "mode": mode, "timeout_s": timeout_s})

    def resume_instruments(self, *names: str, timeout_s: float = 5.0) -> dict[str, Any]:
        """Lift the stop that holds instruments; of all of them where none is named."""
        which = {"instruments": list(names)} if names else {"all": True}
        return self._wire.post("instruments", "resume", body={**which, "timeout_s": timeout_s})

    def close(self) -> None:
        """End the connection; a later call opens another one."""
        self._wire.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._wire.url})"

    def _repr_html_(self) -> str:
        return self.campaigns()._repr_html_()


class RemoteCampaign(CampaignView):
    """A campaign behind HTTP: looked at as any other (see `CampaignView`), and steered.

    What steers returns the controller's answer: `answer` (its words) and `answered`; that is false while no controller has
    answered, and the request stays noted.
    """

    def __init__(self, wire: Wire, name: str, key: str) -> None:
        super().__init__(name)
        self._wire, self._key = wire, key

    def _get(self, *place: str, **query: Any) -> dict[str, Any]:
        return self._wire.get("campaigns", self._key, *place, **query)

    def _post(self, *place: str, body: Mapping[str, Any] | None = None, timeout_s: float = 10.0) -> dict[str, Any]:
        return self._wire.post("campaigns", self._key, *place, body=body, timeout_s=timeout_s)

    # Looking

    def show(self) -> dict[str, Any]:
        """Return where it stands: status, counts, what is spent, the best, alarms, definition."""
        return self._get()

    def experiments(self) -> list[dict[str, Any]]:
        """Return every experiment by number: settings, results, status, when; page by page."""
        rows: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = self._get("experiments", after=after, limit=_PAGE)
            rows += page["experiments"]
            after = page["next"]
        return rows

    def experiment(self, number: int | str) -> dict[str, Any]:
        """Return one experiment with its proposal, attempts and measurements. Raises `UnknownNameError`."""
        return self._get("experiments", str(number))

    def log(self, after: int = 0) -> Iterator[dict[str, Any]]:
        """Yield the events of the log, page by page: `sequence`, `kind`, `at`, `body`.

        Args:
            after: Only those later than this `sequence`.
        """
        while rows := self._get("events", after=after, limit=_PAGE)["events"]:
            yield from rows
            after = rows[-1]["sequence"]

    def follow(self, after: int | None = None, *, every_s: float = 1.0) -> Iterator[dict[str, Any]]:
        """Yield events as they happen, until the campaign has ended.

        Args:
            after: Begin after this `sequence`; with what happens from now on where nothing is said.
            every_s: Pause between two questions [real s].
        """
        if after is None:
            after = max((event["sequence"] for event in self.log()), default=0)
        while True:
            ended = self.status in ENDED  # asked first: what the last events say comes before it
            for event in self.log(after):
                after = event["sequence"]
                yield event
            if ended:
                return
            time.sleep(every_s)

    def wait(
        self, until: Sequence[str] = (*ENDED, "paused"), *, timeout_s: float | None = None, every_s: float = 1.0
    ) -> str:
        """Wait until the campaign stands in one of some statuses, and return which.

        Args:
            until: The statuses.
            timeout_s: Patience [real s]; none ends it where nothing is said.
            every_s: Pause between two questions [real s].

        Raises:
            TimeoutError: If it does not within `timeout_s`.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while (status := self.status) not in until:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"campaign {self.name} is still {status} after {timeout_s:g} s")
            time.sleep(every_s)
        return status

    def sheet(self, table: str = "experiments") -> Sheet:
        """Return `experiments`, `measurements` or `events` as a table with units."""
        told = self.show()
        simulated = bool(told["simulated"])
        if table == "experiments":
            return experiments_sheet(self.name, told["definition"], self.experiments(), simulated=simulated)
        if table == "measurements":
            experiments = self._get("export", format="json")["experiments"]
            attempts = [attempt for row in experiments for attempt in row["attempts_list"]]
            return measurements_sheet(self.name, told["definition"], experiments, attempts, simulated=simulated)
        if table == "events":
            return events_sheet(self.name, self.log(), simulated=simulated)
        raise ConflictError(f"there is no table {table!r}; expected experiments, measurements or events")

    def plot(self, kind: str = "progress", *, parameter: str | None = None, through: int | None = None) -> Figure:
        """Return a figure; see `CampaignView.plot`."""
        from controller.figures.figure import Figure

        drawn = Figure.model_validate(self._get("figures", kind, parameter=parameter, through=through))
        if not drawn.panels:
            raise NothingYetError(f"{kind}: {drawn.summary}")
        return drawn

    def export(self, path: str | Path, *, format: str | None = None, table: str = "experiments") -> Path:
        """Write it into a file here; see `CampaignView.export`."""
        target, form = checked_target(path, format)
        self._wire.fetch(target, "campaigns", self._key, "export", format=form, table=table)
        return target

    def why(self, number: int | None = None) -> dict[str, Any]:
        """Return why the point of an experiment was proposed."""
        return self._get("why") if number is None else self._get("experiments", str(number), "why")

    def sensitivity(self) -> dict[str, Any]:
        """Return which parameters matter for what."""
        return self._get("sensitivity")

    def slice(self, parameter: str, through: int | None = None) -> dict[str, Any]:
        """Return what is expected along a parameter."""
        return self._get("slices", parameter, through=through)

    def forecast(
        self, experiments: int | None = None, *, by: float | None = None, worth: float | None = None
    ) -> dict[str, Any]:
        """Return what further experiments will probably bring."""
        return self._get("forecast", experiments=experiments, by=by, worth=worth)

    def calibration(self) -> dict[str, Any]:
        """Return what had been predicted of experiments, and what they showed."""
        return self._get("calibration")

    def audit(self, *, verify: bool = False, head: str | None = None) -> dict[str, Any]:
        """Return whether the books balance."""
        return self._get("audit", verify=verify, head=head)

    # Steering: the role `operate`

    def pause(self, *, timeout_s: float = 10.0) -> dict[str, Any]:
        """Begin nothing new; what runs is finished."""
        return self._post("pause", timeout_s=timeout_s)

    def resume(self, *, timeout_s: float = 10.0) -> dict[str, Any]:
        """Go on with a paused campaign."""
        return self._post("resume", timeout_s=timeout_s)

    def stop(self, *, timeout_s: float = 10.0) -> dict[str, Any]:
        """Finish what runs, then end the campaign."""
        return self._post("stop", timeout_s=timeout_s)

    def abort(self, *, timeout_s: float = 10.0) -> dict[str, Any]:
        """End the campaign now; actions that run are cancelled."""
        return self._post("abort", timeout_s=timeout_s)

    def tell_context(self, values: Mapping[str, Value], *, timeout_s: float = 10.0) -> dict[str, Any]:
        """Tell what the context is now."""
        return self._post("context", body={"values": dict(values)}, timeout_s=timeout_s)

    def retract(self, number: int, reason: str, *, undo: bool = False, timeout_s: float = 10.0) -> dict[str, Any]:
        """Take a wrong result out of what the model learns from, or back in; `rested_on` lists the proposals that rested on it."""
        return self._post("experiments", str(number), "retract", body={"reason": reason, "undo": undo}, timeout_s=timeout_s)

    def resolve(
        self, number: int, status: str, values: Mapping[str, float] | None = None, *, reason: str = "", timeout_s: float = 10.0
    ) -> dict[str, Any]:
        """Say what became of an unknown experiment: `completed` with a value for each objective, `failed` or `abandoned`."""
        body = {"status": status, "values": dict(values or {}), "reason": reason}
        return self._post("experiments", str(number), "resolve", body=body, timeout_s=timeout_s)

    def retry(self, number: int, *, timeout_s: float = 10.0) -> dict[str, Any]:
        """Queue a failed experiment again."""
        return self._post("experiments", str(number), "retry", timeout_s=timeout_s)

    def abandon(self, number: int, *, timeout_s: float = 10.0) -> dict[str, Any]:
        """Give a failed experiment up for good."""
        return self._post("experiments", str(number), "abandon", timeout_s=timeout_s)
