"""`/v1/campaigns/CAMPAIGN/export`: take a campaign's data away, in every form that the command line writes."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import Query, Request
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from controller.api.routes.route import Campaign, desk_of, known_tags, needs, router
from controller.domain.access import Role
from controller.verbs.export import FORMATS, check_format
from controller.verbs.forms import Format, Table
from controller.verbs.stores import Found

routes = router("campaigns")

_PART = 2**20


@routes.get(
    "/campaigns/{campaign}/export", summary="Take a campaign's data away",
    **needs(Role.LOOK, media=tuple(form.media_type for form in FORMATS.values())),
)  # fmt: skip
async def export(
    request: Request, campaign: Campaign, format: Format = Format.CSV,
    table: Annotated[Table, Query(description="Which table, for csv and parquet.")] = Table.EXPERIMENTS,
) -> Response:  # fmt: skip
    """A table (csv, parquet), everything (json), a spreadsheet (xlsx), or an evidence bundle (crate: an RO-Crate, zipped)."""
    form = check_format(format.value, table.value)

    def write(found: Found) -> tuple[Path, str, str]:
        descriptor, name = tempfile.mkstemp(prefix="labwright-export-")
        os.close(descriptor)
        path = Path(name)
        try:
            form.write(found, path, table.value)
            return path, _digest(path), found.name
        except BaseException:  # whatever ends it: nobody else knows of the file
            path.unlink(missing_ok=True)
            raise

    path, digest, name = await desk_of(request).look_at(campaign, write, long=True)
    tag = f'"{digest[:32]}"'
    gone = BackgroundTask(path.unlink, missing_ok=True)
    if tag in known_tags(request):
        return Response(status_code=304, headers={"ETag": tag}, background=gone)
    return FileResponse(
        path, media_type=form.media_type, filename=f"{name}{form.ending}", headers={"ETag": tag}, background=gone
    )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while part := stream.read(_PART):
            digest.update(part)
    return digest.hexdigest()
