"""The page's own files, read from the package when they are asked for.

1. Nothing comes from anywhere else, and the browser holds the page to it: no script or style inside the HTML, no other
   host, no frame, no form that leaves.
2. A file that is not named here is not served, whatever lies beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from typha.observe.pages import Page, Request, Response
from typha.observe.queries import Parameters

FOLDER: Final = Path(__file__).parent / "page"

_TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
SECURITY: Final = (
    ("Content-Security-Policy", _POLICY),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
)


def page_files() -> dict[str, Page]:
    """The pages ``/`` and ``/page/NAME``."""
    names = [path.name for path in FOLDER.iterdir() if path.suffix in _TYPES]
    return {"/": _file("index.html"), **{f"/page/{name}": _file(name) for name in names}}


def _file(name: str) -> Page:
    path = FOLDER / name

    async def read(_: Request, __: Parameters) -> Response:
        return Response(200, _TYPES[path.suffix], path.read_bytes(), SECURITY)

    return read
