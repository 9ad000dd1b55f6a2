"""`labwright campaign start`, `pause`, `resume`, `stop`, `abort`, `retract`, `context`: hand a campaign over, and steer it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.completing import experiment_numbers
from controller.cli.options import CampaignName, Json, Store, Timeout
from controller.cli.render import clean, print_json, report
from controller.verbs.stores import find, show_url, store_urls


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


def pause(campaign: CampaignName, store: Store = None, timeout: Timeout = 10.0, json: Json = False) -> None:
    """Begin nothing new; what runs is finished."""
    _steer("pause", campaign, store, timeout, json)


def resume(campaign: CampaignName, store: Store = None, timeout: Timeout = 10.0, json: Json = False) -> None:
    """Go on with a paused campaign."""
    _steer("resume", campaign, store, timeout, json)


def stop(campaign: CampaignName, store: Store = None, timeout: Timeout = 10.0, json: Json = False) -> None:
    """Finish what runs, then end the campaign."""
    _steer("stop", campaign, store, timeout, json)


def abort(campaign: CampaignName, store: Store = None, timeout: Timeout = 10.0, json: Json = False) -> None:
    """End the campaign now; actions that run are cancelled."""
    _steer("abort", campaign, store, timeout, json)


def retract(
    campaign: CampaignName,
    number: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT", help="Number or id of a completed experiment.", show_default=False,
            autocompletion=experiment_numbers,
        ),
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
                print(clean("\n".join(lines)) or "nothing was told")
            return
        answer = tell_context(found, told, by=who(), timeout_s=timeout)
    report(found.name, found.url, answer, as_json=json)


def _steer(verb: str, campaign: str, store: str | None, timeout_s: float, as_json: bool) -> None:
    from controller.verbs.campaigns import steer_campaign
    from controller.verbs.requests import who

    with find(store_urls(store), campaign) as found:
        answer = steer_campaign(found, verb, by=who(), timeout_s=timeout_s)
    report(found.name, found.url, answer, as_json=as_json)
