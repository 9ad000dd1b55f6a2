"""An explanation in sentences: what the numbers say, in the words of a colleague."""

from __future__ import annotations

from collections.abc import Mapping

from controller.domain.explanation import Expected, Explanation, Outcome
from controller.domain.objective import Objective, wanted
from controller.domain.space import Problem

_CLOSE = 0.95
_MOSTLY = 0.65
_NEARBY = 0.2


def number(value: float) -> str:
    """Return `value` to four digits, or more where they stand before the point."""
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e7 else f"{value:.4g}"


def percent(share: float) -> str:
    """Return a share in percent; never 0 or 100 for what is not."""
    if 0.0 < share < 0.01:
        return "less than 1 %"
    return "more than 99 %" if 0.99 < share < 1.0 else f"{100 * share:.0f} %"


def summary(told: Explanation, problem: Problem) -> tuple[str, ...]:
    """Return the sentences that answer why `told` was proposed, most important first."""
    sentences = [_origin(told), _balance(told, problem), _region(told), *_expectations(told, problem), _failing(told)]
    sentences += [_distance(told), _neighbour(told, problem), _matters(told), _bound(told), _doubt(told)]
    return tuple(s for s in sentences if s)


def _origin(told: Explanation) -> str:
    match told.source:
        case "user":
            return "A person entered this point; no model was asked."
        case "stand-in":
            return f"A space-filling point that stood in for the model's: {told.note or 'it was not ready in time'}."
        case "space-filling":
            return f"A space-filling point, chosen without a model to cover the space: {told.note or 'one of the first'}."
    failed = f", {told.failed} of them failed" if told.failed else ""
    way = f", with {told.under_way} under way" if told.under_way else ""
    return f"Proposed by the model, which had learned from {_count(told.learned_from, 'experiment')}{failed}{way}."


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _balance(told: Explanation, problem: Problem) -> str:
    if told.source != "model" or told.exploiting is None or told.exploring is None:
        name = (told.acquisition_name or "").removeprefix("log ")
        return f"It was chosen for its {name}." if told.source == "model" and name else ""
    nearby = bool(told.novelty) and all(found.spread < _NEARBY for found in told.novelty.values())
    if told.exploiting >= _MOSTLY:
        what = "It mostly exploits"
    elif told.exploring >= _MOSTLY and nearby:
        what = "It refines what is known, beside what was measured"
    elif told.exploring >= _MOSTLY:
        what = "It mostly explores"
    else:
        what = "It exploits and explores"
    size = ""
    if told.improvement is not None and len(goals := wanted(problem.objectives)) == 1 and not problem.desirability:
        (objective,) = goals.values()
        size = f" of {number(told.improvement)}{_unit(objective)}"
    return (
        f"{what}: {percent(told.exploiting)} of the expected improvement{size} is what the predicted mean promises, "
        f"{percent(told.exploring)} comes from what the model does not know."
    )


def _region(told: Explanation) -> str:
    if told.region is None:
        return ""
    around = "the best result" if told.region.experiment is None else f"experiment {told.region.experiment}"
    side = told.region.side
    return (
        f"It was looked for inside a trust region of side {side:.2g} around {around}, {percent(side)} of each parameter's range; "
        "what lies outside was not searched."
    )


def _unit(objective: Objective) -> str:
    return f" {objective.unit}" if objective.unit else ""


def _expectations(told: Explanation, problem: Problem) -> list[str]:
    sentences = []
    for name, outcome in told.expected.items():
        objective = problem.objectives[name]
        expected = "expected" if told.source == "model" else "a model of the same data would have expected"
        text = (
            f"{name}: {expected} {number(outcome.mean)}{_unit(objective)}, "
            f"with 80 % between {number(outcome.low)} and {number(outcome.high)}"
        )
        if name in told.best and told.better is not None:
            text += f"; the best measured was {number(told.best[name])}, and {percent(told.better)} is the chance to be better"
        sentences.append(f"{text}.{_measured(outcome, objective)}")
    return sentences


def _measured(outcome: Outcome, objective: Objective) -> str:
    if outcome.measured is None or outcome.off is None:
        return ""
    side = "inside" if outcome.inside else "above the interval" if outcome.off > 0 else "below the interval"
    return f" Measured: {number(outcome.measured)}{_unit(objective)}, {side}."


