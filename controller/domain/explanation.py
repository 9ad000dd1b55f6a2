"""Why a point was proposed and what matters: plain data, under the same names on the command line, over HTTP and in Python."""

from __future__ import annotations

from typing import Literal

from controller.domain.base import Model, Point, Value
from controller.domain.proposal import Novelty

LEVEL = 0.8
"""Share of new measurements that an interval told to people is to hold."""


class Expected(Model):
    """What a model expects of one objective at one point [its unit]."""

    mean: float
    sd: float
    """Of what holds there; what instruments scatter comes on top."""
    low: float
    high: float
    """The 80 % interval of a new measurement, calibrated."""


class Outcome(Model):
    """What was expected of one objective, and what came [its unit]."""

    mean: float
    sd: float
    """Of a new measurement: the model's own uncertainty and the scatter of measurements, calibrated."""
    low: float
    high: float
    """The 80 % interval of a new measurement."""
    measured: float | None = None
    """None while nothing was measured."""
    inside: bool | None = None
    """Whether that lies within the interval."""
    off: float | None = None
    """How far it lies from the mean, in standard deviations; above zero where it is larger."""


class Neighbour(Model):
    """A measured point near another, in the model's own metric."""

    experiment: int
    point: Point
    values: dict[str, float]
    similarity: float
    """Prior correlation of the objectives at the two points, on average: 1 where the model cannot tell them apart."""
    distance: float
    """The same as a distance, in lengthscales: `sqrt(-2 log(similarity))`."""
    differs: tuple[str, ...]
    """Parameters that are set differently."""


class Effect(Model):
    """How much one parameter matters for one objective."""

    parameter: str
    """Or context variable."""
    total: float
    """Total-effect Sobol' index of the predicted mean: the share of its variance over the space that stays when all but this
    parameter are known. With interactions they add up to more than one."""
    low: float
    high: float
    """80 % interval of the same index over the functions that the data allow."""
    first: float | None = None
    """First-order index: the share that goes when this parameter alone is known; None where parameters depend on each other."""
    trend: float | None = None
    """Correlation of the predicted mean with the parameter, -1 to 1; None for choices."""


class Sensitivity(Model):
    """Which parameters matter for one objective, the one that matters most first."""

    observations: int
    r2: float | None
    """Share of the variance of the measured values that the model predicts from the others; None for fewer than five."""
    spread: float
    """Standard deviation of the predicted mean over the space [unit of the objective]."""
    effects: tuple[Effect, ...]


class SensitivityReport(Model):
    """Which parameters matter."""

    campaign: str
    how: str
    """What the indices were computed over, in words."""
    objectives: dict[str, Sensitivity]
    """By objective; one without any value is left out."""


class SliceValue(Model):
    """One setting on a slice."""

    value: Value
    point: Point
    expected: dict[str, Expected]
    allowed: bool
    """Whether the setting may be proposed; in a pool hardly any but the first may."""


class Slice(Model):
    """What is expected along one parameter, the others held."""

    campaign: str
    parameter: str
    unit: str | None
    through: Point
    """With the context as it is now."""
    experiment: int
    """Whose setting that is."""
    moved: tuple[str, ...]
    """Other parameters that have to give way, in an equality."""
    values: tuple[SliceValue, ...]


class Scale(Model):
    """How far a number must change before the model takes what it knows there for little use."""

    parameter: str
    lengthscale: float
    """In the parameter's unit; the factor where `logarithmic`."""
    logarithmic: bool
    unit: str | None


class ModelMember(Model):
    """One member of an ensemble."""

    name: str
    weight: float
    """Share in the acquisition function."""
    reporting_weight: float
    """Share in what is told to people."""
    noise: float | None
    """Standard deviation of measurements around the function, as a share of the spread of the values as the member sees them;
    None for a member that has none of its own."""
    scales: tuple[Scale, ...]


class Quality(Model):
    """How a model predicts each observation from the others."""

    observations: int
    r2: float | None
    rmse: float
    """[unit of the objective]"""
    coverage_50: float
    coverage_90: float
    worst_experiment: int
    """The observation that surprises most."""
    worst_z: float
    """By how many standard deviations."""


class ModelTold(Model):
    """The model of one objective."""

    kind: str
    observations: int
    pending: int
    members: tuple[ModelMember, ...]
    choices: dict[str, tuple[float, float]]
    """Per parameter with choices the least and the largest prior correlation of two of them."""
    warnings: tuple[str, ...]
    quality: Quality | None
    """None for fewer than five observations."""


class RunnerUp(Model):
    """A point that came close, and why it lost."""

    point: Point
    acquisition: float
    share: float
    """Its acquisition as a share of the proposed point's: of the expected improvement, for one objective."""
    expected: dict[str, Expected]
    success: float | None
    why: str


class Local(Model):
    """How far the predicted mean of each objective goes along one parameter through the point, the others held."""

    parameter: str
    low: dict[str, float]
    high: dict[str, float]
    """Least and largest predicted mean by objective [its unit]."""


class Looked(Model):
    """The trust region in which a point was looked for."""

    side: float
    """As a share of each parameter's range."""
    experiment: int | None
    """Around which; None where the log has none with that setting."""
    around: Point
    """Its setting."""


class Explanation(Model):
    """Why a point was proposed."""

    campaign: str
    experiment: int
    status: str
    point: Point
    context: Point = {}
    """What the context was when it was asked for."""
    source: Literal["space-filling", "model", "stand-in", "user", "reference", "imported"]
    summary: tuple[str, ...]
    """The answer in sentences."""
    note: str
    exact: bool
    """Whether the data are found again that the proposal rested on, by their fingerprint."""
    same_model: bool | None = None
    """Whether the model comes out the same today, by the fingerprint of its fitted state; None without one."""
    learned_from: int
    under_way: int
    failed: int
    """Failed experiments among those that were learned from."""
    acquisition_name: str | None = None
    acquisition: float | None = None
    improvement: float | None = None
    """Expected improvement, the chance of failing or of missing a bound counted in [unit of the objective]; for several
    objectives of the hypervolume, in units of their ranges, or of the overall desirability."""
    exploiting: float | None = None
    """Share of the expected improvement that the predicted mean promises."""
    exploring: float | None = None
    """Share that comes from what the model does not know; the two add up to one."""
    better: float | None = None
    """Probability that the function is better there than the best measured value; for one objective."""
    best: dict[str, float] = {}
    """Best acceptable value measured then, for one objective."""
    expected: dict[str, Outcome] = {}
    success: float | None = None
    """Probability that the experiment succeeds, where some had failed."""
    acceptable: float | None = None
    """Probability that the outcome constraints are met, where there are any."""
    novelty: dict[str, Novelty] = {}
    region: Looked | None = None
    """In which it was looked for; None where that was the whole space."""
    neighbours: tuple[Neighbour, ...] = ()
    binding: tuple[str, ...] = ()
    """Bounds and constraints that the point lies on."""
    local: tuple[Local, ...] = ()
    sensitivity: dict[str, Sensitivity] = {}
    runners_up: tuple[RunnerUp, ...] = ()
    models: dict[str, ModelTold] = {}
