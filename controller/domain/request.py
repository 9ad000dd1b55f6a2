"""What the proposer process is asked: everything that a proposal depends on, and nothing else."""

from __future__ import annotations

from controller.domain.base import Model, Point
from controller.domain.campaign import ProposalPolicy
from controller.domain.space import Problem


class Observed(Model):
    """One experiment that has ended."""

    point: Point
    values: dict[str, float] | None
    """Objective name -> value [the objective's unit]; None: it failed there."""
    sem: dict[str, float] = {}


class Request(Model):
    """Propose `n` points for `problem`, given what is known and what is under way."""

    problem: Problem
    policy: ProposalPolicy
    observed: tuple[Observed, ...]
    """In the order of the experiments' numbers."""
    pending: tuple[Point, ...]
    n: int = 1
    number: int
    """Number of the first experiment to be proposed."""
    seed: int
    device: str = "auto"
