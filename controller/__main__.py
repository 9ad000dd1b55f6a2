"""Starts the command line: `labwright`, or `python -m controller`."""

from __future__ import annotations

from controller.cli.app import app


def main() -> None:
    """Run one command and end with its exit code."""
    app(prog_name="labwright")


if __name__ == "__main__":
    main()
