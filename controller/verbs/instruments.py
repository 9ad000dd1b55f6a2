"""The instruments of all campaigns: what they are, what they do now, and why nothing is sent to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from controller.settings import folder_of
from controller.verbs.briefly import Brief, briefs
from controller.verbs.laboratories import status_of

if TYPE_CHECKING:
    from controller.store.reading import Reader


DAY_S = 86400.0
"""Over so much lab time at most it is told which share of it instruments have worked [lab s]."""


def list_instruments(opened: Sequence[tuple[str, Reader]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the instruments and the interlocks of some stores (URL and reader of each).

    Returns:
        A row for each instrument that any campaign uses, with its `state` where a controller is at work, what it does now
        (`running`), and why nothing is dispatched to it (`held`); and a row for each interlock of labs that are at work.
    """
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    interlocks: list[dict[str, Any]] = []
    for url, reader in opened:
        disabled = {
            (row["lab"], row["name"]): f"disabled by {row['changed_by']}: {row['reason']}"
            for row in reader.instrument_rows() if not row["enabled"]
        }  # fmt: skip
        with reader.snapshot():
            campaigns, known = reader.campaign_rows(), briefs(reader)
        labs: dict[str, dict[str, Any]] = {}
        for campaign in campaigns:
            brief = known[campaign["id"]]
            if brief.lab not in labs:
                labs[brief.lab] = status_of(url, brief.lab)
            status = labs[brief.lab]
            states = {i["instrument"]: i for i in status.get("instruments", ())}
            for name, spec in brief.instruments.items():
                held = disabled.get((brief.lab, name), "")
                row = rows.setdefault((url, brief.lab, name), _row(brief, name, spec, states.get(name, {}), held))
                row["running"] = _running(status, name)
                row["campaigns"].append(campaign["name"])
        interlocks += [{"lab": lab, **lock} for lab, status in labs.items() for lock in status.get("interlocks", ())]
    return list(rows.values()), interlocks


def list_labs(opened: Sequence[tuple[str, Reader]]) -> list[dict[str, Any]]:
    """Return the labs in which a controller is at work now.

    Returns:
        `lab`; `at` and `speed`, its clock when that was `published` [lab s and real s since 1970-01-01 UTC; lab s per real s];
        `campaigns`, each with its name and what it is `doing`; `busy`: instrument -> share of the last day of lab time, or of the
        time since the first of these campaigns was begun (`over_s`), in which it worked for them.
    """
    found = []
    for url, reader in opened:
        known = {row["name"]: row for row in reader.campaign_rows()}
        labs = folder_of(url) / "labs"
        for folder in sorted(labs.iterdir()) if labs.is_dir() else ():
            status = status_of(url, folder.name)
            if not status:
                continue
            try:
                published = (folder / "status.json").stat().st_mtime
            except OSError:  # its controller has just left
                continue
            working = [c for c in status.get("campaigns", ()) if c["campaign"] in known]
            rows = [known[c["campaign"]] for c in working]
            begin = max(min((row["created_at"] for row in rows), default=status["at"]), status["at"] - DAY_S)
            busy: dict[str, float] = {}
            for row in rows if status["at"] > begin else ():
                for each in reader.busy_rows(row["id"], begin, status["at"]):
                    share = each["busy_s"] / (status["at"] - begin)
                    busy[each["instrument"]] = busy.get(each["instrument"], 0.0) + share
            campaigns = [{"campaign": c["campaign"], "doing": c["doing"]} for c in working]
            found.append(
                {
                    "lab": folder.name, "at": status["at"], "published": published, "speed": status.get("speed", 1.0),
                    "campaigns": campaigns, "busy": busy, "over_s": status["at"] - begin,
                }
            )  # fmt: skip
    return found


def _running(status: Mapping[str, Any], instrument: str) -> list[dict[str, Any]]:
    """Return what an instrument does now, as its lab's controller has published it."""
    names = ("experiment", "step", "status", "since", "expected_s", "fraction")
    return [
        {"campaign": campaign["campaign"], **{name: row[name] for name in names}}
        for campaign in status.get("campaigns", ())
        for row in campaign["running"]
        if row["instrument"] == instrument
    ]


def _row(
    lab: Brief, name: str, spec: dict[str, Any], status: dict[str, Any], disabled: str
) -> dict[str, Any]:
    return {
        "instrument": name, "lab": lab.lab, "driver": spec["driver"], "state": status.get("state", "not at work"),
        "held": status.get("held") or disabled, "enabled": not disabled,
        "limits": {k: f"{low:g}…{high:g}" for k, (low, high) in spec.get("limits", {}).items()},
        "capacity": spec.get("capacity", 1), "running": [], "campaigns": [],
        "data": "simulated" if name in lab.simulated else "real", "simulated": name in lab.simulated,
    }  # fmt: skip
