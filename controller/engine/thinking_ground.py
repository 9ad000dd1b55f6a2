"""What a problem looks like to a model: its encoder and, where settings can be listed, the list; kept from one time to the next."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from controller.design.candidates import Listing, listing
from controller.domain.base import Value
from controller.domain.space import Problem
from controller.encoding.columns import Encoder

_ENCODERS_KEPT = 8
# Of all lists that are kept together, eight bytes each; the newest is kept in any case.
_MOST_CELLS = 100_000_000


@dataclass(frozen=True)
class Ground:
    """What a problem looks like to a model; the same for every proposal of a campaign."""

    encoder: Encoder
    listing: Listing | None
    X: Tensor
    """Columns of the listed settings (n x d); none of a large list, of which chunks are encoded as they are needed."""

    @classmethod
    def of(cls, problem: Problem) -> Ground:
        """Return the ground of `problem`."""
        encoder = Encoder.of(problem)
        found = listing(encoder.space)
        z = np.zeros((0, encoder.space.p)) if found is None or found.large else found.z
        return cls(encoder, found, encoder.columns(torch.from_numpy(z)))


_grounds: OrderedDict[str, Ground] = OrderedDict()
"""By the JSON text of the problem, the newest last; a large pool stands in it as its hash."""


def ground_of(problem: Problem, context: Mapping[str, Value] | None = None) -> Ground:
    """Return the ground of a problem, for what the context is now."""
    ground = _lasting_ground(problem)
    if not problem.context or context is None:
        return ground
    encoder = ground.encoder.at(context)
    X = encoder.columns(torch.from_numpy(ground.listing.z)) if len(ground.X) and ground.listing is not None else ground.X
    return Ground(encoder, ground.listing, X)


def _lasting_ground(problem: Problem) -> Ground:
    text = problem.model_dump_json()
    ground = _grounds.pop(text, None) or Ground.of(problem)
    _grounds[text] = ground
    while len(_grounds) > _ENCODERS_KEPT or (len(_grounds) > 1 and _cells_kept() > _MOST_CELLS):
        _grounds.popitem(last=False)
    return ground


def _cells_kept() -> int:
    return sum(g.listing.z.size for g in _grounds.values() if g.listing is not None)
