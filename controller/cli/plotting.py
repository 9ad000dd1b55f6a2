"""`labwright campaign plot` and `compare`: pictures, in the terminal or in files."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.options import CampaignName, Device, DeviceOption, Json, Store
from controller.cli.render import Column, console, followed, mark, print_json, print_rows
from controller.verbs.stores import Found, find, store_urls

if TYPE_CHECKING:
    from controller.figures.comparison import Entry
    from controller.figures.figure import Figure

PIPED = 100
"""Columns of a picture that goes into a file or a pipe."""

Output = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", metavar="FILE", show_default=False,
        help="A .png, .svg or .html file, or a folder (with a / at its end) for one PNG each; by default to the screen.",
    ),
]  # fmt: skip
Open = Annotated[
    bool, typer.Option("--open", help="Show the file when it is written; without --output a page in a temporary folder.")
]


def plot(
    campaign: CampaignName,
    kinds: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KIND]…", show_default=False,
            help="progress, front, parallel, slices, sensitivity, calibration or timeline; by default progress on the screen, and "
            "all into a file.",
        ),
    ] = None,
    output: Output = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="Of slices: along which; again for more.", show_default=False)
    ] = None,
    through: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Of slices: through which experiment; else the best.", show_default=False)
    ] = None,
    width: Annotated[int | None, typer.Option(min=20, max=1000, help="Columns on the screen.", show_default=False)] = None,
    open_it: Open = False,
    store: Store = None,
    device: DeviceOption = Device.CPU,
    json: Json = False,
) -> None:
    """Draw a campaign: progress, front, settings and results, slices, sensitivity, calibration, what the instruments did."""
    from controller.verbs.plotting import figures

    with find(store_urls(store), campaign) as found:
        place = _place(output, found.name, open_it=open_it)
        wanted = list(dict.fromkeys(kinds or ([] if place is not None else ["progress"])))
        drawn, refused = figures(
            found, wanted, parameters=parameter or (), through=through, device=device.value,
            follow=lambda some: followed(some, len(some), "drawing", quiet=json),
        )  # fmt: skip
        name = found.name
    if json:
        print_json({"campaign": name, "figures": [figure.model_dump(mode="json") for figure in drawn]})
        return
    for reason in refused:
        print(f"labwright: left out: {reason}", file=sys.stderr)
    if place is not None:
        _write(drawn, place, name, open_it=open_it)
        return
    for figure in drawn:
        _print(figure, width)
        print()
    if not kinds:
        print(f"Other figures: labwright campaign plot {name} KIND, and all of them: --output {name}.html")


def compare(
    campaigns: Annotated[list[str], typer.Argument(metavar="CAMPAIGN…", help="Names or ids of campaigns.", show_default=False)],
    output: Output = None,
    open_it: Open = False,
    store: Store = None,
    json: Json = False,
) -> None:
    """Compare campaigns that want the same: the best of each, how soon it came, cost, and whether predictions held."""
    from controller.errors import ConflictError
    from controller.verbs.plotting import compare as compared
    from controller.verbs.plotting import comparison_told

    place = _place(output, "comparison", open_it=open_it)
    with ExitStack() as stack:
        opened: list[Found] = [stack.enter_context(find(store_urls(store), name)) for name in dict.fromkeys(campaigns)]
        if len(opened) < 2:
            raise ConflictError("compare: name at least two campaigns")
        comparison = compared(opened)
    if json:
        print_json(comparison_told(comparison))
        return
    columns = [
        Column("campaign"), Column("status"), Column("experiments"), Column("results"), Column("best"), Column("to", "to 90 % [1]"),
        Column("cost"), Column("coverage", "inside 90 %"), Column("data"),
    ]  # fmt: skip
    rows = [_row(entry, comparison.measure) for entry in comparison.entries]
    print_rows(rows, columns, as_json=False, title=f"By {comparison.measure}")
    if comparison.threshold is not None:
        print(textwrap.fill(f"[1] {comparison.way}: {comparison.threshold:.5g}.", console().width))
    if place is not None:
        _write([comparison.figure], place, "comparison", open_it=open_it)
        return
    print()
    _print(comparison.figure, None)


def _row(entry: Entry, measure: str) -> dict[str, Any]:
    best = entry.best or ({measure: entry.reached} if entry.reached is not None else None)
    coverage = {n: f"{c['inside_90']} of {c['results']}" for n, c in entry.coverage.items() if c["results"]}
    return {
        "campaign": entry.campaign, "status": entry.status, "experiments": entry.experiments, "results": entry.results,
        "best": best or "none yet", "to": entry.to_share if entry.to_share is not None else "never", "cost": entry.cost,
        "coverage": coverage, "data": mark(entry.simulated),
    }  # fmt: skip


def _place(output: str | None, name: str, *, open_it: bool) -> tuple[Path, bool] | None:
    """Return where figures go, and whether that is a folder; where one is to be opened and none was named, a page.

    Raises:
        UnknownNameError: If it is a file that is not written.
    """
    from controller.figures.saving import ending_of

    if output is None:
        if not open_it:
            return None
        import tempfile

        return Path(tempfile.mkdtemp(prefix="labwright-")) / f"{name}.html", False
    folder = output.endswith("/") or Path(output).is_dir()
    if not folder:
        ending_of(Path(output))
    return Path(output), folder


def _write(figures: Sequence[Figure], place: tuple[Path, bool], name: str, *, open_it: bool) -> None:
    """Write one file, or one for each figure into a folder, and say where."""
    from controller.errors import UnknownNameError
    from controller.figures.saving import save

    output, folder = place
    if folder:
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnknownNameError(f"{output} cannot be made: {error.strerror}; name another folder") from error
        written = [save([figure], output / f"{name}-{figure.kind}.png") for figure in figures]
    else:
        written = [save(figures, output)]
    for path in written:
        console(error=True).print(f"written to {path}", markup=False)
    if open_it:
        typer.launch(str(written[0]))


def _print(figure: Figure, width: int | None) -> None:
    """Print a figure as wide as the screen is; as a table where the screen has no letters but ASCII."""
    from controller.figures.draw_terminal import table_lines, text

    out = sys.stdout
    columns = width or (shutil.get_terminal_size().columns if out.isatty() else PIPED)
    if not (out.encoding or "").lower().startswith("utf"):
        print("\n".join([figure.title, figure.subtitle, *table_lines(figure.table, columns), figure.summary]))
        return
    print(text(figure, columns, colour=out.isatty() and "NO_COLOR" not in os.environ))
