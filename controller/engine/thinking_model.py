"""A fitted model as people are told of it: members, lengthscales in the units of the parameters, how well it predicts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from controller.domain.explanation import ModelMember, ModelTold, Quality, Scale
from controller.domain.parameter import CategoricalParameter, ContinuousParameter
from controller.encoding.columns import Encoder
from controller.encoding.space import Axis
from controller.learn.calibration import calibration
from surrogates.base import Surrogate
from surrogates.data import TrainingData
from surrogates.report import MemberReport


def model_told(encoder: Encoder, model: Surrogate, data: TrainingData | None, numbers: Sequence[int]) -> ModelTold:
    """Return what there is to tell of the model of one objective.

    Args:
        encoder: Of the problem.
        model: Fitted.
        data: What it was fitted to; None where it rests on what was known before the first result.
        numbers: Of the experiments, in the order of the data.
    """
    report, quality = model.report, None if data is None else calibration(model, data)
    return ModelTold(
        kind=report.kind, observations=report.observations, pending=report.pending,
        members=tuple(_member(encoder, member) for member in report.members), choices=_choices(encoder, model),
        warnings=report.warnings,
        quality=None if quality is None else Quality(
            observations=quality.observations, r2=quality.r2, rmse=quality.rmse, coverage_50=quality.coverage_50,
            coverage_90=quality.coverage_90, worst_experiment=numbers[quality.worst], worst_z=quality.worst_z,
        ),
    )  # fmt: skip


def _member(encoder: Encoder, member: MemberReport) -> ModelMember:
    known = member.hyperparameters
    variance = known.get("noise_variance")
    scales = []
    for axis in encoder.space.axes:
        found = known.get(f"lengthscale.{axis.name}")
        if isinstance(found, tuple) and len(found) == 1 and not isinstance(axis.parameter, CategoricalParameter):
            scales.append(_scale(axis, found[0]))
    return ModelMember(
        name=member.name, weight=member.weight, reporting_weight=member.reporting_weight,
        noise=math.sqrt(variance) if isinstance(variance, float) else None, scales=tuple(scales),
    )  # fmt: skip


def _scale(axis: Axis, share: float) -> Scale:
    """Return a lengthscale, given as a share of the axis, in the unit of the parameter."""
    logarithmic = isinstance(axis.parameter, ContinuousParameter) and axis.parameter.scale == "log"
    unit = None if isinstance(axis.parameter, CategoricalParameter) else axis.parameter.unit
    if logarithmic:
        factor = math.exp(min(share * math.log(axis.upper / axis.lower), 700.0))
        return Scale(parameter=axis.name, lengthscale=factor, logarithmic=True, unit=None)
    return Scale(parameter=axis.name, lengthscale=share * (axis.upper - axis.lower), logarithmic=False, unit=unit)


def _choices(encoder: Encoder, model: Surrogate) -> dict[str, tuple[float, float]]:
    told = {}
    base = torch.zeros(len(encoder.space.axes), dtype=torch.float64)
    for j, axis in enumerate(encoder.space.axes):
        if axis.levels is None or not axis.categorical or len(axis.levels) < 2:
            continue
        z = base.repeat(len(axis.levels), 1)
        z[:, j] = torch.from_numpy(axis.levels)
        X = encoder.columns(z).to(model.device)
        alike = model.similarity(X, X).cpu()[~torch.eye(len(X), dtype=torch.bool)]
        told[axis.name] = (float(alike.min()), float(alike.max()))
    return told
