"""`labwright campaign`: start, look at and steer campaigns."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.options import CampaignName, Device, DeviceOption, Json, Store
from controller.cli.render import Column, console, followed, mark, print_facts, print_json, print_rows, report, table
from controller.verbs.stores import find, readers, show_url, store_urls

app = typer.Typer()

Timeout = Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait for the controller's answer.")]


class Format(StrEnum):
    """What an export looks like."""

    CSV = "csv"
    JSON = "json"


@app.command()
def start(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A campaign file.", show_default=False)],
    store: Store = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Overrides the file's seed.", show_default=False)] = None,
    simulate: Annotated[bool, typer.Option("--simulate", help="Use the simulated twin of every instrument.")] = False,
    timeout: Timeout = 30.0,
    json: Json = False,
) -> None:
    """Hand a campaign to the daemon."""
    from controller.cli.run import store_for
    from controller.daemon import daemon_state
    from controller.errors import ConflictError
    from controller.files.loading import load_campaign
    from controller.store.opening import Store as WritingStore
    from controller.verbs.earlier import earlier_reader
    from controller.verbs.requests import ask, who

    definition = load_campaign(file, seed=seed, simulate=simulate, read_campaign=earlier_reader(store_urls(store)))
    url = store_for(definition, store)
    if not daemon_state(url)["running"]:
        raise ConflictError(
            f"no daemon is at work on {show_url(url)}; start one with labwright daemon start --store {show_url(url)}, "
            f"or carry the campaign out here with labwright run {file}"
        )
    with WritingStore.open(url) as writing:
        writing.keep_now(definition)
        answer = ask(
            writing, "start", None, {"definition": definition.model_dump(mode="json", by_alias=True)}, by=who(),
            timeout_s=timeout,
        )  # fmt: skip
    report(definition.name, url, answer, as_json=json)


@app.command("list")
def list_campaigns(store: Store = None, json: Json = False) -> None:
    """List campaigns, newest first."""
    from controller.verbs.campaigns import list_campaigns as listed

    with readers(store_urls(store)) as opened:
        rows = [{**row, "data": mark(row["simulated"])} for row in listed(opened)]
    columns = [
        Column("campaign"), Column("status"), Column("completed"), Column("failed"), Column("unknown"),
        Column("budget_experiments", "budget"), Column("updated_at", "last event"), Column("data"), Column("reason"),
        Column("store"),
    ]  # fmt: skip
    if not json:
        rows = [
            {**row, **row["counts"], "failed": row["counts"]["failed"] + row["counts"]["abandoned"]} for row in rows
        ]
    empty = "No campaigns yet. Begin one with: labwright run FILE, or labwright demo"
    print_rows(rows, columns, as_json=json, title="Campaigns", empty=empty)


@app.command()
def show(campaign: CampaignName, store: Store = None, json: Json = False) -> None:
    """Show where a campaign stands and what it has reached."""
    from controller.cli.results import (
        NARROW,
        best_table,
        best_title,
        cost_text,
        flat,
        goals_text,
        retracted_text,
        setting_columns,
        stand_ins_text,
    )
    from controller.cli.trust import trust_text
    from controller.verbs.campaigns import look_at

    with find(store_urls(store), campaign) as found:
        view = look_at(found)
    row, counts = found.campaign, found.campaign["counts"]
    definition, experiments, alarms, best = view.definition, view.experiments, view.alarms, view.best
    under_way = [e for e in experiments if e["status"] in ("running", "queued", "unknown")]
    if json:
        print_json(view.told())
        return
    print_facts(
        {
            "status": row["status"], "reason": row["reason"], "data": "SIMULATED" if found.simulated else "real",
            "wanted": goals_text(definition), "experiments": {k: v for k, v in counts.items() if v} or "none yet",
            "intervals": trust_text(view.calibration),
            "stood in": stand_ins_text(experiments), "retracted": retracted_text(experiments), "budget": row["budget_experiments"],
            "cost": cost_text(definition, view.cost), "noted": view.noted,
            "lab": definition["lab"]["lab"], "seed": row["seed"],
            "created": row["created_at"], "last event": row["updated_at"], "id": found.id, "store": show_url(found.url),
        },
        title=f"Campaign {found.name}",
    )  # fmt: skip
    out = console()
    if best:
        title = f"\n{best_title(definition, len(best))}"
        out.print(best_table(best, definition, title=title, width=out.width))
    if under_way:
        columns = [
            Column("number", "experiment"),
            Column("status"),
            *setting_columns(definition, width=out.width - NARROW),
        ]
        out.print(table([flat(e) for e in under_way], columns, title="Under way"))
    if alarms:
        print_rows(
            alarms[-10:],
            [Column("at", "when"), Column("code"), Column("message")],
            as_json=False,
            title="Latest alarms",
        )


@app.command()
def pause(campaign: CampaignName, store: Store = None, timeout: Timeout = 10.0, json: Json = False) -> None:
    """Begin nothing new; what runs is finished."""
    _steer("pause", campaign, store, timeout, json)


@app.command()
def resume(campaign: CampaignName, store: Store = None, timeout: Timeout = 10.0, json: Json = False) -> None:
    """Go on with a paused campaign."""
    _steer("resume", campaign, store, timeout, json)


@app.command()
def stop(campaign: CampaignName, store: Store = None, timeout: Timeout = 10.0, json: Json = False) -> None:
    """Finish what runs, then end the campaign."""
    _steer("stop", campaign, store, timeout, json)


@app.command()
def abort(campaign: CampaignName, store: Store = None, timeout: Timeout = 10.0, json: Json = False) -> None:
    """End the campaign now; actions that run are cancelled."""
    _steer("abort", campaign, store, timeout, json)


@app.command()
def retract(
    campaign: CampaignName,
    number: Annotated[
        str, typer.Argument(metavar="EXPERIMENT", help="Number or id of a completed experiment.", show_default=False)
    ],
    reason: Annotated[str, typer.Option(help="Why its result is wrong; kept beside it.", show_default=False)],
    undo: Annotated[bool, typer.Option("--undo", help="Take an earlier retraction back.")] = False,
    store: Store = None,
    timeout: Timeout = 10.0,
    json: Json = False,
) -> None:
    """Take a wrong result out of what the model learns from; lists the proposals that rested on it."""
    from controller.verbs.campaigns import retract as carry_out
    from controller.verbs.requests import who

    with find(store_urls(store), campaign) as found:
        answer, rested = carry_out(found, number, reason=reason, undo=undo, by=who(), timeout_s=timeout)
    report(found.name, found.url, answer, as_json=json, more={"rested_on": [e["number"] for e in rested]})


@app.command()
def context(
    campaign: CampaignName,
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME=VALUE]…", help="Context variables; without any, shows them.", show_default=False),
    ] = None,
    store: Store = None,
    timeout: Timeout = 10.0,
    json: Json = False,
) -> None:
    """Tell what is given, not chosen: `campaign context NAME humidity=43`. What is proposed from now on is for this context."""
    from controller.errors import ConflictError
    from controller.verbs.campaigns import tell_context
    from controller.verbs.requests import who

    told: dict[str, str] = {}
    for text in values or []:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise ConflictError(f"{text!r} is no NAME=VALUE; write for example humidity=43")
        told[name.strip()] = value.strip()
    with find(store_urls(store), campaign) as found:
        if not told:
            rows = found.reader.context(found.id)
            if json:
                print_json({"campaign": found.name, "context": rows})
            else:
                lines = [f"{r['name']} = {r['value']}, told {r['at']} by {r['by'] or 'somebody'}" for r in rows]
                print("\n".join(lines) or "nothing was told")
            return
        answer = tell_context(found, told, by=who(), timeout_s=timeout)
    report(found.name, found.url, answer, as_json=json)


@app.command()
def audit(
    campaign: CampaignName,
    verify: Annotated[
        bool, typer.Option("--verify", help="Walk the hash chain of the log too, and print its head.")
    ] = False,
    head: Annotated[
        str | None,
        typer.Option(
            metavar="HASH", help="A head written down earlier: the log must still contain it.", show_default=False
        ),
    ] = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Prove that the books balance: fold the log again, compare it with every row and with the drivers' journals.

    Exit code 1 when anything differs.
    """
    from controller.verbs.campaigns import audit_campaign, audit_told

    with find(store_urls(store), campaign) as found:
        outcome = audit_campaign(found, verify=verify, head=head)
    journals, chain = outcome.journals, outcome.verification
    if json:
        print_json(audit_told(outcome))
    else:
        total = sum(outcome.counts.values())
        parts = " + ".join(f"{n} {status}" for status, n in outcome.counts.items() if n) or "none yet"
        lines = [f"{found.name} ({mark(found.simulated)} data): {total} proposed = {parts}"]
        lines += outcome.differences or ["The log and the tables agree: the books balance."]
        if journals is not None and journals.n_compared and not journals.differences:
            lines.append(f"The journals of the drivers agree, for {journals.n_compared} attempts.")
        lines += journals.notes if journals else []
        if chain is not None and not chain.differences:
            lines.append(f"The hash chain holds over {chain.n_events} events; its head, to be written down elsewhere: {chain.head}")
            lines += [f"The head given is that of event {chain.given_at}."] if chain.given_at is not None else []
        print("\n".join(lines))
    if not outcome.balanced:
        raise typer.Exit(1)


