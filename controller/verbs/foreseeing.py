"""What further experiments of a campaign will probably bring."""

from __future__ import annotations

from typing import Any

from controller.errors import ConflictError
from controller.verbs.logs import read_log
from controller.verbs.stores import Found


def forecast(
    found: Found, experiments: int | None = None, *, by: float | None = None, worth: float | None = None, device: str = "cpu"
) -> dict[str, Any]:
    """Return the forecast as JSON data: what `domain.forecast.Forecast` holds, and whose it is.

    Args:
        found: The campaign.
        experiments: How many further experiments; what is left of the budget where nothing is said, 10 if that is nothing.
        by: An amount of improvement whose probability is asked for.
        worth: What one experiment must bring at least.
        device: `cpu`, `cuda` or `auto`.

    Raises:
        ConflictError: If too little is known, no setting is left, or a number cannot be.
    """
    from controller.domain.state import fold
    from controller.engine.asking import request_for
    from controller.engine.foreseeing import MOST, foresee
    from controller.engine.snapshot import best_so_far
    from controller.learn.stopping import experiments_left

    definition, events = read_log(found)
    state = fold(events)
    left = experiments_left(definition.budget, state)
    if experiments is None:
        experiments = min(left, MOST) or 10
    request = request_for(definition, state, best_so_far(definition, state).numbers(), 1, device)
    try:
        told = foresee(request, experiments, by=by, worth=worth)
    except ConflictError as error:
        raise ConflictError(f"campaign {found.name}: {error}") from None
    return {
        "campaign": found.name, "simulated": found.simulated, "budget_left": left, "worth": worth,
        "desirability": sorted(definition.problem.desirability), **told.model_dump(mode="json"),
    }  # fmt: skip
