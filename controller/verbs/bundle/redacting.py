"""Takes out of a lab's description what is nobody's business elsewhere: passwords, keys, and where things lie on a machine."""

from __future__ import annotations

import re
from typing import Any

from controller.settings import redact

_SECRET = re.compile(r"(?i)(pass(word|wd|phrase)?|secret|token|api[_-]?key|credential|auth)")
_PATH = re.compile(r"(?:(?<=^)|(?<=[\s=\"',]))(?:~|[A-Za-z]:)?(?:[/\\][^\s\"',:;=/\\]+){2,}")
HIDDEN = "***"


def redacted(content: Any, key: str = "") -> Any:
    """Return JSON data without secrets and without paths of a machine: of a path the last part is left, as `…/table.csv`.

    Args:
        content: JSON data.
        key: The name under which it stands.
    """
    if isinstance(content, dict):
        return {name: redacted(value, str(name)) for name, value in content.items()}
    if isinstance(content, list):
        return [redacted(value, key) for value in content]
    if _SECRET.search(key) and content not in (None, "", True, False):
        return HIDDEN
    if isinstance(content, str):
        return _PATH.sub(lambda found: "…/" + re.split(r"[/\\]", found.group())[-1], redact(content))
    return content
