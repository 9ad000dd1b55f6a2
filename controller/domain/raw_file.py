"""Raw files: what a measurement leaves behind besides its values, such as a spectrum or an image."""

from __future__ import annotations

from controller.domain.base import Model


class RawFile(Model):
    """A file of an attempt, by its hash; the log keeps this, and the folder `files/` beside the store its content."""

    name: str
    sha256: str
    size: int
    """[bytes]"""
    media_type: str
    kept: bool
    """Whether the controller had taken it over when the result was booked; else it lay with the driver."""
