"""The description of the HTTP interface, ``openapi.yaml``, served as JSON.

Comes in: nothing. Goes out: one open route. Here and not in ``reports``, since it also describes what room
adapters serve.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml
from aiohttp import web

_FILE: Final = Path(__file__).with_name("openapi.yaml")


def read_description() -> dict[str, Any]:
    """The description. Blocks."""
    found: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return found


def description_route() -> web.RouteDef:
    """GET /api/openapi.json. Blocks while it reads the file."""
    description = read_description()

    async def show(_request: web.Request) -> web.Response:
        return web.json_response(description)

    return web.get("/api/openapi.json", show)
