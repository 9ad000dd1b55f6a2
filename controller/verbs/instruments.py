"""The instruments of all campaigns: what they are, what they do now, and why nothing is sent to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from controller.verbs.laboratories import status_of

if TYPE_CHECKING:
    from controller.store.reading import Reader


def list_instruments(opened: Sequence[tuple[str, Reader]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the instruments and the interlocks of some stores (URL and reader of each).

    Returns:
        A row for each instrument that any campaign uses, with its `state` where a controller is at work and why nothing is
        dispatched to it (`held`); and a row for each interlock of labs that are at work.
    """
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    interlocks: list[dict[str, Any]] = []
    for url, reader in opened:
        disabled = {
            (row["lab"], row["name"]): f"disabled by {row['changed_by']}: {row['reason']}"
            for row in reader.instrument_rows() if not row["enabled"]
        }  # fmt: skip
        labs: dict[str, dict[str, Any]] = {}
        for campaign in reader.campaigns():
            lab = reader.definition(campaign["id"])["lab"]
            status = labs.setdefault(lab["lab"], status_of(url, lab["lab"]))
            states = {i["instrument"]: i for i in status.get("instruments", ())}
            for name, spec in lab["instruments"].items():
                held = disabled.get((lab["lab"], name), "")
                row = rows.setdefault((url, lab["lab"], name), _row(lab, name, spec, states.get(name, {}), held))
                row["campaigns"].append(campaign["name"])
        interlocks += [{"lab": lab, **lock} for lab, status in labs.items() for lock in status.get("interlocks", ())]
    return list(rows.values()), interlocks


def _row(
    lab: dict[str, Any], name: str, spec: dict[str, Any], status: dict[str, Any], disabled: str
) -> dict[str, Any]:
    return {
        "instrument": name, "lab": lab["lab"], "driver": spec["driver"], "state": status.get("state", "not at work"),
        "held": status.get("held") or disabled, "enabled": not disabled,
        "limits": {k: f"{low:g}…{high:g}" for k, (low, high) in spec.get("limits", {}).items()},
        "capacity": spec.get("capacity", 1), "campaigns": [],
        "data": "simulated" if lab["simulated"] else "real", "simulated": bool(lab["simulated"]),
    }  # fmt: skip
