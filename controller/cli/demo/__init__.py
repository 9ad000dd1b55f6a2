"""`labwright demo`: a simulated campaign that shows, in about a minute, what the controller does."""

from controller.cli.demo.command import demo

__all__ = ["demo"]
