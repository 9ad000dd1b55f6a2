"""What is wrong with a file that users write, told without raising."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from controller.domain.space import Problem
from controller.errors import FileFaultsError
from controller.files.earlier import ReadCampaign
from controller.files.faults import Faults
from controller.files.loading import load_campaign, load_lab
from controller.files.reading import read_document
from controller.files.telling import load_notify

CAMPAIGN_KEYS = ("campaign", "parameters", "objectives", "budget")
LAB_KEYS = ("instruments", "protocol", "simulator")
NOTIFY_KEYS = ("targets", "away_after")


def check_file(
    path: Path, read_campaign: ReadCampaign | None = None, objection: Callable[[Problem], str | None] | None = None
) -> list[str]:
    """Return one line per fault of a campaign, lab or notify file, none when it is good; the keys say which it is.

    Args:
        path: The file.
        read_campaign: Reads the results of an earlier campaign from the store, as for `load_campaign`.
        objection: Says why the space of a campaign without fault cannot be searched, None if it can.
    """
    try:
        document = read_document(path)
        if any(key in document.data for key in CAMPAIGN_KEYS):
            problem = load_campaign(path, read_campaign=read_campaign).problem
            if objection is not None and (why := objection(problem)) is not None:
                faults = Faults()
                document.fault(faults, ("constraints",), why, value=False)
                return faults.lines()
        elif any(key in document.data for key in LAB_KEYS):
            load_lab(path)
        elif any(key in document.data for key in NOTIFY_KEYS):
            load_notify(path)
        else:
            faults = Faults()
            message = (
                f"is neither a campaign (keys {', '.join(CAMPAIGN_KEYS)}) nor a lab (keys {', '.join(LAB_KEYS[:2])}), "
                f"nor says who is told of what (key {NOTIFY_KEYS[0]}); "
                "labwright init DIR writes an example of the first two"
            )
            document.fault(faults, (), message, value=False)
            return faults.lines()
    except FileFaultsError as error:
        return error.faults
    return []
