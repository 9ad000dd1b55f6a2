"""`labwright run`: carry a campaign out here and now, with everything it needs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.options import Device, DeviceOption, Store
from controller.cli.options import Json as JsonOption
from controller.cli.render import console, print_json
from controller.verbs.stores import show_url, store_urls

if TYPE_CHECKING:
    from controller.domain.campaign import Definition
    from controller.engine.snapshot import Snapshot

EXIT_BY_STATUS = {"completed": 0, "failed": 1}
"""Exit code by the status a campaign is left in; any other is 3: not completed, and nothing is lost."""


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A campaign file.", show_default=False)],
    store: Store = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Overrides the file's seed.", show_default=False)] = None,
    device: DeviceOption = Device.AUTO,
    simulate: Annotated[bool, typer.Option("--simulate", help="Use the simulated twin of every instrument.")] = False,
    speed: Annotated[
        float | None,
        typer.Option(min=0.001, help="Lab seconds per real second; simulated labs only.", show_default=False),
    ] = None,
    grace: Annotated[float, typer.Option(min=0, help="Seconds that what runs may take to finish after Ctrl-C.")] = 30.0,
    notify: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Tell people, as this file says; by default notify.yaml beside the store.",
                     show_default=False),
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of a live display.")] = False,
    json: JsonOption = False,
) -> None:
    """Carry a campaign out, or go on where it was; exit code 0 when it is completed, 3 when it was interrupted."""
    from controller.files.loading import load_campaign
    from controller.verbs.earlier import earlier_reader
    from controller.verbs.notifications import rules_for_run

    earlier = earlier_reader(store_urls(store))
    definition = load_campaign(file, seed=seed, simulate=simulate, speed=speed, read_campaign=earlier)
    url = store_for(definition, store)
    rules = rules_for_run(notify, url)
    snapshot = carry_out(definition, url, device=device, grace_s=grace, plain=plain, as_json=json, notify=rules)
    if json:
        print_json(summary(snapshot, url), one_line=True)
    else:
        print_end(definition, snapshot, url, file)
    if code := EXIT_BY_STATUS.get(snapshot.status, 3):
        raise typer.Exit(code)


def store_for(definition: Definition, store: str | None) -> str:
    """Return the store a campaign belongs in: the named one, or the user's own for real or for simulated data.

    When the named store holds data of the other kind, a warning says so: the two never share a store unnoticed.
    """
    from controller.settings import normalise_url
    from controller.verbs.campaigns import mixed_data, own_store

    if store is None:
        return own_store(definition)
    url = normalise_url(store)
    if mixed := mixed_data(url, definition.name, simulated=definition.simulated):
        print(f"labwright: {mixed}", file=sys.stderr)
    return url


def carry_out(
    definition: Definition, url: str, *, device: Device, grace_s: float, plain: bool = False, as_json: bool = False,
    notify: Path | None = None,
) -> Snapshot:  # fmt: skip
    """Run a campaign to its end with the display that suits the place: live, lines, or lines on stderr beside JSON."""
    from controller.daemon import RunOptions, run_campaign

    options = RunOptions(store_url=url, device=device.value, grace_s=grace_s)
    if plain or as_json or not sys.stdout.isatty():
        from controller.cli.lines import LineDisplay

        lines = LineDisplay(definition, show_url(url), sys.stderr if as_json else sys.stdout)
        return run_campaign(definition, options, lines.update, notify)
    from controller.cli.live import LiveDisplay

    with LiveDisplay(definition, show_url(url)) as live:
        return run_campaign(definition, options, live.update, notify)


def summary(snapshot: Snapshot, url: str) -> dict[str, object]:
    """Return what `--json` prints as its last line."""
    return {
        "campaign": snapshot.campaign, "status": snapshot.status, "counts": snapshot.counts, "best": snapshot.best,
        "store": show_url(url), "simulated": snapshot.simulated, "reason": snapshot.reason,
    }  # fmt: skip


def print_end(definition: Definition, snapshot: Snapshot, url: str, file: Path) -> None:
    """Print what was reached, where it is, and how to look at it."""
    from controller.cli.results import best_table, best_title, stand_ins_text
    from controller.store.reading import open_reader

    out = console()
    if snapshot.best:
        plain = definition.model_dump(mode="json")
        title = best_title(plain, len(snapshot.best)) + (" · SIMULATED DATA" if snapshot.simulated else "")
        out.print(best_table(snapshot.best, plain, title=title, width=out.width))
    store = show_url(url)
    reason = f": {snapshot.reason}" if snapshot.reason else ""
    print(f"Campaign {snapshot.campaign} is {snapshot.status}{reason}")
    with open_reader(url) as reader:
        if stood_in := stand_ins_text(reader.experiments(snapshot.campaign)):
            print(f"Note: {stood_in}")
    if snapshot.status not in EXIT_BY_STATUS:
        print(f"Go on with:   labwright run {file} --store {store}")
    if snapshot.counts.get("unknown"):
        print(
            f"Settle what is unknown with: labwright experiment resolve {snapshot.campaign} NUMBER --as … --store {store}"
        )
    print(f"Everything is in {store}")
    print(f"Look at it:   labwright campaign show {snapshot.campaign} --store {store}")
    print(f"              labwright experiment list {snapshot.campaign} --store {store}")
    print(
        f"Take it away: labwright campaign export {snapshot.campaign} --store {store} --output {snapshot.campaign}.csv"
    )
