"""`/`: the live page. Its files hold nothing of any lab: what it shows it asks of `/v1`, with the token of whoever looks."""

from __future__ import annotations

from functools import cache

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from controller.api.assets import Asset, Assets

routes = APIRouter(include_in_schema=False)

PLOT_STYLE = "'sha256-UOAN6bI7BA4LGRHPfkZL4hGZFyg4LYsaK0cJGqAaJAQ='"
"""The one style sheet that Observable Plot 0.6.17 puts into each picture (of the class `figure-plot`); others are not applied."""
POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", f"style-src 'self' {PLOT_STYLE}", "img-src 'self' data:", "connect-src 'self'",
    "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
))  # fmt: skip
"""What the page may do: run its own files, ask this server; nothing that stands in it as text can become a program."""
_HEADERS = {
    "Content-Security-Policy": POLICY, "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()", "Vary": "Accept-Encoding",
}  # fmt: skip


@cache
def assets() -> Assets:
    """Return the files, read when the first is asked for."""
    return Assets()


@routes.get("/")
async def index(request: Request) -> Response:
    """The page."""
    tag = f'"{assets().version}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    if request.headers.get("if-none-match", "").removeprefix("W/") == tag:
        return Response(status_code=304, headers=_HEADERS | headers)
    return _sent(request, assets().index, headers)


@routes.get("/page/{version}/{name:path}")
async def file(request: Request, version: str, name: str) -> Response:
    """A file of the page."""
    asset = assets().get(version, name)
    if asset is None:
        raise HTTPException(404)
    return _sent(request, asset, {"Cache-Control": "public, max-age=31536000, immutable"})


def _sent(request: Request, asset: Asset, headers: dict[str, str]) -> Response:
    packed = asset.packed if "gzip" in request.headers.get("accept-encoding", "") else None
    if packed is None:
        return Response(asset.body, media_type=asset.media_type, headers=_HEADERS | headers)
    return Response(packed, media_type=asset.media_type, headers={**_HEADERS, **headers, "Content-Encoding": "gzip"})
