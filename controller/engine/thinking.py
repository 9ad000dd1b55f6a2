"""From what is known to what to try next: a pure function of its argument, run in the proposer process."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

from controller.design.acquisition import Acquisition, WithSuccess
from controller.design.certain import Certain
from controller.design.costing import PerCost, Price
from controller.design.exploring import exploration
from controller.design.fidelity import AtFidelity, only_target, relative_costs
from controller.design.goals import log_chance, score_for
from controller.design.hints import with_hints
from controller.design.initial import data_fingerprint, first_asked, first_points, seen_points, stand_in, without_model
from controller.design.region import Region
from controller.design.search import Choice
from controller.domain.base import Point
from controller.domain.campaign import ProposalPolicy
from controller.domain.limits import within
from controller.domain.proposal import Alternative, Basis, Prediction, Proposal, TrustRegion
from controller.domain.request import Observed, Request
from controller.domain.space import Problem
from controller.encoding.columns import Encoder
from controller.engine.referring import references, with_references
from controller.engine.thinking_ground import Ground, ground_of
from controller.engine.thinking_repeats import Repeat, repeat_of
from controller.engine.thinking_search import Found, Search
from controller.errors import MissingExtraError, SpaceExhaustedError
from controller.learn.calibration import CalibrationReport, calibration
from controller.learn.dataset import training_data
from controller.learn.drift import Drifted, drift_note, drifts
from controller.learn.earlier import earlier_data, earlier_points, informs, led_number
from controller.learn.feasibility import Feasibility, fit_feasibility
from controller.learn.fit import fit_informed
from controller.learn.levels import at_target, level_columns, lifted, with_levels
from controller.learn.novelty import novelty
from controller.learn.outliers import outlier_notes
from controller.learn.physics import law_of
from controller.learn.remarks import remarks_on
from controller.learn.software import software
from controller.learn.trust import FREEDOM, Trusted
from surrogates.base import Surrogate
from surrogates.data import TrainingData

__all__ = ["Observed", "Reconsidered", "Request", "calibrations", "predict", "propose", "reconsider", "stand_in"]


@dataclass(frozen=True)
class _Knowledge:
    """Fitted models of all objectives, before pending points are taken into account."""

    surrogates: dict[str, Surrogate]
    data: dict[str, TrainingData]
    feasibility: Feasibility | None
    drifted: dict[str, Drifted] = field(default_factory=dict)
    """By objective, where measurements are said to drift."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: sums in another order are other sums, and the instruments' processes need cores as well."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with _linear_algebra().limit(limits=1):
            yield
    finally:
        torch.set_num_threads(threads)


@cache
def _linear_algebra() -> ThreadpoolController:
    """The libraries that numpy and scipy brought along, which do not ask torch how many threads they may use."""
    return ThreadpoolController().select(user_api="blas")


def propose(request: Request) -> list[Proposal]:
    """Return `request.n` proposals with their reasons; fewer only where fewer settings are left.

    Raises:
        SpaceExhaustedError: If every allowed setting has been proposed.
        MissingExtraError: If the problem has structures and RDKit is not installed.
    """
    with one_thread():
        return [p.model_copy(update={"basis": _basis(request, k)}) for k, p in enumerate(with_references(request, _propose))]


def _basis(request: Request, position: int) -> Basis:
    return Basis(
        events=request.events, number=request.number, position=position, refused=request.refused, device=request.device,
        software=software(),
    )  # fmt: skip


