"""Which surrogate to use: frozen, serialisable and free of torch, so that campaign files can embed it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

KernelName = Literal["matern52", "rbf"]
TransformName = Literal["standard", "log_tail"]
PriorName = Literal["tight", "gamma", "hierarchical"]
Recipe = Literal["auto", "table", "function"]
NoiseName = Literal["normal", "robust", "heteroscedastic"]
ChoicesName = Literal["apart", "embedded"]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GPMember(_Spec):
    """One Gaussian process of an ensemble.

    Attributes:
        kernel: Covariance function, with one lengthscale per column, or per group of tied columns.
        transform: How observed values are put on the scale of the model. `log_tail` compresses values below the median.
        prior: `tight` keeps lengthscales long and the output scale at one, so that one observation is enough to begin
            with; `gamma` lets the data decide and has an output scale; `hierarchical` does so too, but holds the lengthscales of
            numbers to be alike until the data tell them apart.
    """

    kernel: KernelName = "matern52"
    transform: TransformName = "standard"
    prior: PriorName = "tight"


class GPSpec(_Spec):
    """An ensemble of Gaussian processes, each at its most probable hyperparameters.

    Attributes:
        members: The members; None takes those of `recipe`.
        recipe: `table` for measured tables and other finite pools, `function` for continuous spaces, `auto` chooses.
        noise: `normal` is the same everywhere, but for observations with a standard error; `robust` finds outliers, names them and
            lets them count for less; `heteroscedastic` learns where the noise is large.
        choices: How choices without descriptors resemble each other. `apart`: each is as far from all others as its own
            lengthscale says. `embedded`: besides, each has a place in a plane, learned from the results, so that choices that act
            alike lie together.
    """

    kind: Literal["gp"] = "gp"
    members: Annotated[tuple[GPMember, ...], Field(min_length=1, max_length=100)] | None = None
    recipe: Recipe = "auto"
    # Left out where it is the default: fingerprints of campaigns from before it stay theirs.
    noise: Annotated[NoiseName, Field(exclude_if=lambda name: name == "normal")] = "normal"
    choices: Annotated[ChoicesName, Field(exclude_if=lambda name: name == "apart")] = "apart"


class DeepEnsembleSpec(_Spec):
    """An ensemble of small neural networks with randomised priors, for data too many for a Gaussian process.

    Attributes:
        members: Number of networks.
        hidden: Width of each hidden layer.
        epochs: Full-batch steps of Adam.
        learning_rate: Step size at the start; it falls to zero along a cosine.
        prior_scale: Size of the fixed random function added to each network, in standard deviations of the data.
        chunk: Rows per pass while the gradient is gathered; None takes 256 on a CPU and all rows on a GPU.
    """

    kind: Literal["deep_ensemble"] = "deep_ensemble"
    members: int = Field(default=10, ge=2, le=1000)
    hidden: Annotated[tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(min_length=1, max_length=8)] = (64, 64)
    epochs: int = Field(default=300, ge=1, le=100_000)
    learning_rate: float = Field(default=0.01, gt=0, le=1)
    prior_scale: float = Field(default=0.5, ge=0, le=10)
    chunk: int | None = Field(default=None, ge=1)


class RandomForestSpec(_Spec):
    """A random forest: a baseline that knows no distances, for categories whose effects hang on each other and for steps.

    Attributes:
        trees: Number of trees.
        features: Share of the columns that each split may choose from.
        leaf: Fewest observations in a leaf.
    """

    kind: Literal["random_forest"] = "random_forest"
    trees: int = Field(default=100, ge=2, le=10_000)
    features: float = Field(default=0.8, gt=0, le=1)
    leaf: int = Field(default=1, ge=1, le=1000)


class AutoSpec(_Spec):
    """Gaussian processes while observations are few, then a deep ensemble: above 400 of a list, 1500 elsewhere or of molecules."""

    kind: Literal["auto"] = "auto"


AnySpec = GPSpec | DeepEnsembleSpec | RandomForestSpec | AutoSpec
SurrogateSpec = Annotated[AnySpec, Field(discriminator="kind")]
