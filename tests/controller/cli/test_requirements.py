"""Versions against what is declared."""

from __future__ import annotations

import pytest

from controller.cli.requirements import allows, parse, requirements


@pytest.mark.parametrize(
    ("specifier", "found", "expected"),
    [
        (">=2.13,<2.14", "2.13.0+cpu", True), (">=2.13,<2.14", "2.14.0", False), ("~=0.18.1", "0.18.3", True),
        ("~=0.18.1", "0.19.0", False), ("~=0.18.1", "0.18.0", False), ("~=1.15", "1.99", True), ("~=1.15", "2.0", False),
        (">=4", "4", True), (">=4", "4.0.1", True), ("==2.4.1", "2.4.1", True), ("==2.4.1", "2.4.2", False),
        ("==2.4", "2.4.0", True), ("==2.*", "2.9", True), ("==2.*", "3.0", False), ("!=1.0", "1.0", False), ("", "0.1", True),
        (">1.0", "1.0", False), ("<=1.0", "1.0.0", True),
    ],
)  # fmt: skip
def test_allows_follows_pep_440(specifier: str, found: str, expected: bool) -> None:
    assert allows(specifier, found) is expected


def test_parse_takes_extras_apart() -> None:
    requirement = parse("psycopg[binary]~=3.3; extra == 'postgres'")
    assert (requirement.package, requirement.specifier, requirement.extra) == ("psycopg", "~=3.3", "postgres")


def test_what_is_installed_here_satisfies_what_is_declared() -> None:
    needed = [r for r in requirements() if not r.extra]
    assert len(needed) > 10
    assert [r for r in needed if not r.satisfied] == []


def test_what_is_not_installed_does_not_satisfy() -> None:
    assert not parse("no-such-package-of-anybody>=1").satisfied