def _propose(request: Request) -> list[Proposal]:
    try:
        ground = ground_of(request.problem, request.context)
    except MissingExtraError:
        raise
    except Exception as error:  # instruments must never wait for a repair of the mathematics
        return stand_in(request, f"the settings could not be encoded ({type(error).__name__}: {error})")
    seen = seen_points(request)
    if asked := first_asked(request, seen):
        return asked + (_propose(_after(request, asked)) if len(asked) < request.n else [])
    observed = request.observed.rows()
    complete = [o for o in observed if _is_complete(o, request.problem)]
    wanted = first_points(request.problem, request.policy)
    # Points under way count as first points, or a batch would be filled with them again and again.
    done = len(complete) + len(request.pending) - references(request, complete)
    informed = informs(request.problem)
    first = max(wanted - done, 0) if complete else request.n
    proposals: list[Proposal] = []
    if led := led_number(request.problem, wanted, listed=ground.listing is not None):
        ahead = led - request.number
        if 0 <= ahead < request.n and request.n > 1:  # it is one of several that are asked for
            proposals = _propose(request.model_copy(update={"n": max(ahead, 1)}))
            return proposals + _propose(_after(request, proposals))
        first = 0 if ahead == 0 else first
    if first:
        note = f"one of the first {wanted}" if len(seen) < wanted else "nothing was measured yet that a model could use"
        proposals = without_model(
            request.model_copy(update={"n": min(first, request.n)}), "space-filling", note, ground.encoder.space
        )
    if len(proposals) < request.n and (complete or informed):
        try:
            proposals += _with_model(request, ground, observed, proposals)
        except SpaceExhaustedError:
            if not proposals:
                raise
        except Exception as error:  # whatever the numbers do, the instruments get something sensible to do
            rest = request.model_copy(
                update={
                    "n": request.n - len(proposals),
                    "pending": (*request.pending, *(p.point for p in proposals)),
                }
            )
            proposals += stand_in(rest, f"the model failed ({type(error).__name__}: {error})")
    return proposals


def _after(request: Request, proposals: Sequence[Proposal]) -> Request:
    """Return what is still asked for once `proposals` are under way."""
    pending = (*request.pending, *(proposal.point for proposal in proposals))
    n, number = request.n - len(proposals), request.number + len(proposals)
    return request.model_copy(update={"n": n, "number": number, "pending": pending})


def predict(
    problem: Problem,
    policy: ProposalPolicy,
    observed: Sequence[Observed],
    points: Sequence[Point],
    seed: int,
    device: str = "auto",
    surprises: Mapping[str, Sequence[float]] = MappingProxyType({}),
) -> list[dict[str, Prediction]]:
    """Return what is expected of each objective at `points`, on the objectives' own scales; `surprises` as in a `Request`.

    An objective without any value yet is left out.
    """
    with one_thread():
        ground = ground_of(problem)
        knowledge = _learn(problem, policy, ground, observed, seed, device)
        trusted = Trusted.of(knowledge.surrogates, knowledge.data, surprises)
        return _predictions(problem, knowledge.surrogates, trusted, ground.encoder.encode(points))


def calibrations(
    problem: Problem, policy: ProposalPolicy, observed: Sequence[Observed], seed: int, device: str = "auto"
) -> dict[str, CalibrationReport]:
    """Return per objective how well its model predicts each observation from the others; too few give no report."""
    with one_thread():
        knowledge = _learn(problem, policy, ground_of(problem), observed, seed, device)
    reports = {name: calibration(knowledge.surrogates[name], rows) for name, rows in knowledge.data.items()}
    return {name: report for name, report in reports.items() if report is not None}


@dataclass(frozen=True)
class Reconsidered:
    """What a proposal rested on, thought through again: models, and what was searched with them."""

    encoder: Encoder
    listed: bool
    """Whether points are chosen from a list."""
    surrogates: dict[str, Surrogate]
    """Of what was measured alone."""
    models: dict[str, Surrogate]
    """The same once points under way are believed."""
    data: dict[str, TrainingData]
    trusted: Trusted
    feasibility: Feasibility | None
    score: Acquisition | None
    """What was searched; None while no result is complete."""
    certain: Acquisition | None
    """The same as if every prediction were certain: what the means alone promise; None where uncertainty itself is sought."""
    drifted: dict[str, Drifted] = field(default_factory=dict)
    """What was learned of the drift of each objective, where measurements are said to drift."""

    def expect(self, problem: Problem, X: Tensor, *, pending: bool) -> list[dict[str, Prediction]]:
        """Return what is expected at the rows of `X` (n x d), with points under way believed or not."""
        return _predictions(problem, self.models if pending else self.surrogates, self.trusted, X)


