"""Whether a campaign's models can be believed: what they predicted against what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.domain.student import interval
from controller.verbs.predicted import predictions_of
from controller.verbs.stores import Found


def interval_90(prediction: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the 90 % interval of what would be measured, from a prediction as a proposal keeps it; None where it kept none."""
    if not prediction.get("scale"):
        return None
    return interval(prediction["mean"], prediction["scale"], prediction["freedom"], 0.9)


def calibration_told(found: Found) -> dict[str, Any]:
    """Return how well predictions made before the experiments covered what these showed, as JSON data.

    Returns:
        `campaign`; `policy` (what follows from distrust); `objectives`: name -> what `learn.coverage.Coverage` holds;
        `newest`: the same of the newest results alone, which decide over trust; `distrusted_at`: when alarms were raised;
        `experiments`: per result `number`, and by objective `measured`, `expected`, the 80 and 90 % intervals and whether it
        lies inside.
    """
    from controller.domain.judged import Judged, judge_one
    from controller.domain.state import DISTRUST
    from controller.learn.coverage import NEWEST, coverage

    reader = found.reader
    with reader.snapshot():
        definition, alarms = reader.definition(found.id), reader.alarms(found.id)
        results = [row for row in reader.result_rows(found.id) if row["source"] == "model"]
        predicted = predictions_of(reader, list(dict.fromkeys(row["experiment"] for row in results)))
    by_number: dict[int, dict[str, Judged]] = {}
    for row in results:
        p = predicted[row["experiment"]].get(row["objective"])
        judged = None if p is None else judge_one(p["mean"], p.get("scale"), p.get("freedom"), row["value"])
        if judged is not None:
            by_number.setdefault(row["number"], {})[row["objective"]] = judged
    rows = list(by_number.items())
    names = list(definition["problem"]["objectives"])

    def told(chosen: list[tuple[int, dict[str, Judged]]]) -> dict[str, Any]:
        return {
            name: coverage([row[name] for _, row in chosen if name in row]).model_dump(mode="json") for name in names
        }

    def one(judged: Judged) -> dict[str, Any]:
        intervals = {str(level): interval(judged.mean, judged.scale, judged.freedom, level / 100) for level in (80, 90)}
        inside = {level: low <= judged.value <= high for level, (low, high) in intervals.items()}
        return {"measured": judged.value, "expected": judged.mean, "intervals": intervals, "inside": inside}

    return {
        "campaign": found.name, "simulated": found.simulated,
        "policy": definition.get("failures", {}).get("distrust", "alarm"),
        "objectives": told(rows), "newest": told(rows[-NEWEST:]),
        "distrusted_at": [alarm["at"] for alarm in alarms if alarm["code"] == DISTRUST],
        "experiments": [
            {"number": number, "objectives": {name: one(judged) for name, judged in row.items()}} for number, row in rows
        ],
    }  # fmt: skip
