"""`labwright experiment`: look at experiments, and settle what no machine can."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from controller.cli.completing import experiment_numbers
from controller.cli.options import CampaignName, Json, Store, Timeout
from controller.cli.raw_files import files
from controller.cli.render import Column, console, mark, print_json, print_rows, report
from controller.verbs.stores import find, find_experiment, show_url, store_urls

app = typer.Typer()
app.command()(files)

Number = Annotated[
    str,
    typer.Argument(metavar="NUMBER", help="Number or id of an experiment.", show_default=False, autocompletion=experiment_numbers),
]


class Status(StrEnum):
    """Statuses of experiments, as in `domain.experiment` (which is too heavy to import here)."""

    PROPOSED = "proposed"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    ABANDONED = "abandoned"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What a person may say became of an unknown experiment."""

    COMPLETED = "completed"
    FAILED = "failed"
    ABANDONED = "abandoned"


@app.command("list")
def list_experiments(
    campaign: CampaignName,
    store: Store = None,
    status: Annotated[
        Status | None, typer.Option("--status", help="Only those that stand there.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """List the experiments of a campaign."""
    from controller.cli.results import NARROW, flat, objective_columns, setting_columns

    with find(store_urls(store), campaign) as found:
        rows = found.reader.experiments(found.id, status=status.value if status else None)
        definition = found.reader.definition(found.id)
    if json:
        print_json(rows)
        return
    columns = [
        Column("number", "experiment"),
        Column("status"),
        *objective_columns(definition),
        *setting_columns(definition, width=console().width - 2 * NARROW),
        Column("attempts"),
        Column("source"),
        Column("completed_at", "ended"),
        Column("reason"),
        *([Column("retracted_reason", "retracted")] if any(row["retracted_at"] for row in rows) else []),
        Column("data"),
    ]
    print_rows(
        [{**flat(row, definition), "data": mark(row["simulated"])} for row in rows], columns, as_json=False,
        title=f"Experiments of {found.name}{' · SIMULATED DATA' if found.simulated else ''}", empty="No experiments.",
    )  # fmt: skip


@app.command()
def show(campaign: CampaignName, number: Number, store: Store = None, json: Json = False) -> None:
    """Show an experiment: why it was proposed, what was done and measured, what went wrong, and all that happened."""
    from controller.cli.one_experiment import print_experiment
    from controller.verbs.experiments import experiment_told, show_experiment

    with find(store_urls(store), campaign) as found:
        experiment = show_experiment(found, number)
        definition = found.reader.definition(found.id)
    if json:
        print_json(experiment_told(experiment))
        return
    print_experiment(experiment, definition, campaign=found.name, store=show_url(found.url))


@app.command()
def resolve(
    campaign: CampaignName,
    number: Number,
    verdict: Annotated[Verdict | None, typer.Option("--as", help="What became of it.", show_default=False)] = None,
    value: Annotated[
        list[str] | None,
        typer.Option(metavar="OBJECTIVE=NUMBER", help="Its result, one per objective.", show_default=False),
    ] = None,
    reason: Annotated[str, typer.Option(help="How it is known.")] = "",
    explain: Annotated[
        bool, typer.Option("--explain", help="Change nothing; show what is known and what each answer means.")
    ] = False,
    store: Store = None,
    timeout: Timeout = 10.0,
    json: Json = False,
) -> None:
    """Say what became of an experiment whose status is unknown; without --as, show what is known of it."""
    from controller.verbs.experiments import resolve as carry_out
    from controller.verbs.requests import who

    if explain or verdict is None:
        _explain(campaign, number, store, as_json=json, asked=explain)
        return
    values = _values(value or [])
    with find(store_urls(store), campaign) as found:
        answer = carry_out(
            found, number, status=verdict.value, values=values, reason=reason, by=who(), timeout_s=timeout
        )
    report(found.name, found.url, answer, as_json=json)


@app.command()
def retry(
    campaign: CampaignName, number: Number, store: Store = None, timeout: Timeout = 10.0, json: Json = False
) -> None:
    """Queue a failed experiment again."""
    _steer("retry", campaign, number, store, timeout, json)


@app.command()
def abandon(
    campaign: CampaignName, number: Number, store: Store = None, timeout: Timeout = 10.0, json: Json = False
) -> None:
    """Give a failed experiment up for good."""
    _steer("abandon", campaign, number, store, timeout, json)


def _steer(verb: str, campaign: str, number: str, store: str | None, timeout_s: float, as_json: bool) -> None:
    from controller.verbs.experiments import steer_experiment
    from controller.verbs.requests import who

    with find(store_urls(store), campaign) as found:
        answer = steer_experiment(found, verb, number, by=who(), timeout_s=timeout_s)
    report(found.name, found.url, answer, as_json=as_json)


def _explain(campaign: str, number: str, store: str | None, *, as_json: bool, asked: bool) -> None:
    """Show what is known of an experiment; where nobody asked for that, say that an answer is missing."""
    from controller.cli.explaining import print_explanation
    from controller.verbs.explaining import explain
    from controller.verbs.requests import who

    with find(store_urls(store), campaign) as found:
        experiment, definition = find_experiment(found, number), found.reader.definition(found.id)
        told = explain(found, experiment, definition, by=who())
    if as_json and asked:
        print_json(told)
    elif not as_json:
        print_explanation(told)
    if not asked:
        raise typer.BadParameter("say what became of it: completed, failed or abandoned", param_hint="--as")


def _values(texts: list[str]) -> dict[str, float]:
    import math

    values: dict[str, float] = {}
    for text in texts:
        name, sign, number = text.rpartition("=")
        try:
            values[name] = float(number)
        except ValueError:
            sign = ""
        if sign and not math.isfinite(values[name]):
            raise typer.BadParameter(f"{text!r}: a result must be a finite number", param_hint="--value")
        if not sign or not name:
            raise typer.BadParameter(f"{text!r} is not OBJECTIVE=NUMBER, for example yield=71.5", param_hint="--value")
    return values
