"""`labwright campaign audit`, `replay` and `calibration`: whether the books, the proposals and the models can be trusted."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.cli.options import CampaignName, Json, Store
from controller.cli.render import followed, mark, print_json, waiting
from controller.verbs.stores import find, store_urls


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

    with find(store_urls(store), campaign) as found, waiting("folding the log again", quiet=json):
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


def calibration(campaign: CampaignName, store: Store = None, json: Json = False) -> None:
    """Compare what was predicted of experiments before they were made with what they showed."""
    from controller.cli.trust import print_calibration
    from controller.verbs.trust import calibration_told

    with find(store_urls(store), campaign) as found, waiting("comparing", quiet=json):
        told = calibration_told(found)
    if json:
        print_json(told)
    else:
        print_calibration(told)
