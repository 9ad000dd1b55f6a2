"""The sample campaign as people and devices that mean harm would tell it: each free text holds what could steer who looks."""

from __future__ import annotations

import json
from typing import Any, Final

from controller.domain.campaign import Definition
from controller.domain.event import Event, event_adapter
from tests.controller.store.samples import Script, make_definition

EVIL: Final = (
    '=HYPERLINK("http://127.0.0.1:9/") \x1b[2J\x1b]0;owned\x07\x9b31m [red]{0}[/] <img src=x onerror="document.title=\'owned\'">'
    "</script><script>document.title='owned'</script> \u202e\n2026-01-01T00:00:00Z  campaign completed"
)
"""A formula, sequences that steer terminals, markup of rich, a field of `str.format`, HTML, a reversal of text, a second line."""
FREE: Final = frozenset({"reason", "message", "note", "by", "description"})
"""Keys of events and definitions under which people and devices write what they like."""


def spoilt(content: Any, key: str = "") -> Any:
    """Return JSON data with `EVIL` for each free text; what a device measured as text is one."""
    if isinstance(content, dict):
        return {name: spoilt(value, name) for name, value in content.items()}
    if isinstance(content, list):
        return [spoilt(value, key) for value in content]
    return EVIL if (key in FREE and isinstance(content, str)) or content == "clear\0" else content


class HostileScript(Script):
    """Tells it."""

    def __init__(self) -> None:
        definition = make_definition().model_dump(mode="json")
        definition["problem"]["parameters"]["base"]["choices"] = ["KOAc", EVIL]
        super().__init__(Definition.model_validate({**definition, "description": EVIL}))

    def everything(self) -> list[list[Event]]:
        """Return the units of a campaign that holds every kind of event."""
        return [[self._spoilt(event) for event in unit] for unit in super().everything()]

    @staticmethod
    def _spoilt(event: Event) -> Event:
        return event_adapter.validate_python(spoilt(json.loads(event.model_dump_json())))