def _failing(told: Explanation) -> str:
    sentences = []
    if told.success is not None:
        sentences.append(f"Experiments have failed before; here it succeeds with a probability of {percent(told.success)}.")
    if told.acceptable is not None:
        sentences.append(f"The outcome constraints are met with a probability of {percent(told.acceptable)}.")
    return " ".join(sentences)


def _distance(told: Explanation) -> str:
    if not told.novelty:
        return ""
    flagged = [name for name, found in told.novelty.items() if found.flagged]
    widest = max(told.novelty.values(), key=lambda found: found.spread)
    share = f"{percent(min(widest.spread, 1.0))} of the spread without any data is left"
    if not flagged:
        return f"It lies no farther from the data than the model has been tested on: {share}."
    return (
        f"Out of distribution for {', '.join(flagged)}: it lies farther from the data than leaving measured points out has put the "
        f"model to the test ({share}); what is expected there rests on the model's assumptions."
    )


def _neighbour(told: Explanation, problem: Problem) -> str:
    if not told.neighbours:
        return ""
    nearest = told.neighbours[0]
    values = ", ".join(f"{name} {number(value)}{_unit(problem.objectives[name])}" for name, value in nearest.values.items())
    differs = f"it differs in {', '.join(nearest.differs)}" if nearest.differs else "it is the same setting"
    return (
        f"The nearest measured point is experiment {nearest.experiment} ({values}), {nearest.distance:.2g} lengthscales away; "
        f"{differs}."
    )


def _matters(told: Explanation) -> str:
    parts = []
    for name, found in told.sensitivity.items():
        strongest = [e for e in found.effects[:3] if e.total >= 0.05] or list(found.effects[:1])
        if found.spread > 0.0:
            parts.append(f"{name}: {', '.join(f'{e.parameter} ({e.total:.2f})' for e in strongest)}")
    return f"What matters most over the space (total effect), for {'; for '.join(parts)}." if parts else ""


def _bound(told: Explanation) -> str:
    return f"It lies on {'; '.join(told.binding)}." if told.binding else ""


def _doubt(told: Explanation) -> str:
    if told.source != "model":
        return ""
    note = f"Noted with it: {told.note}." if told.note else ""
    if not told.exact:
        return (
            "The data that it rested on are not found in the log again: what is told of the model is of what the log holds, and "
            "may differ from what the model knew."
        )
    if told.same_model is False:
        return f"{note} The model comes out differently today: `labwright campaign replay` says what has changed.".strip()
    return note


def why_it_lost(
    objectives: Mapping[str, Objective], chosen: Mapping[str, Expected], other: Mapping[str, Expected], share: float,
    success: tuple[float | None, float | None],
) -> str:
    """Return why a runner-up lost against the proposed point.

    Args:
        objectives: By name.
        chosen: What is expected of the proposed point, by objective.
        other: What is expected of the runner-up.
        share: The runner-up's acquisition as a share of the other's.
        success: The probabilities that the proposed point and the runner-up succeed; None where none had failed.
    """
    close = "nearly as good: " if share >= _CLOSE else ""
    if success[0] is not None and success[1] is not None and success[1] < 0.9 * success[0]:
        return f"{close}it is likelier to fail (success {percent(success[1])}, not {percent(success[0])})"
    goals = wanted(objectives)
    if len(goals) != 1:
        return f"{close}it is expected to gain {percent(share)} of what the proposed point is"
    ((name, objective),) = goals.items()
    mine, its = chosen[name], other[name]
    worse = objective.score(its.mean) < objective.score(mine.mean)
    means = f"{number(its.mean)} expected, not {number(mine.mean)}"
    spreads = f"± {number(its.sd)}, not ± {number(mine.sd)}"
    if worse and its.sd <= mine.sd:
        return f"{close}it promises less ({means}) and is not less known ({spreads})"
    if worse:
        return f"{close}it promises less ({means}), and that it is less known ({spreads}) does not make up for it"
    if its.sd < mine.sd:
        return f"{close}it promises {'more' if its.mean != mine.mean else 'as much'} ({means}) but is better known ({spreads})"
    return f"{close}its expected improvement is {percent(share)} of the proposed point's ({means}; {spreads})"
