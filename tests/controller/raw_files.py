"""A store with an experiment that left raw files behind: one that is here, one that stayed with its driver."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path

from controller.domain.event import AttemptStatusChanged, Measurement
from controller.domain.experiment import AttemptStatus, ExperimentStatus
from controller.domain.raw_file import RawFile
from controller.settings import folder_of
from controller.store.opening import Store
from instruments.rawfiles import FILES, FileShelf
from tests.controller.store.samples import Script

SPECTRUM = b"nm,absorbance\n520,0.31\n"
IMAGE = b"\x89PNG\r\n\x1a\n of a film"


def raw_file(name: str, content: bytes, *, kept: bool, media_type: str = "text/csv") -> RawFile:
    return RawFile(name=name, sha256=hashlib.sha256(content).hexdigest(), size=len(content), media_type=media_type, kept=kept)


HERE = raw_file("spectrum.csv", SPECTRUM, kept=True)
AWAY = raw_file("film.png", IMAGE, kept=False, media_type="image/png")


def fill(url: str, files: tuple[RawFile, ...] = (HERE, AWAY)) -> FileShelf:
    """Enter the campaign `sample` with one completed experiment, and put its spectrum beside the store; return the folder."""
    script = Script()
    with Store.open(url) as store:
        experiment, proposed = script.proposed()
        react, react_committed = script.committed(experiment)
        assay, assay_committed = script.committed(experiment, "assay")
        measured = (Measurement(name="area", value=61.25, unit="percent", sem=0.5),)
        ended = script.attempt_status(experiment, assay, AttemptStatus.SUCCEEDED, measured)
        assert isinstance(ended, AttemptStatusChanged)
        store.commit_now(
            [*script.created(), *proposed, script.status(experiment, ExperimentStatus.RUNNING), react_committed,
             script.attempt_status(experiment, react, AttemptStatus.SUCCEEDED), assay_committed,
             ended.model_copy(update={"files": files}), script.completed(experiment)],
            definition=script.definition,
        )  # fmt: skip
    shelf = FileShelf(folder_of(url) / FILES)
    shelf.put(BytesIO(SPECTRUM))
    return shelf


def damage(path: Path) -> None:
    """Change a byte of a file, as a failing disk does: its size stays."""
    path.chmod(0o600)
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)
