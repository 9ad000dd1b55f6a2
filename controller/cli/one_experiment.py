"""Shows one experiment: how it stands, what went wrong, its setting and results, why it was proposed, and all that happened."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from controller.cli.raw_files import COLUMNS as FILE_COLUMNS
from controller.cli.raw_files import shown as shown_files
from controller.cli.render import Column, clean, console, mark, print_facts, table
from controller.cli.results import flags_text
from controller.cli.trust import interval_text
from controller.verbs.readable import settled
from controller.verbs.simulating import twins_of

ATTEMPT_COLUMNS = (
    Column("step"), Column("ordinal", "attempt"), Column("instrument"), Column("action"), Column("arguments"), Column("status"),
    Column("committed_at", "sent"), Column("ended_at", "ended"), Column("reason"),
)  # fmt: skip
_WIDE = 160
"""Columns from which on there is room for the arguments of attempts."""
MEASUREMENT_COLUMNS = (
    Column("step"), Column("attempt"), Column("name"), Column("value"), Column("sem", "±"), Column("unit"), Column("at"),
)  # fmt: skip


def print_experiment(shown: Mapping[str, Any], definition: Mapping[str, Any], *, campaign: str, store: str) -> None:
    """Print what `verbs.experiments.show_experiment` returned.

    Args:
        shown: The experiment.
        definition: Of its campaign, as JSON data.
        campaign: Its name.
        store: The store's address, for people.
    """
    out = console()
    print_facts(
        {
            "status": shown["status"], "reason": shown.get("reason"),
            "retracted": shown["retracted_reason"] and f"{shown['retracted_reason']} ({shown['retracted_at']})",
            "rested on it": ", ".join(f"{e['number']} ({e['status']})" for e in shown.get("rested_on", ())),
            "data": "SIMULATED" if shown["simulated"] else "real", "context": shown.get("context"),
            "proposed": shown["proposed_at"], "started": shown.get("started_at"), "ended": shown["completed_at"],
            "id": shown["id"], "store": store,
        },
        title=f"Experiment {shown['number']} of {campaign}",
    )  # fmt: skip
    _print_trouble(shown)
    known = definition["problem"]["parameters"]
    units = {n: p.get("unit") for n, p in known.items()}
    settings = [{"parameter": n, "setting": v, "unit": units.get(n)} for n, v in settled(shown["parameters"], known).items()]
    out.print(table(settings, [Column("parameter"), Column("setting"), Column("unit")], title="\nSetting"))
    _print_results(shown, definition)
    _print_why(shown, units, campaign)
    attempts = shown["attempts_list"]
    if attempts:
        columns = [c for c in ATTEMPT_COLUMNS if c.key != "arguments" or out.width >= _WIDE]
        if twins_of(definition):  # else all are what the experiment says of its data
            columns.insert(3, Column("data"))
            attempts = [{**a, "data": mark(a["simulated"])} for a in attempts]
        out.print(table(attempts, columns, title="\nAttempts"))
        measured = [{"step": a["step"], "attempt": a["ordinal"], **m} for a in attempts for m in a["measurements"]]
        if measured:
            out.print(table(measured, MEASUREMENT_COLUMNS, title="Measurements"))
        if shown["files"]:
            columns = [c for c in FILE_COLUMNS if c.key != "media_type" or out.width >= _WIDE]
            out.print(table(shown_files(shown["files"]), columns, title="Raw files"))
    print("\nWhat happened")
    for event in shown["events"]:
        print(f"{event['at'][:10]} {event['at'][11:19]}Z  {clean(event['text'])}")


def _print_trouble(shown: Mapping[str, Any]) -> None:
    trouble = shown["trouble"]
    if trouble is None:
        return
    out = console()
    print("\nWhat went wrong")
    for sentence in trouble["what"]:
        print(textwrap.fill(clean(sentence), min(out.width, 100), initial_indent="· ", subsequent_indent="  "))
    for file in trouble["logs"]:
        print(f"· look into {file}")
    if trouble["next"]:
        print("\nWhat can be done")
        wide = max(len(choice["command"]) for choice in trouble["next"])
        for choice in trouble["next"]:
            print(f"  {choice['command']:<{wide}}  {choice['what']}")


def _print_results(shown: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
    predictions = (shown.get("proposal") or {}).get("predictions") or {}
    results = [
        {
            "objective": name, "measured": shown["objectives"].get(name), "sem": shown["observations"].get(name, {}).get("sem"),
            "expected": predictions.get(name, {}).get("mean"), "90": interval_text(predictions.get(name, {})),
            "unit": objective.get("unit"), "goal": objective["goal"],
        }
        for name, objective in definition["problem"]["objectives"].items()
    ]  # fmt: skip
    columns = [
        Column("objective"), Column("measured"), Column("sem", "±"), Column("expected"), Column("90", "90 % interval"),
        Column("unit"), Column("goal"),
    ]  # fmt: skip
    console().print(table(results, columns, title="Result and what the model expected"))


def _print_why(shown: Mapping[str, Any], units: Mapping[str, Any], campaign: str) -> None:
    proposal = shown.get("proposal") or {}
    why = {
        "source": proposal.get("source"), "in short": shown["why"],
        proposal.get("acquisition_name") or "acquisition": proposal.get("acquisition"),
        "note": None if (proposal.get("note") or "") in shown["why"] else proposal["note"],
        "out of distribution": flags_text(proposal.get("novelty") or {}),
        "seed": proposal.get("seed"), "rested on data": (proposal.get("data_fingerprint") or "")[:16],
        "took": f"{proposal['seconds']:.2f} s" if proposal.get("seconds") else None,
        "explained": f"labwright campaign why {campaign} {shown['number']}" if proposal.get("source") == "model" else None,
    }  # fmt: skip
    print_facts(why, title="Why it was proposed")
    if proposal.get("runners_up"):
        rows = [{"acquisition": a["acquisition"], **a["point"]} for a in proposal["runners_up"]]
        console().print(table(rows, [Column("acquisition"), *(Column(n, n) for n in units)], title="\nThat came close"))
