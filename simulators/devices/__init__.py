"""Drivers of devices that are not there."""
