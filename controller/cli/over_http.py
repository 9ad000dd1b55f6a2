"""Which command is which route of the HTTP API, and why some commands are for the machine itself: `docs/generate.py` shows it."""

from __future__ import annotations

FILES = "it writes or runs files of whoever types it"
LAB_PC = "it starts programs on this machine"
KEYS = "secret keys stay on the machine that they are made on, and who may speak to its drivers is decided there"
STORE = "it works on the store's files and the disk below them, which whoever asks from afar does not see"
RAW = "the flight recording is read where it lies: hundreds of megabytes beside the drivers' journals"

ROUTES: dict[str, tuple[str, ...]] = {
    "validate": ("POST /v1/validate",),
    "schema": ("GET /v1/schemas/{kind}",),
    "campaign list": ("GET /v1/campaigns",),
    "campaign show": (
        "GET /v1/campaigns/{campaign}", "GET /v1/campaigns/{campaign}/overview", "GET /v1/campaigns/{campaign}/alarms",
    ),
    "campaign watch": ("GET /v1/stream", "GET /v1/campaigns/{campaign}/log", "GET /v1/campaigns/{campaign}/events"),
    "campaign plot": ("GET /v1/campaigns/{campaign}/figures", "GET /v1/campaigns/{campaign}/figures/{kind}"),
    "campaign compare": ("GET /v1/comparison",),
    "campaign why": ("GET /v1/campaigns/{campaign}/why", "GET /v1/campaigns/{campaign}/experiments/{number}/why"),
    "campaign best": ("GET /v1/campaigns/{campaign}/best",),
    "campaign sensitivity": ("GET /v1/campaigns/{campaign}/sensitivity",),
    "campaign slice": ("GET /v1/campaigns/{campaign}/slices/{parameter}",),
    "campaign forecast": ("GET /v1/campaigns/{campaign}/forecast",),
    "campaign calibration": ("GET /v1/campaigns/{campaign}/calibration",),
    "campaign replay": ("GET /v1/campaigns/{campaign}/replay",),
    "campaign audit": ("GET /v1/campaigns/{campaign}/audit",),
    "campaign start": ("POST /v1/campaigns",),
    "campaign pause": ("POST /v1/campaigns/{campaign}/pause",),
    "campaign resume": ("POST /v1/campaigns/{campaign}/resume",),
    "campaign stop": ("POST /v1/campaigns/{campaign}/stop",),
    "campaign abort": ("POST /v1/campaigns/{campaign}/abort",),
    "campaign retract": ("POST /v1/campaigns/{campaign}/experiments/{number}/retract",),
    "campaign context": ("GET /v1/campaigns/{campaign}/context", "POST /v1/campaigns/{campaign}/context"),
    "campaign ask": ("POST /v1/campaigns/{campaign}/ask", "GET /v1/campaigns/{campaign}/plan"),
    "campaign tell": ("POST /v1/campaigns/{campaign}/tell", "POST /v1/campaigns/{campaign}/plan"),
    "campaign export": ("GET /v1/campaigns/{campaign}/export",),
    "campaign import": ("POST /v1/campaigns/{campaign}/import",),
    "experiment list": ("GET /v1/campaigns/{campaign}/experiments",),
    "experiment show": ("GET /v1/campaigns/{campaign}/experiments/{number}",),
    "experiment files": ("GET /v1/campaigns/{campaign}/experiments/{number}/files/{sha256}",),
    "experiment resolve": (
        "POST /v1/campaigns/{campaign}/experiments/{number}/resolve", "POST /v1/campaigns/{campaign}/experiments/{number}/explain",
    ),
    "experiment retry": ("POST /v1/campaigns/{campaign}/experiments/{number}/retry",),
    "experiment abandon": ("POST /v1/campaigns/{campaign}/experiments/{number}/abandon",),
    "instrument list": ("GET /v1/instruments",),
    "instrument stop": ("POST /v1/instruments/stop",),
    "instrument resume": ("POST /v1/instruments/resume",),
    "instrument disable": ("POST /v1/instruments/{instrument}/disable",),
    "instrument enable": ("POST /v1/instruments/{instrument}/enable",),
    "task list": ("GET /v1/tasks",),
    "task show": ("GET /v1/tasks/{task}",),
    "task answer": ("POST /v1/tasks/{task}/answer", "POST /v1/tasks/{task}/files"),
    "daemon status": ("GET /v1/health", "GET /v1/metrics", "GET /v1/requests"),
    "keys list": ("GET /v1/keys",),
    "tokens new": ("POST /v1/tokens",),
    "tokens list": ("GET /v1/tokens",),
    "tokens revoke": ("POST /v1/tokens/{name}/revoke",),
    "notify test": ("POST /v1/notifications/test",),
    "notify list": ("GET /v1/notifications",),
}  # fmt: skip
"""Command -> the routes that do the same."""

LOCAL: dict[str, str] = {
    "init": FILES, "run": FILES, "demo": FILES, "drill": f"{FILES}; a rehearsal takes minutes to hours", "bundle check": FILES,
    "doctor": "it looks at the machine, its packages and its clock, before a daemon runs there",
    "daemon start": LAB_PC, "daemon stop": "whoever stops what serves HTTP cannot start it again from afar",
    "driver new": FILES, "driver check": LAB_PC, "driver serve": LAB_PC, "simulator list": LAB_PC, "simulator serve": LAB_PC,
    "recording list": RAW, "recording show": RAW, "recording replay": RAW,
    "keys new": KEYS, "keys revoke": KEYS, "keys rotate": KEYS, "keys pair": KEYS,
    "tokens link": "a link is handed to a browser by somebody who sits at the machine",
    "db upgrade": STORE, "db check": STORE, "db backup": STORE,
}  # fmt: skip
"""Command that no route does -> why."""

ALONE: dict[str, str] = {
    "GET /v1/whoami": "who asks", "POST /v1/sign-out": "a browser", "POST /v1/tokens/from-link": "a browser that follows a link",
}  # fmt: skip
"""Route that no command does -> for whom."""