def reconsider(request: Request, widened: bool = False) -> Reconsidered:
    """Return what the proposal asked for by `request` (its `n` is one) rests on.

    Args:
        request: As it was asked.
        widened: Whether the search was repeated with the widened acquisition function, as the proposal's name for it tells.

    Raises:
        MissingExtraError: If the problem has structures and RDKit is not installed.
    """
    ground, observed, problem = ground_of(request.problem, request.context), request.observed.rows(), request.problem
    seed = int(np.random.default_rng([request.seed, request.number]).integers(2**31))
    knowledge = _learn(problem, request.policy, ground, observed, seed, request.device)
    believed = ground.encoder.encode(request.pending)
    models = _condition(knowledge.surrogates, believed)
    complete = _complete(observed, problem)
    score = certain = None
    if (complete or informs(problem)) and knowledge.surrogates.keys() == problem.objectives.keys():
        price, dear = _price(request, ground.encoder, request.pending), only_target(request, request.pending)
        score = _score(problem, ground, knowledge, models, complete, believed, seed, price, dear=dear)
        if widened:
            score = score.widened(-math.inf) or score
        if not problem.explored:  # what is sought there is what is not known
            sure = {name: Certain(model) for name, model in models.items()}
            certain = _score(problem, ground, knowledge, sure, complete, believed, seed, price, dear=dear)
    return Reconsidered(
        ground.encoder, ground.listing is not None, knowledge.surrogates, models, knowledge.data,
        Trusted.of(knowledge.surrogates, knowledge.data, request.surprises), knowledge.feasibility, score, certain,
        knowledge.drifted,
    )  # fmt: skip


def _complete(observed: Sequence[Observed], problem: Problem) -> list[Observed]:
    """Return the experiments that have a value of every objective; of several fidelities those at the target, if there are any."""
    complete = [o for o in observed if _is_complete(o, problem)]
    return [o for o in complete if problem.counts(o.point)] or complete


def _is_complete(observed: Observed, problem: Problem) -> bool:
    return observed.values is not None and problem.objectives.keys() <= observed.values.keys()


def _learn(
    problem: Problem, policy: ProposalPolicy, ground: Ground, observed: Sequence[Observed], seed: int, device: str
) -> _Knowledge:
    data = {
        name: found
        for name, objective in problem.objectives.items()
        if (found := training_data(ground.encoder, observed, name, objective)) is not None
    }
    drifted = {} if problem.drift is None else drifts(problem.drift, data, observed)
    data |= {name: found.data for name, found in drifted.items()}
    surrogates = {
        name: surrogate
        for name, objective in problem.objectives.items()
        if (
            surrogate := fit_informed(
                policy.surrogate,
                data.get(name),
                earlier_data(ground.encoder, problem.earlier, name, objective),
                objective,
                listed=ground.listing is not None,
                seed=seed,
                device=device,
                law=law_of(problem, ground.encoder, name),
            )
        )
        is not None
    }
    if problem.fidelity is not None:
        data = {name: rows.rows(there) for name, rows in data.items() if bool((there := at_target(rows.X, rows.layout)).any())}
    return _Knowledge(surrogates, data, fit_feasibility(ground.encoder, observed, device), drifted)


