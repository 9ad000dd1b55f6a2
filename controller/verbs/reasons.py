"""What one can ask of a campaign's models: why a point was proposed, which parameters matter, what lies along one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from controller.verbs.logs import read_log
from controller.verbs.stores import Found, find_experiment, show_url

if TYPE_CHECKING:
    from controller.domain.base import Model


def why(found: Found, number: str | None = None, *, device: str = "cpu") -> dict[str, Any]:
    """Return why the point of an experiment was proposed, as `domain.explanation.Explanation` tells it.

    Args:
        found: The campaign.
        number: Number or id of the experiment; None takes the newest that the model proposed, or the newest of all.
        device: `cpu`, `cuda` or `auto`.

    Raises:
        UnknownNameError: If there is no such experiment, or none at all.
        MissingExtraError: If the campaign has structures and RDKit is not installed.
    """
    from controller.engine.thinking_why import explain

    wanted = None if number is None else int(find_experiment(found, number)["number"])
    return _told(found, explain(*read_log(found), wanted, device))


def sensitivity(found: Found, *, device: str = "cpu") -> dict[str, Any]:
    """Return which parameters matter for what, by all that is known now: `domain.explanation.SensitivityReport`.

    Args:
        found: The campaign.
        device: `cpu`, `cuda` or `auto`.

    Raises:
        ConflictError: If nothing was measured yet.
        MissingExtraError: If the campaign has structures and RDKit is not installed.
    """
    from controller.engine.thinking_sensitivity import sensitivity

    return _told(found, sensitivity(*read_log(found), device))


def believed_best(found: Found, *, device: str = "cpu") -> dict[str, Any]:
    """Return the measured settings that are best as the models believe; see `engine.thinking_best.believed_best`.

    Args:
        found: The campaign.
        device: `cpu`, `cuda` or `auto`.

    Raises:
        ConflictError: If nothing was measured yet.
        MissingExtraError: If the campaign has structures and RDKit is not installed.
    """
    from controller.engine.thinking_best import believed_best

    return {**believed_best(*read_log(found), device), "simulated": found.simulated, "store": show_url(found.url)}


def slice_through(found: Found, parameter: str, *, number: str | None = None, device: str = "cpu") -> dict[str, Any]:
    """Return what is expected along a parameter, the others held: `domain.explanation.Slice`.

    Args:
        found: The campaign.
        parameter: Its name.
        number: Number or id of the experiment whose setting the slice goes through; None takes the best.
        device: `cpu`, `cuda` or `auto`.

    Raises:
        UnknownNameError: If there is no such parameter or experiment.
        ConflictError: If nothing was measured yet.
        MissingExtraError: If the campaign has structures and RDKit is not installed.
    """
    from controller.engine.thinking_sensitivity import slice_through

    wanted = None if number is None else int(find_experiment(found, number)["number"])
    return _told(found, slice_through(*read_log(found), parameter, number=wanted, device=device))


def slices_through(
    found: Found, parameters: Sequence[str] = (), *, number: str | None = None, device: str = "cpu"
) -> list[dict[str, Any]]:
    """Return what is expected along several parameters, or along all, the model fitted once; see `slice_through`."""
    from controller.engine.thinking_sensitivity import slices_through

    wanted = None if number is None else int(find_experiment(found, number)["number"])
    return [_told(found, told) for told in slices_through(*read_log(found), parameters, number=wanted, device=device)]


def _told(found: Found, content: Model) -> dict[str, Any]:
    return {**content.model_dump(mode="json"), "simulated": found.simulated, "store": show_url(found.url)}