@app.command()
def calibration(campaign: CampaignName, store: Store = None, json: Json = False) -> None:
    """Compare what was predicted of experiments before they were made with what they showed."""
    from controller.cli.trust import print_calibration
    from controller.verbs.trust import calibration_told

    with find(store_urls(store), campaign) as found:
        told = calibration_told(found)
    if json:
        print_json(told)
    else:
        print_calibration(told)


@app.command()
def forecast(
    campaign: CampaignName,
    experiments: Annotated[
        int | None,
        typer.Option("--experiments", "-k", min=1, help="How many more; by default those left of the budget.", show_default=False),
    ] = None,
    by: Annotated[
        float | None, typer.Option("--by", help="An improvement whose probability is wanted too.", show_default=False)
    ] = None,
    worth: Annotated[
        float | None,
        typer.Option("--worth", help="What one experiment must bring at least; says when to stop.", show_default=False),
    ] = None,
    store: Store = None,
    device: DeviceOption = Device.CPU,
    json: Json = False,
) -> None:
    """Tell what further experiments will probably bring, by playing the campaign on functions drawn from its models."""
    from controller.cli.trust import print_forecast
    from controller.verbs.foreseeing import forecast as foresee

    with find(store_urls(store), campaign) as found:
        told = foresee(found, experiments, by=by, worth=worth, device=device.value)
    if json:
        print_json(told)
    else:
        print_forecast(told)


