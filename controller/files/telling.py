"""Reads `notify.yaml`: who is told of what. Every fault at once; secrets that others could read are refused."""

from __future__ import annotations

import stat
from pathlib import Path
from zoneinfo import ZoneInfo

from controller.domain.notification import NotifyFile
from controller.files.faults import Faults
from controller.files.reading import Document, read_document
from controller.files.translating import validated


def load_notify(path: Path) -> NotifyFile:
    """Read the file that says who is told.

    Raises:
        FileFaultsError: With every fault, one line each.
    """
    document, faults = read_document(path), Faults()
    found = validated(NotifyFile, document, faults)
    if found is not None:
        _check(found, document, faults)
    faults.raise_if_any()
    assert found is not None  # noqa: S101 - else there was a fault
    return found


def _check(found: NotifyFile, document: Document, faults: Faults) -> None:
    for name, target in found.targets.items():
        here = ("targets", name)
        if (target.url is None) is (target.webhook is None):
            document.fault(faults, here, "needs either url: (an Apprise URL) or webhook: (an https address)", value=False)
        if target.secret is not None and target.webhook is None:
            document.fault(faults, (*here, "secret"), "signs the messages of a webhook; leave it out here", value=False)
        if target.quiet is not None:
            if target.quiet.from_ == target.quiet.to:
                document.fault(faults, (*here, "quiet"), "begins and ends at the same time; leave it out, or change one of the two")
            try:
                ZoneInfo(target.quiet.zone)
            except (OSError, ValueError, KeyError):
                message = "is no time zone that is known here; write UTC, or a name such as Europe/Berlin"
                document.fault(faults, (*here, "quiet", "zone"), message)
        written = [key for key in ("url", "webhook", "secret") if isinstance(getattr(target, key), str)]
        mode = stat.S_IMODE(document.path.stat().st_mode)
        if written and mode & 0o077:
            message = (
                f"is written into a file that others may read (mode {mode:04o}): chmod 600 {document.path}, or write "
                f"{written[0]}: {{env: NAME}} or {{file: PATH}}"
            )
            document.fault(faults, (*here, written[0]), message, value=False)
