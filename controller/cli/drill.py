"""`labwright drill`: rehearse a campaign through hundreds of misfortunes before it is trusted with samples."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.options import Json as JsonOption
from controller.cli.render import console, print_json
from controller.drill import EXPERIMENTS

if TYPE_CHECKING:
    from controller.domain.campaign import Definition
    from controller.drill.rehearsing import Rehearsal

EXIT_BROKEN = 1
_SHOWN = 20


def drill(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A campaign file; the demo's when left out.", show_default=False)
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many schedules of misfortunes.")] = 1000,
    first: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Rehearse this one seed and print what happens, line by line.", show_default=False)
    ] = None,
    experiments: Annotated[int, typer.Option(min=1, max=100, help="Experiments of each rehearsal.")] = EXPERIMENTS,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes at work; by default one for each processor.", show_default=False)
    ] = None,
    json: JsonOption = False,
) -> None:
    """Rehearse a campaign on simulated twins: kills, lost frames, full disks, stops; exit code 1 if an invariant breaks.

    The real engine, store and drivers run in one process on a clock of their own. Every seed is a schedule of misfortunes, and
    the same seed gives the same one again. Nothing is written anywhere but in a temporary folder.
    """
    from controller.drill.rehearsing import prepared
    from controller.files.loading import load_campaign
    from controller.verbs.earlier import earlier_reader
    from controller.verbs.stores import store_urls

    read = load_campaign(file or _demo(), simulate=True, read_campaign=earlier_reader(store_urls(None)))
    definition = prepared(read, experiments)
    if seed is not None:
        first, seeds = seed, 1
    jobs = min(seeds, jobs or os.cpu_count() or 1)
    begin, broken, done, begun, virtual_s = time.monotonic(), [], 0, 0, 0.0
    trace: list[str] = []
    for rehearsal in _shown(definition, range(first, first + seeds), jobs, quiet=json or seed is not None, trace=seed is not None):
        done, begun, virtual_s = done + 1, begun + rehearsal.n_begun, virtual_s + rehearsal.virtual_s
        if rehearsal.broken:
            broken.append(rehearsal)
        if seed is not None:
            trace = rehearsal.trace
    told = {
        "rehearsals": done, "actions": begun, "virtual_hours": virtual_s / 3600.0, "seconds": time.monotonic() - begin,
        "broken": [{"seed": r.seed, "invariants": r.broken} for r in broken],
    }  # fmt: skip
    if json:
        print_json(told if seed is None else {**told, "trace": trace}, one_line=True)
    else:
        print("".join(f"{line}\n" for line in trace), end="")
        _print(told, broken, file, experiments)
    if broken:
        raise typer.Exit(EXIT_BROKEN)


def _demo() -> Path:
    from controller.cli.demo.command import CAMPAIGN

    return CAMPAIGN


def _shown(definition: Definition, seeds: range, jobs: int, *, quiet: bool, trace: bool) -> Iterator[Rehearsal]:
    """Rehearse with a bar that shows how far it is, where somebody looks on."""
    from controller.drill.rehearsing import rehearse_many

    found = rehearse_many(definition, seeds, jobs, trace=trace)
    if quiet or not console().is_terminal:
        yield from found
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("rehearsing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console(), transient=True) as progress:
        task, broken = progress.add_task("", total=len(seeds)), 0
        for rehearsal in found:
            broken += bool(rehearsal.broken)
            progress.update(task, advance=1, description=f"[red]{broken} broken" if broken else "none broken")
            yield rehearsal


def _print(told: dict[str, Any], broken: list[Rehearsal], file: Path | None, experiments: int) -> None:
    for rehearsal in broken[:_SHOWN]:
        for text in rehearsal.broken:
            print(f"seed {rehearsal.seed}: {text}")
    if len(broken) > _SHOWN:
        print(f"… and {len(broken) - _SHOWN} seeds more")
    print(
        f"Rehearsed with {told['rehearsals']} seed{'s' * (told['rehearsals'] != 1)}: {told['actions']} actions, "
        f"{told['virtual_hours']:.1f} hours of virtual time in {told['seconds']:.0f} s. "
        f"Seeds with a broken invariant: {len(broken) or 'none'}."
    )
    if broken:
        again = ["labwright", "drill", *([str(file)] if file else []), "--seed", str(broken[0].seed)]
        again += ["--experiments", str(experiments)] if experiments != EXPERIMENTS else []
        print(f"What happened, line by line: {shlex.join(again)}")
