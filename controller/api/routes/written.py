"""`/v1/validate`, `/v1/schemas`: the files that people write; and how they are taken from a request, for all who take one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from fastapi import Request
from pydantic import Field
from starlette.responses import Response

from controller.api.routes.route import Body, desk_of, done, needs, router, told
from controller.domain.access import Role
from controller.errors import FileFaultsError
from controller.verbs.validating import check

routes = router("files")

File = dict[str, Any] | str
ABOUT = "The file: an object, or its text (YAML or JSON). Other files in it by absolute paths on the daemon's machine."


class Written(Body):
    """A file to be checked."""

    file: File = Field(description=ABOUT)


@contextmanager
def written(file: File) -> Iterator[Path]:
    """Write down what a request holds as a file, as long as the block lasts; faults name it without the folder.

    Raises:
        FileFaultsError: What the block raises; or if it is nested too deeply.
    """
    with tempfile.TemporaryDirectory(prefix="labwright-") as folder:
        path = Path(folder) / ("file.yaml" if isinstance(file, str) else "file.json")
        try:
            path.write_text(file if isinstance(file, str) else json.dumps(file, indent=1), encoding="utf-8")
            yield path
        except UnicodeEncodeError:
            raise FileFaultsError(["body.file: holds half of a character (a lone surrogate); send Unicode text"]) from None
        except FileFaultsError as error:
            raise FileFaultsError(named(error.faults, folder)) from None
        except RecursionError:
            raise FileFaultsError(["body.file: is nested too deeply; no file needs more than ten levels"]) from None


def named(faults: list[str], folder: str) -> list[str]:
    """Return faults with the names of files in a folder of ours alone."""
    return [fault.replace(f"{folder}/", "") for fault in faults]


@routes.post("/validate", summary="Check a campaign, lab or notify file", **needs(Role.ADMINISTER))
async def validate(request: Request, body: Written) -> Response:
    """`{"good", "faults": […], "remarks": […]}`, a line for each. Files that it names are read, drivers looked up."""
    desk = desk_of(request)

    def checked() -> Response:
        with written(body.file) as path:
            found = check(path, desk.urls)
            faults = named(found.faults, str(path.parent))
        return done({"good": not faults, "faults": faults, "remarks": found.remarks})

    return await desk.steer(checked, timeout_s=40.0)


@routes.get("/schemas/{kind}", summary="JSON Schema of a file, for editors", **needs(Role.LOOK))
async def schema(request: Request, kind: Literal["campaign", "lab", "notify"]) -> Response:
    """As `labwright schema` prints it."""
    from controller.files.schema import campaign_schema, lab_schema, notify_schema

    return told(request, {"campaign": campaign_schema, "lab": lab_schema, "notify": notify_schema}[kind]())