def _with_model(
    request: Request, ground: Ground, observed: Sequence[Observed], earlier: Sequence[Proposal]
) -> list[Proposal]:
    begin = time.perf_counter()
    problem, encoder = request.problem, ground.encoder
    complete = _complete(observed, problem)
    ended = len(observed) + request.left_out
    notes = [f"learned from {len(observed)} of {ended} experiments"] if request.left_out else []
    seed = int(np.random.default_rng([request.seed, request.number + len(earlier)]).integers(2**31))
    knowledge = _learn(problem, request.policy, ground, observed, seed, request.device)
    trusted = Trusted.of(knowledge.surrogates, knowledge.data, request.surprises)
    pending = list(request.pending) + [p.point for p in earlier]
    notes += outlier_notes(observed, knowledge.surrogates)
    notes += [drift_note(name, problem.objectives[name], drifted) for name, drifted in knowledge.drifted.items()]
    search = Search(request, ground, complete, pending)
    remarks = remarks_on(knowledge.surrogates)
    proposals: list[Proposal] = []
    for k in range(request.n - len(earlier)):
        believed = encoder.encode(pending)
        models = _condition(knowledge.surrogates, believed)
        price, dear = _price(request, encoder, pending), only_target(request, pending)
        score = _score(problem, ground, knowledge, models, complete, believed, seed, price, dear=dear)
        try:
            found = search.best(score, seed + k)
        except SpaceExhaustedError:
            if problem.allow_replicates != "auto":
                if proposals:
                    break
                raise
            found = Found(score, [], None)
        repeat = _repeat(problem, ground, knowledge, models, complete, found.choices, seed, price)
        if repeat is not None:
            found = Found(score, [repeat.choice], None)
        if not found.choices:
            if proposals:
                break
            raise SpaceExhaustedError("all allowed settings have been measured, and measuring one again would tell nothing")
        best = found.choices[0]
        told = notes if repeat is None else [repeat.note, *notes]
        x = lifted(encoder.encode([best.point]), encoder.layout)
        proposals.append(
            Proposal(
                point=best.point,
                source="model",
                acquisition=best.score,
                acquisition_name=found.score.name if repeat is None else "knowledge gradient",
                predictions=_of_target(problem, best.point, _predictions(problem, models, trusted, x)[0]),
                # Against what was measured: points under way are believed, not known.
                novelty={name: novelty(surrogate, x)[0] for name, surrogate in knowledge.surrogates.items()},
                surrogate={name: model.report.model_dump(mode="json") for name, model in models.items()},
                runners_up=tuple(Alternative(point=c.point, acquisition=c.score) for c in found.choices[1:]),
                region=_told(ground, found.region),
                data_fingerprint=data_fingerprint(request, pending[len(request.pending) :]),
                seed=request.seed,
                seconds=time.perf_counter() - begin,
                context=request.context,
                note="; ".join([*told, *remarks]),
            )
        )
        begin = time.perf_counter()
        pending.append(best.point)
        search.take(best.point)
    return proposals


def _score(
    problem: Problem, ground: Ground, knowledge: _Knowledge, models: Mapping[str, Surrogate],
    complete: Sequence[Observed], believed: Tensor, seed: int, price: Price | None, *, dear: bool,
) -> Acquisition:  # fmt: skip
    """Return what is searched: the acquisition function over `models`, with all that counts beside the objectives.

    `dear` says that cheaper fidelities have cost enough for now.
    """
    layout = ground.encoder.layout
    # Results that count; before there is one, the settings of others say what is to be surpassed.
    counting = [c for c in complete if problem.counts(c.point)]
    measured = {
        name: o.sign * torch.tensor([[c.values[name]] for c in counting if c.values is not None], dtype=torch.float64)
        for name, o in problem.objectives.items()
    }
    # What was measured in another context is compared with for what it would bring now.
    known = [problem.settings(c.point) for c in complete] or earlier_points(problem)
    done = lifted(ground.encoder.encode(known), layout)
    if not counting:
        measured = {name: model.predict(done)[0].detach().cpu().unsqueeze(-1) for name, model in models.items()}
    # Where it is worth while to measure again, values drift, or outliers are known, the best observed value may be a lucky one.
    named = any(model.report.outliers for model in models.values())
    lucky = problem.allow_replicates == "auto" or problem.drift is not None or named
    best_observed = ground.listing is not None and not lucky and not problem.context and len(counting) > 0
    if problem.explored:
        score: Acquisition = exploration(problem, ground.encoder, ground.listing, models, seed)
    else:
        score = score_for(problem, models, measured, done, lifted(believed, layout), best_observed=best_observed, seed=seed)
    if problem.fidelity is not None:
        parts = tuple(with_levels(model) for model in models.values())
        score = AtFidelity(score, parts, level_columns(layout), relative_costs(problem), only_target=dear)
    score = with_hints(score, problem, ground.encoder, len(counting))
    if knowledge.feasibility is not None:
        score = WithSuccess(score, knowledge.feasibility.log_probability)
    return score if price is None else PerCost(score, price)


