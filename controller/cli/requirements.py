"""Compares installed packages with the versions that Labwright declares (PEP 440 releases; `packaging` is not a dependency)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

_REQUIREMENT = re.compile(r"^\s*([\w.-]+)\s*(?:\[[^\]]*\])?\s*([^;]*?)\s*(?:;\s*(.*))?$")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w-]+)['"]""")


@dataclass(frozen=True)
class Requirement:
    """A package that is needed, and the extra that asks for it (empty: always needed)."""

    package: str
    specifier: str
    extra: str = ""

    @property
    def installed(self) -> str | None:
        """The version that is installed, None when it is not."""
        try:
            return version(self.package)
        except PackageNotFoundError:
            return None

    @property
    def satisfied(self) -> bool:
        """Whether an allowed version is installed."""
        found = self.installed
        return found is not None and allows(self.specifier, found)


def requirements(distribution: str = "labwright") -> list[Requirement]:
    """Return what `distribution` needs, extras included.

    Raises:
        PackageNotFoundError: If it is not installed.
    """
    return [parse(text) for text in requires(distribution) or []]


def parse(text: str) -> Requirement:
    """Read one requirement, as in `pydantic~=2.14; extra == 'x'`.

    Raises:
        ValueError: If it is none.
    """
    match = _REQUIREMENT.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a requirement")
    extra = _EXTRA.search(match.group(3) or "")
    return Requirement(match.group(1), match.group(2), extra.group(1) if extra else "")


def allows(specifier: str, found: str) -> bool:
    """Say whether version `found` satisfies every clause of `specifier`; local and pre-release marks are not looked at."""
    return all(_clause(clause.strip(), _release(found)) for clause in specifier.split(",") if clause.strip())


def _clause(clause: str, found: tuple[int, ...]) -> bool:
    operator, wanted_text = re.match(r"(~=|==|!=|>=|<=|>|<)?\s*(.*)", clause).groups()  # type: ignore[union-attr]  # matches anything
    wanted = _release(wanted_text)
    if operator == "~=":
        return found >= wanted and found[: len(wanted) - 1] == wanted[:-1]
    if operator == "==":
        same = found[: len(wanted)] if wanted_text.endswith(".*") else found
        return same == wanted
    return {
        "!=": found != wanted,
        ">=": found >= wanted,
        "<=": found <= wanted,
        ">": found > wanted,
        "<": found < wanted,
    }[operator]


def _release(text: str) -> tuple[int, ...]:
    """Return the release numbers of a version, without zeros at the end so that 3.0 and 3 are the same."""
    match = re.match(r"\s*v?(?:\d+!)?(\d+(?:\.\d+)*)", text)
    numbers = [int(part) for part in match.group(1).split(".")] if match else [0]
    return tuple(numbers)