@app.command()
def replay(
    campaign: CampaignName,
    number: Annotated[
        list[int] | None, typer.Option("--number", min=1, help="Only this experiment; may be repeated.", show_default=False)
    ] = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Derive every proposal again from the log, and show that it is the same bit for bit.

    Exit code 1 when one comes out otherwise, with what differs first and why it may.
    """
    from controller.cli.trust import print_replay
    from controller.verbs.replaying import replay_campaign, replay_told

    with find(store_urls(store), campaign) as found:
        total, replayed = replay_campaign(found, number or [])
        told = replay_told(found, list(followed(replayed, total, "deriving", quiet=json)))
    if json:
        print_json(told)
    else:
        print_replay(told)
    if not told["same"]:
        raise typer.Exit(1)


@app.command()
def export(
    campaign: CampaignName,
    store: Store = None,
    format: Annotated[
        Format, typer.Option("--format", help="csv: a row per experiment; json: everything.")
    ] = Format.CSV,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; by default to the screen.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Write a campaign's experiments to a file."""
    from controller.verbs.export import as_csv, as_json, write_whole

    with find(store_urls(store), campaign) as found:
        text = as_json(found) if json or format is Format.JSON else as_csv(found)
    if output is None:
        print(text, end="")
    else:
        write_whole(output, text)
        console(error=True).print(f"{found.name} ({mark(found.simulated)} data) written to {output}", markup=False)


@app.command()
def why(
    campaign: CampaignName,
    number: Annotated[
        str | None,
        typer.Argument(metavar="[NUMBER]", help="Number or id of an experiment; by default the newest that the model proposed."),
    ] = None,
    store: Store = None,
    device: DeviceOption = Device.CPU,
    json: Json = False,
) -> None:
    """Explain why a point was proposed: exploring or exploiting, what was expected, its neighbours, what matters, what lost."""
    from controller.cli.reasons import print_why
    from controller.verbs.reasons import why as told_why

    with find(store_urls(store), campaign) as found:
        told = told_why(found, number, device=device.value)
    print_json(told) if json else print_why(told)


@app.command()
def best(
    campaign: CampaignName, store: Store = None, device: DeviceOption = Device.CPU, json: Json = False
) -> None:
    """Tell which measured settings are best as the model believes, with 90 % intervals; outliers and drift."""
    from controller.cli.reasons import print_best
    from controller.verbs.reasons import believed_best

    with find(store_urls(store), campaign) as found:
        told = believed_best(found, device=device.value)
    print_json(told) if json else print_best(told)


@app.command()
def sensitivity(
    campaign: CampaignName, store: Store = None, device: DeviceOption = Device.CPU, json: Json = False
) -> None:
    """Tell which parameters matter for what: total-effect Sobol' indices of the model, with 80 % intervals."""
    from controller.cli.reasons import print_sensitivity
    from controller.verbs.reasons import sensitivity as told_sensitivity

    with find(store_urls(store), campaign) as found:
        told = told_sensitivity(found, device=device.value)
    print_json(told) if json else print_sensitivity(told)


@app.command("slice")
def slice_campaign(
    campaign: CampaignName,
    parameter: Annotated[str, typer.Argument(metavar="PARAMETER", help="Name of a parameter.", show_default=False)],
    through: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="The experiment whose setting is held; by default the best.", show_default=False),
    ] = None,
    store: Store = None,
    device: DeviceOption = Device.CPU,
    json: Json = False,
) -> None:
    """Show what the model expects along one parameter, the others held: mean and 80 % band."""
    from controller.cli.reasons import print_slice
    from controller.verbs.reasons import slice_through

    with find(store_urls(store), campaign) as found:
        told = slice_through(found, parameter, number=through, device=device.value)
    print_json(told) if json else print_slice(told)


def _steer(verb: str, campaign: str, store: str | None, timeout_s: float, as_json: bool) -> None:
    from controller.verbs.campaigns import steer_campaign
    from controller.verbs.requests import who

    with find(store_urls(store), campaign) as found:
        answer = steer_campaign(found, verb, by=who(), timeout_s=timeout_s)
    report(found.name, found.url, answer, as_json=as_json)
