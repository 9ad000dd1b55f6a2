"""Shows what is known of an experiment that nobody can speak for."""

from __future__ import annotations

from typing import Any

from controller.cli.render import Column, console, print_facts, table


def print_explanation(told: dict[str, Any]) -> None:
    """Print what `verbs.explaining.explain` returned."""
    out = console()
    print_facts(
        {"status": told["status"], "reason": told["reason"]}, title=f"Experiment {told['experiment']} of {told['campaign']}"
    )
    for attempt in told["attempts"]:
        journal = attempt["journal"] or {}
        print_facts(
            {
                "action": attempt["action"], "sent": attempt["committed_at"],
                "the books say": ": ".join(filter(None, (attempt["status"], attempt["reason"]))),
                "the journal says": attempt["meaning"], "began": journal.get("started_at"), "ended": journal.get("finished_at"),
                "values": journal.get("values"), "instrument now": attempt["state"],
                "it reads": {
                    f"{action}.{name}": f"{value} {unit}" if unit else value
                    for action, values in attempt["reads"].items() for name, (value, unit) in values.items()
                },
                "not read": attempt["not_read"],
            },
            title=f"\nStep {attempt['step']} on {attempt['instrument']}, attempt {attempt['attempt']}",
        )  # fmt: skip
    rows = [{"verdict": f"--as {verdict}", "means": means} for verdict, means in told["choices"].items()]
    out.print(table(rows, [Column("verdict", "you say"), Column("means", "which means")], title="\nWhat you can say"))
