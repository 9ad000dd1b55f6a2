"""What is asked of people when they carry a campaign out, and what came of what they told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from controller.errors import ConflictError
from controller.verbs.logs import read_definition
from controller.verbs.stores import Found, show_url

if TYPE_CHECKING:
    from controller.domain.campaign import Definition


@dataclass(frozen=True)
class Plan:
    """Experiments to be carried out by people."""

    definition: Definition
    url: str
    rows: list[dict[str, Any]]
    """`experiment` (number), `parameters`, and why it was proposed (`source`), of each."""
    left: int
    """How many more the budget holds."""

    def told(self) -> dict[str, Any]:
        """Return it as JSON data; `fields` is the form for the result of one experiment."""
        from controller.files.by_hand import form_of

        return {
            "campaign": self.definition.name, "experiments": self.rows, "left_in_budget": self.left,
            "fields": {name: field.told() for name, field in form_of(self.definition).items()}, "store": show_url(self.url),
        }  # fmt: skip


def open_plan(found: Found) -> Plan:
    """Return the plan of all experiments that people were asked for and have not told yet; nothing is changed.

    Raises:
        ConflictError: If it is not people who carry the campaign out now.
    """
    row = found.campaign
    if row["status"] in ("running", "stopping"):
        raise ConflictError(f"campaign {found.name} is {row['status']}: its lab carries it out, people are asked in tasks")
    waiting = [e for e in found.reader.experiments(found.id, ("queued", "running")) if not e["attempts"]]
    rows = [{"experiment": e["number"], "parameters": e["parameters"], "source": e["source"]} for e in waiting]
    return Plan(read_definition(found), found.url, rows, max(0, int(row["budget_experiments"]) - int(row["spent"])))


@dataclass(frozen=True)
class Taken:
    """What came of telling a plan."""

    campaign: str
    url: str
    completed: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    unchanged: list[int] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)
    """Experiments of the plan that nothing is said of yet."""
    status: str = ""
    left: int = 0

    def told(self) -> dict[str, Any]:
        """Return it as JSON data."""
        lists = {"completed": self.completed, "failed": self.failed, "unchanged": self.unchanged, "still_open": self.empty}
        return {
            "campaign": self.campaign, **lists, "status": self.status, "left_in_budget": self.left, "store": show_url(self.url)
        }  # fmt: skip
