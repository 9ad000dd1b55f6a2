"""Which members an ensemble of Gaussian processes gets when its specification does not name them."""

from __future__ import annotations

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


def members_of(spec: GPSpec, *, pool: bool) -> tuple[GPMember, ...]:
    """The members that a specification stands for.

    Args:
        spec: The specification.
        pool: Whether points come from a finite pool.

    Returns:
        The members in order.
    """
    if spec.members is not None:
        return spec.members
    if spec.recipe == "table" or (spec.recipe == "auto" and pool):
        return TABLE
    return FUNCTION
