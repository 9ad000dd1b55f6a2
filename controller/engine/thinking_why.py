"""Why a point was proposed: a pure function of a campaign's log."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from controller.design.certain import promised
from controller.design.outcomes import Acceptability, Limits
from controller.domain.base import Point
from controller.domain.campaign import Definition
from controller.domain.event import Event
from controller.domain.explanation import (
    Explanation,
    Looked,
    Neighbour,
    Outcome,
    RunnerUp,
)
from controller.domain.objective import bounded, standing, wanted
from controller.domain.parameter import CategoricalParameter
from controller.domain.proposal import Prediction, Proposal
from controller.domain.rule import Rule
from controller.domain.space import Problem
from controller.domain.state import Experiment, fold
from controller.encoding.columns import Encoder
from controller.engine.recalling import Recalled, recall
from controller.engine.thinking import Reconsidered, one_thread, reconsider
from controller.engine.thinking_model import model_told
from controller.engine.thinking_sensitivity import changes_along, expected_at, experiment_of, interval_of, sensitivities
from controller.engine.wording import summary, why_it_lost
from controller.learn.levels import lifted
from controller.learn.novelty import novelty

_NEIGHBOURS = 5
_WIDENED = "weighted evenly"
# A bound is met that is missed by less than this share of the range, a constraint by this share of its largest term.
_ON = 1e-6
_STEP = 1e-3


def explain(definition: Definition, events: Sequence[Event], number: int | None = None, device: str = "cpu") -> Explanation:
    """Return why the point of an experiment was proposed.

    Args:
        definition: Of the campaign.
        events: Its log.
        number: Of the experiment; None takes the newest that the model proposed, or the newest of all.
        device: `cpu`, `cuda` or `auto`.

    Raises:
        UnknownNameError: If there is no such experiment, or none at all.
        MissingExtraError: If the problem has structures and RDKit is not installed.
    """
    state = fold(events)
    experiment = experiment_of(state, number)
    recalled = recall(definition, events, experiment.number, device)
    told = _bare(definition, experiment, recalled)
    source = experiment.proposal.source
    if source == "model" or (source != "space-filling" and any(recalled.request.observed.completed)):
        with one_thread():
            told = told.model_copy(update=_with_model(definition, experiment, recalled))
    return told.model_copy(update={"summary": summary(told, definition.problem)})


def _bare(definition: Definition, experiment: Experiment, recalled: Recalled) -> Explanation:
    """Return what is known without asking a model."""
    proposal, completed = experiment.proposal, recalled.request.observed.completed
    return Explanation(
        campaign=definition.name, experiment=experiment.number, status=experiment.status.value, point=experiment.point,
        context=recalled.request.context,
        source=proposal.source, summary=(), note=proposal.note, exact=recalled.exact or proposal.source in ("user", "imported"),
        learned_from=len(completed), under_way=len(recalled.request.pending), failed=completed.count(False),
        acquisition_name=proposal.acquisition_name, acquisition=proposal.acquisition, novelty=proposal.novelty,
        region=_looked(definition.problem, proposal, recalled),
        expected={name: _outcome(p, _measured(experiment, name)) for name, p in proposal.predictions.items()},
    )  # fmt: skip


def _looked(problem: Problem, proposal: Proposal, recalled: Recalled) -> Looked | None:
    if proposal.region is None:
        return None
    centre, rows = problem.key(proposal.region.around), recalled.request.observed.rows()
    there = [n for n, o in zip(recalled.numbers, rows, strict=True) if problem.key(problem.settings(o.point)) == centre]
    return Looked(side=proposal.region.side, experiment=there[0] if there else None, around=proposal.region.around)


def _measured(experiment: Experiment, name: str) -> float | None:
    observation = experiment.observations.get(name)
    return None if observation is None else observation.value


def _outcome(predicted: Prediction, measured: float | None) -> Outcome:
    low, high = interval_of(predicted)
    sd = predicted.sd
    if predicted.scale is not None and predicted.freedom is not None and predicted.freedom > 2.0:
        sd = predicted.scale * math.sqrt(predicted.freedom / (predicted.freedom - 2.0))  # of Student's t
    if measured is None:
        return Outcome(mean=predicted.mean, sd=sd, low=low, high=high)
    off = (measured - predicted.mean) / sd if sd > 0.0 else 0.0
    return Outcome(mean=predicted.mean, sd=sd, low=low, high=high, measured=measured, inside=low <= measured <= high, off=off)


def _with_model(definition: Definition, experiment: Experiment, recalled: Recalled) -> dict[str, object]:
    """Return what a model of the data that `experiment` rested on tells of its point."""
    problem, proposal, request = definition.problem, experiment.proposal, recalled.request
    found = reconsider(request, _WIDENED in (proposal.acquisition_name or ""))
    encoder, by_model = found.encoder, proposal.source == "model"
    x = encoder.encode([experiment.point])
    success = None if found.feasibility is None else float(found.feasibility.log_probability(x).exp())
    told: dict[str, object] = {
        "novelty": {name: novelty(model, x)[0] for name, model in found.surrogates.items()},
        "success": success,
        "acceptable": _acceptable(problem, found, x),
        "neighbours": _neighbours(found, recalled, experiment.point),
        "binding": _binding(problem, encoder, experiment.point),
        "local": changes_along(problem, found, experiment.point),
        "sensitivity": sensitivities(problem, found, request),
        "models": {
            name: model_told(encoder, model, found.data.get(name), _numbers_of(recalled, name))
            for name, model in found.models.items()
        },
        "expected": {
            name: _outcome(predicted, _measured(experiment, name))
            for name, predicted in found.expect(problem, x, pending=True)[0].items()
        },
    }  # fmt: skip
    told |= _against_best(problem, recalled, found, x)
    if by_model:
        told |= {"same_model": _same_model(proposal, found), "runners_up": _runners_up(problem, found, proposal, x, success)}
        told |= _shares(found, proposal, x)
    return told


def _shares(found: Reconsidered, proposal: Proposal, x: Tensor) -> dict[str, object]:
    """Return how much improvement is expected, and which part of it the predicted means alone promise."""
    if found.score is None or found.certain is None or proposal.acquisition is None or "improvement" not in found.score.name:
        return {}
    if proposal.acquisition_name != found.score.name:  # measured again, for what that tells
        return {}
    # Of several fidelities: what is hoped for at the one that counts.
    exploiting = float(promised(found.score, found.certain, lifted(x, found.encoder.layout)))
    told: dict[str, object] = {"exploiting": exploiting, "exploring": 1.0 - exploiting}
    if "cost" in found.score.name:  # then it is no improvement but one per what an experiment costs
        return told
    return {**told, "improvement": math.exp(min(proposal.acquisition, 700.0))}


def _acceptable(problem: Problem, found: Reconsidered, x: Tensor) -> float | None:
    """Return the probability that the outcomes at `x` meet their bounds; None where there are none, or nothing was measured."""
    limits = [Limits.of(found.models[name], o) for name, o in bounded(problem.objectives).items() if name in found.models]
    return float(Acceptability(limits)(x).detach().exp()) if limits else None


def _against_best(problem: Problem, recalled: Recalled, found: Reconsidered, x: Tensor) -> dict[str, object]:
    """Return the best acceptable value measured then, and the probability that the function is better at `x`.

    Empty unless one objective is wanted, and something acceptable was measured.
    """
    goals = wanted(problem.objectives)
    observed = (o.values for o in recalled.request.observed.rows() if problem.counts(o.point))
    rows = [values for values in observed if values is not None and problem.objectives.keys() <= values.keys()]
    rows = [values for values in rows if standing(problem.objectives, values).feasible]
    if len(goals) != 1 or problem.desirability or problem.explored or not rows:
        return {}
    ((name, objective),) = goals.items()
    best = max((values[name] for values in rows), key=objective.score)
    expected = expected_at(problem, found, x, pending=True)[0][name]
    if objective.target is None:
        better = _phi(objective.sign * (expected.mean - best) / expected.sd)
    else:
        miss = abs(best - objective.target)
        better = _phi((objective.target + miss - expected.mean) / expected.sd)
        better -= _phi((objective.target - miss - expected.mean) / expected.sd)
    return {"best": {name: best}, "better": better}


def _phi(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def _same_model(proposal: Proposal, found: Reconsidered) -> bool:
    kept = {n: r.get("fingerprint") for n, r in proposal.surrogate.items() if isinstance(r, Mapping)}
    return kept == {name: model.report.fingerprint for name, model in found.models.items()}


def _numbers_of(recalled: Recalled, name: str) -> list[int]:
    """Return the numbers of the experiments that the model of an objective learned from, in the order of its data."""
    rows = zip(recalled.numbers, recalled.request.observed.rows(), strict=True)
    return [number for number, o in rows if o.values is not None and name in o.values]


def _neighbours(found: Reconsidered, recalled: Recalled, point: Point) -> tuple[Neighbour, ...]:
    rows = recalled.request.observed.rows()
    measured = [(n, o.point, o.values) for n, o in zip(recalled.numbers, rows, strict=True) if o.values is not None]
    if not measured:
        return ()
    x, X = found.encoder.encode([point]), found.encoder.encode([p for _, p, _ in measured])
    alike = torch.stack([m.similarity(x.to(m.device), X.to(m.device))[0].cpu() for m in found.surrogates.values()]).mean(0)
    nearest = torch.argsort(-alike, stable=True)[:_NEIGHBOURS].tolist()
    problem = recalled.request.problem
    told = []
    for i in nearest:
        number, there, values = measured[i]
        pairs_of = zip(problem.parameters, problem.key(point), problem.key(problem.settings(there)), strict=True)
        differs = tuple(name for name, mine, its in pairs_of if mine != its)
        context = recalled.request.context
        differs += tuple(name for name in problem.context if there.get(name, context.get(name)) != context.get(name))
        similarity = min(1.0, max(float(alike[i]), 1e-300))
        told.append(
            Neighbour(
                experiment=number, point=there, values=values, similarity=similarity,
                distance=math.sqrt(-2.0 * math.log(similarity)), differs=differs,
            )
        )  # fmt: skip
    return tuple(told)


def _binding(problem: Problem, encoder: Encoder, point: Point) -> tuple[str, ...]:
    """Return the bounds and constraints that `point` lies on, in words."""
    lines = []
    for axis, coordinate in zip(encoder.space.axes, encoder.space.coordinates([point])[0], strict=True):
        if axis.categorical or axis.name not in point or (_ON < coordinate < 1.0 - _ON):
            continue
        side = "lower" if coordinate <= _ON else "upper"
        unit = f" {axis.parameter.unit}" if not isinstance(axis.parameter, CategoricalParameter) and axis.parameter.unit else ""
        lines.append(f"the {side} bound of {axis.name}, {point[axis.name]}{unit}")
    for constraint in problem.linear_constraints:
        largest = max([abs(constraint.bound), *(abs(c * float(point[n])) for n, c in constraint.coefficients)])
        if abs(constraint.residual(point)) <= _ON * max(largest, 1e-300):
            lines.append(f"the constraint {constraint.text}")
    lines += [f"the constraint {rule.text}" for rule in problem.rules if _binds(rule, encoder, point)]
    return tuple(lines)


def _binds(rule: Rule, encoder: Encoder, point: Point) -> bool:
    """Say whether a step of a thousandth of the range of a parameter breaks a rule that `point` satisfies."""
    for axis in encoder.space.axes:
        if axis.levels is None and axis.name in rule.numbers and axis.name in point:
            z = axis.coordinate(point[axis.name])
            if any(not rule.allows({**point, axis.name: axis.value(z + step)}) for step in (-_STEP, _STEP)):
                return True
    return False


def _runners_up(
    problem: Problem, found: Reconsidered, proposal: Proposal, x: Tensor, success: float | None
) -> tuple[RunnerUp, ...]:
    if not proposal.runners_up or proposal.acquisition is None:
        return ()
    X = found.encoder.encode([other.point for other in proposal.runners_up])
    chances: list[float | None] = [None] * len(X)
    if found.feasibility is not None:
        chances = [*found.feasibility.log_probability(X).detach().exp().tolist()]
    (mine,), theirs = expected_at(problem, found, x, pending=True), expected_at(problem, found, X, pending=True)
    told = []
    for other, expected, chance in zip(proposal.runners_up, theirs, chances, strict=True):
        share = math.exp(min(0.0, other.acquisition - proposal.acquisition))
        why = why_it_lost(problem.objectives, mine, expected, share, (success, chance))
        told.append(
            RunnerUp(
                point=other.point, acquisition=other.acquisition, share=share, expected=expected, success=chance, why=why
            )
        )  # fmt: skip
    return tuple(told)
