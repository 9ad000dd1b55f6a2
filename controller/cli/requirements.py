"""Compares installed packages with the versions that Labwright declares (PEP 440 releases; `packaging` is not a dependency)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

_REQUIREMENT = re.compile(r"^\s*([\w.-]+)\s*(?:\[[^\]]*\])?\s*([^;]*?)\s*(?:;\s*(.*))?$")
_CLAUSE = re.compile(r"(~=|==|!=|>=|<=|>|<)\s*(.+)")
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
    match = _CLAUSE.match(clause)
    if match is None:
        raise ValueError(f"{clause!r} is not a version specifier")
    operator, wanted_text = match.groups()
    wanted = _release(wanted_text)
    if operator == "~=":
        return _padded(found) >= _padded(wanted) and found[: len(wanted) - 1] == wanted[:-1]
    if wanted_text.endswith(".*"):
        return (found[: len(wanted)] == wanted) == (operator == "==")
    have, want = _padded(found), _padded(wanted)
    return {
        "==": have == want, "!=": have != want, ">=": have >= want, "<=": have <= want, ">": have > want, "<": have < want,
    }[operator]  # fmt: skip


def _release(text: str) -> tuple[int, ...]:
    match = re.match(r"\s*v?(?:\d+!)?(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in match.group(1).split(".")) if match else (0,)


def _padded(release: tuple[int, ...]) -> tuple[int, ...]:
    """Return a release with zeros at its end, so that 3.0 and 3 are the same."""
    return release + (0,) * (6 - len(release))
