"""The description of a bundle as RO-Crate 1.1 has it: a flat JSON-LD graph of files, and of who made what with what.

Each experiment is a `CreateAction` (schema.org's, as RO-Crate records provenance): `instrument` are the instruments that took part,
`agent` who decided it, `object` the setting, `result` what was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.verbs.bundle.parts import DEFINITION, EXPERIMENTS, METADATA, PROPOSALS, RAW_FILES
from controller.verbs.simulating import is_simulated

_CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://schema.org/sha256"}]
_STATUS = {
    "completed": "CompletedActionStatus", "failed": "FailedActionStatus", "abandoned": "FailedActionStatus",
    "cancelled": "FailedActionStatus", "unknown": "ActiveActionStatus", "running": "ActiveActionStatus",
}  # fmt: skip
_CONTROLLER = "#labwright"
_PEOPLE = "#people"

Node = dict[str, Any]


@dataclass(frozen=True)
class FileNote:
    """One file of the bundle."""

    name: str
    about: str
    media_type: str
    sha256: str
    size: int
    """[bytes]"""


def graph(
    told: Mapping[str, Any], definition: Mapping[str, Any], files: Iterable[FileNote], experiments: Iterable[Mapping[str, Any]],
    attempts: Iterable[Mapping[str, Any]],
) -> Node:  # fmt: skip
    """Return the content of `ro-crate-metadata.json`.

    Args:
        told: `name`, `description`, `published` (date), `created`, `modified`, `version`, `simulated` and `head` of the whole.
        definition: Of the campaign, as JSON data.
        files: Every other file that is described.
        experiments: As the reader gives them.
        attempts: As the reader gives them.
    """
    notes = list(files)
    there = {note.name for note in notes}
    used: dict[str, dict[str, None]] = {}
    left: dict[str, dict[str, None]] = {}
    for attempt in attempts:
        used.setdefault(attempt["experiment"], {})[attempt["instrument"]] = None
        left.setdefault(attempt["experiment"], {}).update((f"{RAW_FILES}/{file['sha256']}", None) for file in attempt["files"])
    actions = [
        node for row in experiments
        for node in _experiment(row, definition, used.get(row["id"], {}), [f for f in left.get(row["id"], {}) if f in there])
    ]  # fmt: skip
    root: Node = {
        "@id": "./", "@type": "Dataset", "name": told["name"], "description": told["description"],
        "datePublished": told["published"], "dateCreated": told["created"], "dateModified": told["modified"],
        "identifier": told["head"], "license": {"@id": "#license"}, "hasPart": [{"@id": note.name} for note in notes],
        "mentions": [{"@id": node["@id"]} for node in actions if node["@type"] == "CreateAction"],
    }  # fmt: skip
    return {
        "@context": _CONTEXT,
        "@graph": [
            {
                "@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"},
                "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
            },
            root,
            {
                "@id": "#license", "@type": "CreativeWork", "name": "Not stated",
                "description": "Whose data these are has not said under which licence they may be used.",
            },
            {
                "@id": _CONTROLLER, "@type": "SoftwareApplication", "name": "Labwright", "version": told["version"],
                "description": "The controller that proposed the experiments and had them carried out.",
            },
            {
                "@id": _PEOPLE, "@type": "Person", "name": "A person of this lab",
                "description": "The log says who, where it is known.",
            },
            *_instruments(definition),
            *(_file(note) for note in notes),
            *actions,
        ],
    }  # fmt: skip


def _file(note: FileNote) -> Node:
    return {
        "@id": note.name, "@type": "File", "name": note.name, "description": note.about, "encodingFormat": note.media_type,
        "contentSize": str(note.size), "sha256": note.sha256,
    }  # fmt: skip


def _instruments(definition: Mapping[str, Any]) -> Iterator[Node]:
    for name, spec in definition["lab"]["instruments"].items():
        simulated = is_simulated(definition, name)
        about = "SIMULATED: no real instrument." if simulated else "An instrument of the lab."
        yield {"@id": f"#instrument/{name}", "@type": "Product", "name": name, "description": f"{about} Driver: {spec['driver']}."}


def _experiment(
    row: Mapping[str, Any], definition: Mapping[str, Any], instruments: Iterable[str], files: Iterable[str] = ()
) -> Iterator[Node]:
    """Yield the action that an experiment is, its setting and its results; `files` are its raw files in the bundle."""
    number, problem = row["number"], definition["problem"]
    key = f"#experiment-{number}"
    units = {name: p.get("unit") for name, p in problem["parameters"].items()}
    settings = [_value(f"{key}/{name}", name, value, units.get(name)) for name, value in row["parameters"].items()]
    results = [
        _value(f"{key}/result/{name}", name, value, problem["objectives"].get(name, {}).get("unit"), row.get("sem", {}).get(name))
        for name, value in row["objectives"].items()
    ]
    simulated = " SIMULATED data." if row["simulated"] else ""
    retracted = f" Retracted: {row['retracted_reason']}." if row["retracted_at"] else ""
    action: Node = {
        "@id": key, "@type": "CreateAction", "name": f"Experiment {number}", "identifier": row["id"],
        "description": f"Proposed by {row['source']}; {row['status']}.{simulated}{retracted}",
        "actionStatus": f"http://schema.org/{_STATUS.get(row['status'], 'PotentialActionStatus')}",
        "agent": {"@id": _PEOPLE if row["source"] in ("user", "imported") else _CONTROLLER},
        "instrument": [{"@id": f"#instrument/{name}"} for name in instruments],
        "object": [{"@id": DEFINITION}, {"@id": PROPOSALS}, *({"@id": node["@id"]} for node in settings)],
        "result": [
            {"@id": EXPERIMENTS}, *({"@id": node["@id"]} for node in results), *({"@id": name} for name in files),
        ],
    }  # fmt: skip
    for name, moment in (("startTime", row["started_at"]), ("endTime", row["completed_at"])):
        if moment is not None:
            action[name] = moment
    if row["status"] in ("failed", "abandoned") and row["reason"]:
        action["error"] = row["reason"]
    yield from (action, *settings, *results)


def _value(key: str, name: str, value: object, unit: str | None, sem: float | None = None) -> Node:
    node: Node = {"@id": key, "@type": "PropertyValue", "name": name, "value": value}
    if unit:
        node["unitText"] = unit
    if sem is not None:
        node["description"] = f"standard error {sem:g}"
    return node
