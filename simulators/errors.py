"""Errors of the simulators package; what a device reports goes over the wire as a fault instead."""

from __future__ import annotations


class SimulatorError(Exception):
    """Base of every error of this package."""


class DeviceLogError(SimulatorError, ValueError):
    """A simulated device's log is damaged, or would have to say something that cannot be."""


class ServingError(SimulatorError, OSError):
    """A driver's process cannot be started."""
