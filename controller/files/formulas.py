"""Text that a spreadsheet would take for a formula, which may call programs: it never leaves here as one."""

from __future__ import annotations

from typing import Final

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How it begins, in wide signs too. Source: OWASP, CSV Injection (owasp.org/www-community/attacks/CSV_Injection)."""


def harmless(text: str) -> str:
    """Return a text of people or devices for a CSV file: an apostrophe stands before what would be a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