def _price(request: Request, encoder: Encoder, pending: Sequence[Point]) -> Price | None:
    """Return what the next experiment costs, and how much that counts; None where nothing is said of it."""
    if request.problem.cost is None or request.cooling is None or request.problem.fidelity is not None:
        return None  # of several fidelities, what each tells is weighed against what it costs anyway
    return Price(request.problem.cost, encoder, pending[-1] if pending else request.previous, request.cooling)


def _repeat(
    problem: Problem, ground: Ground, knowledge: _Knowledge, models: Mapping[str, Surrogate],
    complete: Sequence[Observed], choices: Sequence[Choice], seed: int, price: Price | None,
) -> Repeat | None:  # fmt: skip
    """Return the setting to be measured again instead of the best of `choices`, where that is to be decided and tells more."""
    if problem.allow_replicates != "auto":
        return None
    complete = [o.model_copy(update={"point": problem.settings(o.point)}) for o in complete]
    X = lifted(ground.encoder.encode([c.point for c in choices]), ground.encoder.layout)
    chance = log_chance(problem, models, X)
    if knowledge.feasibility is not None and len(X):
        chance = chance + knowledge.feasibility.log_probability(X).detach().cpu()
    return repeat_of(problem, ground.encoder, models, complete, choices, chance.detach().exp(), price, seed)


def _condition(surrogates: dict[str, Surrogate], believed: Tensor) -> dict[str, Surrogate]:
    if not len(believed):
        return surrogates
    return {name: s.condition_on_pending(believed.to(s.device)) for name, s in surrogates.items()}


def _told(ground: Ground, region: Region | None) -> TrustRegion | None:
    return None if region is None else TrustRegion(around=ground.encoder.space.point(region.centre), side=region.side)


def _of_target(problem: Problem, point: Point, predictions: dict[str, Prediction]) -> dict[str, Prediction]:
    """Return predictions of the fidelity that counts; what is measured at another one at `point` cannot put them to the test."""
    if problem.counts(point):
        return predictions
    return {name: Prediction(mean=p.mean, sd=p.sd, limits=p.limits) for name, p in predictions.items()}


def _predictions(
    problem: Problem, models: Mapping[str, Surrogate], trusted: Trusted, X: Tensor
) -> list[dict[str, Prediction]]:
    """Return what `models`, which believe in what is under way, expect at `X` (n x d), and what will be measured there."""
    rows: list[dict[str, Prediction]] = [{} for _ in range(len(X))]
    for name, model in models.items():
        mean, sd = (t.detach().cpu() for t in model.predict(X.to(model.device)))
        objective = problem.objectives[name]
        corrected = trusted.corrections.get(name)
        for row, m, s, scale in zip(rows, mean.tolist(), sd.tolist(), trusted.scales(name, X), strict=True):
            middle = objective.sign * m
            told = within(middle, objective.limits)
            row[name] = Prediction(
                mean=told, sd=s, scale=scale, freedom=FREEDOM, limits=objective.limits, centre=None if told == middle else middle,
                correction=corrected,
            )  # fmt: skip
    return rows
