"""`labwright campaign`: the table of its commands. Each is in a module of its topic, which is imported when it is asked for."""

from __future__ import annotations

LOOK, TRUST, STEER, TAKE = "Look", "Understand and trust", "Steer", "Take away and bring in"
BY_HAND = "Carry out by hand"

COMMANDS = {
    "list": ("showing", "list_campaigns", LOOK),
    "show": ("showing", "show", LOOK),
    "watch": ("watching.command", "watch", LOOK),
    "plot": ("plotting", "plot", LOOK),
    "compare": ("plotting", "compare", LOOK),
    "why": ("asking", "why", TRUST),
    "best": ("asking", "best", TRUST),
    "sensitivity": ("asking", "sensitivity", TRUST),
    "slice": ("asking", "slice_campaign", TRUST),
    "forecast": ("asking", "forecast", TRUST),
    "calibration": ("checking", "calibration", TRUST),
    "replay": ("checking", "replay", TRUST),
    "audit": ("checking", "audit", TRUST),
    "start": ("steering", "start", STEER),
    "pause": ("steering", "pause", STEER),
    "resume": ("steering", "resume", STEER),
    "stop": ("steering", "stop", STEER),
    "abort": ("steering", "abort", STEER),
    "retract": ("steering", "retract", STEER),
    "context": ("steering", "context", STEER),
    "ask": ("by_hand", "ask", BY_HAND),
    "tell": ("by_hand", "tell", BY_HAND),
    "export": ("exporting", "export", TAKE),
    "import": ("importing", "import_data", TAKE),
}
"""Command -> the module of `controller.cli` and the function in it, and its panel in the help."""
