"""What `labwright campaign export` writes: a row per experiment, or all that is known."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from controller.errors import UnknownNameError
from controller.verbs.stores import Found, show_url

FACTS = ("status", "reason", "source", "attempts", "proposed_at", "completed_at", "simulated", "retracted_at", "retracted_reason")


def as_csv(found: Found) -> str:
    """Return one row per experiment; the columns of settings and objectives bear their plain names.

    The file can be read back as the table of a `table` lab. What the context was when an experiment began follows its settings.
    A parameter and an objective of one name, or one named as a fact,
    are told apart by the prefix `objective.` or `parameter.`.
    """
    definition = found.reader.definition(found.id)
    parameters, objectives = list(definition["problem"]["parameters"]), list(definition["problem"]["objectives"])
    context = list(definition["problem"].get("context", ()))
    taken = {"campaign", "number", *FACTS}
    heads_p = [f"parameter.{p}" if p in taken else p for p in parameters]
    heads_o = [f"objective.{o}" if o in taken or o in parameters else o for o in objectives]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    heads_c = [f"context.{c}" if c in taken else c for c in context]
    writer.writerow(["campaign", "number", *heads_p, *heads_c, *heads_o, *FACTS])
    for row in found.reader.experiments(found.id):
        settings = [row["parameters"].get(p, "") for p in parameters]
        settings += [row.get("context", {}).get(c, "") for c in context]
        values = [row["objectives"].get(o, "") for o in objectives]
        facts = ["" if row[f] is None else str(row[f]).lower() if isinstance(row[f], bool) else row[f] for f in FACTS]
        writer.writerow([found.name, row["number"], *settings, *values, *facts])
    return out.getvalue()


def as_json(found: Found) -> str:
    """Return the campaign, its definition, every experiment with proposal, attempts and measurements, and the alarms."""
    reader = found.reader
    experiments = [reader.experiment(found.id, row["number"]) for row in reader.experiments(found.id)]
    content: dict[str, Any] = {
        "campaign": found.campaign, "simulated": found.simulated, "store": show_url(found.url),
        "definition": reader.definition(found.id), "counts": reader.counts(found.id),
        "experiments": experiments, "alarms": reader.alarms(found.id),
    }  # fmt: skip
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        UnknownNameError: If its folder does not exist, or it cannot be written.
    """
    draft = path.with_name(path.name + ".part")
    try:
        draft.write_text(text, encoding="utf-8", newline="")
        draft.replace(path)
    except OSError as error:
        raise UnknownNameError(
            f"{path} cannot be written: {error.strerror}; name a file in an existing folder"
        ) from error
