"""`labwright instrument`: what the instruments of labs at work are doing."""

from __future__ import annotations

from typing import Any

import typer

from controller.cli.options import Json, Store
from controller.cli.render import Column, mark, print_rows
from controller.cli.stores import readers

app = typer.Typer()


@app.command("list")
def list_instruments(store: Store = None, json: Json = False) -> None:
    """List instruments: driver, limits, and the state they are in when a controller is at work."""
    with readers(store) as opened:
        rows: dict[tuple[str, str, str], dict[str, Any]] = {}
        for url, reader in opened:
            for campaign in reader.campaigns():
                lab = reader.definition(campaign["id"])["lab"]
                states = _states(url, lab["lab"])
                for name, spec in lab["instruments"].items():
                    row = rows.setdefault((url, lab["lab"], name), _row(lab, name, spec, states))
                    row["campaigns"].append(campaign["name"])
    columns = [Column(k) for k in ("instrument", "lab", "driver", "state", "limits", "capacity", "campaigns", "data")]
    print_rows(
        list(rows.values()), columns, as_json=json, title="Instruments",
        empty="No instruments yet: they appear with the first campaign.",
    )  # fmt: skip


def _row(lab: dict[str, Any], name: str, spec: dict[str, Any], states: dict[str, str]) -> dict[str, Any]:
    return {
        "instrument": name, "lab": lab["lab"], "driver": spec["driver"], "state": states.get(name, "not at work"),
        "limits": {k: f"{low:g}…{high:g}" for k, (low, high) in spec.get("limits", {}).items()},
        "capacity": spec.get("capacity", 1), "campaigns": [], "data": mark(lab["simulated"]),
        "simulated": bool(lab["simulated"]),
    }  # fmt: skip


def _states(url: str, lab: str) -> dict[str, str]:
    """Return the states that a controller at work published, by instrument; none when no controller is."""
    import json
    import os

    from controller.settings import folder_of

    path = folder_of(url) / "labs" / lab / "status.json"
    try:
        status = json.loads(path.read_text(encoding="utf-8"))
        os.kill(int(status["pid"]), 0)  # a controller that was killed left its last word behind
    except (OSError, ValueError):
        return {}
    return {i["instrument"]: str(i["state"]) for i in status["instruments"]}
