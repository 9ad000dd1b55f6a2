"""Command line and HTTP have the same verbs: every command is a route or says why not, every route a command or for whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from typer.main import get_command

from controller.api.app import make_api
from controller.cli.app import app
from controller.cli.over_http import ALONE, LOCAL, ROUTES


def commands(command: Any, name: str = "", parent: click.Context | None = None) -> Iterator[str]:
    context = click.Context(command, parent=parent, info_name=name)
    if not hasattr(command, "list_commands"):
        yield name
        return
    for sub in command.list_commands(context):
        yield from commands(command.get_command(context, sub), f"{name} {sub}".strip(), context)


def test_every_command_is_a_route_or_says_why_it_is_none() -> None:
    assert sorted([*ROUTES, *LOCAL]) == sorted(commands(get_command(app)))


def test_every_route_is_a_command_or_says_for_whom_it_is() -> None:
    paths = make_api("0").openapi()["paths"]
    there = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert {route for routes in ROUTES.values() for route in routes} | ALONE.keys() == there
