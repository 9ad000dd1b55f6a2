"""Which members an ensemble of Gaussian processes gets when its specification does not name them."""

from __future__ import annotations

from surrogates.data import TrainingData
from surrogates.specs import GPMember, GPSpec

# Measured on tables of real experiments: one member with a tight, long prior needs the fewest experiments.
TABLE = (GPMember(kernel="matern52", transform="standard", prior="tight"),)
# Measured on test functions: two kernels and two output transforms, weighted by how they predict left-out observations.
FUNCTION = (
    GPMember(kernel="matern52", transform="standard", prior="gamma"),
    GPMember(kernel="rbf", transform="standard", prior="gamma"),
    GPMember(kernel="matern52", transform="log_tail", prior="gamma"),
    GPMember(kernel="rbf", transform="log_tail", prior="gamma"),
)
# The same of a few numbers and nothing else: what their lengthscales have in common is soon known.
NUMBERS = tuple(member.model_copy(update={"prior": "hierarchical"}) for member in FUNCTION)
# Of more, some will hardly matter, and their lengthscales are not like those of the others.
_FEW = 10


def members_of(spec: GPSpec, data: TrainingData, *, pool: bool) -> tuple[GPMember, ...]:
    """The members that a specification stands for.

    Args:
        spec: The specification.
        data: What they will be fitted to. While its values are all equal, they say nothing but that the function is flat: all
            lengthscales would grow together, and the search crowd in the corners.
        pool: Whether points come from a finite pool.

    Returns:
        The members in order.
    """
    if spec.members is not None:
        return spec.members
    if spec.recipe == "table" or (spec.recipe == "auto" and pool):
        return TABLE
    kinds = data.layout.kind_of_lengthscale
    numbers = 1 < len(kinds) <= _FEW and set(kinds) == {"numeric"}
    return NUMBERS if numbers and bool(data.Y.max() > data.Y.min()) else FUNCTION
