"""Whether a campaign's models can be believed: what they predicted against what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from controller.domain.limits import within
from controller.domain.student import interval, interval_told
from controller.verbs.predicted import predictions_of
from controller.verbs.stores import Found

if TYPE_CHECKING:
    from controller.domain.judged import Judged
    from controller.store.reading import Reader


def interval_90(prediction: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the 90 % interval of what would be measured, from a prediction as a proposal keeps it; None where it kept none."""
    return interval_told(prediction, 0.9)


def coverage_told(found: Found) -> dict[str, Any]:
    """Return objective -> what `learn.coverage.Coverage` holds of all its results."""
    reader = found.reader
    with reader.snapshot():
        names, judged = list(reader.definition(found.id)["problem"]["objectives"]), _judged(reader, found.id)
    return _covered(names, list(judged.values()))


def calibration_told(found: Found) -> dict[str, Any]:
    """Return how well predictions made before the experiments covered what these showed, as JSON data.

    Returns:
        `campaign`; `policy` (what follows from distrust); `objectives`: name -> what `learn.coverage.Coverage` holds;
        `newest`: the same of the newest results alone, which decide over trust; `distrusted_at`: when alarms were raised;
        `experiments`: per result `number`, and by objective `measured`, `expected`, the 80 and 90 % intervals and whether it
        lies inside.
    """
    from controller.domain.state import DISTRUST
    from controller.learn.coverage import NEWEST

    reader = found.reader
    with reader.snapshot():
        definition, alarms = reader.definition(found.id), reader.alarms(found.id)
        judged = _judged(reader, found.id)
    names, rows = list(definition["problem"]["objectives"]), list(judged.values())
    return {
        "campaign": found.name, "simulated": found.simulated,
        "policy": definition.get("failures", {}).get("distrust", "alarm"),
        "objectives": _covered(names, rows), "newest": _covered(names, rows[-NEWEST:]),
        "distrusted_at": [alarm["at"] for alarm in alarms if alarm["code"] == DISTRUST],
        "experiments": [
            {"number": number, "objectives": {name: _told(one) for name, one in row.items()}} for number, row in judged.items()
        ],
    }  # fmt: skip


def _judged(reader: Reader, campaign: str) -> dict[int, dict[str, Judged]]:
    """Return number of an experiment -> objective -> prediction and result, of those that a model proposed."""
    from controller.domain.judged import judge_one

    results = [row for row in reader.result_rows(campaign) if row["source"] == "model"]
    predicted = predictions_of(reader, list(dict.fromkeys(row["experiment"] for row in results)))
    by_number: dict[int, dict[str, Judged]] = {}
    for row in results:
        p = predicted[row["experiment"]].get(row["objective"])
        judged = None if p is None else judge_one(p, row["value"])
        if judged is not None:
            by_number.setdefault(row["number"], {})[row["objective"]] = judged
    return by_number


def _covered(names: Sequence[str], rows: Sequence[Mapping[str, Judged]]) -> dict[str, Any]:
    from controller.learn.coverage import coverage

    return {name: coverage([row[name] for row in rows if name in row]).model_dump(mode="json") for name in names}


def _told(judged: Judged) -> dict[str, Any]:
    spread = (judged.mean, judged.scale, judged.freedom)
    intervals = {str(level): interval(*spread, level / 100, judged.limits) for level in (80, 90)}
    value = within(judged.value, judged.limits)
    inside = {level: low <= value <= high for level, (low, high) in intervals.items()}
    return {"measured": judged.value, "expected": judged.expected, "intervals": intervals, "inside": inside}
