"""Serves the description of the HTTP interface, ``openapi.yaml``, as JSON.

It is part of ``bot``, not of ``reports``, because it also describes the routes of the room adapters.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml
from aiohttp import web

_FILE: Final = Path(__file__).with_name("openapi.yaml")


def read_description() -> dict[str, Any]:
    """Read the description. Blocks."""
    description: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return description


def description_route() -> web.RouteDef:
    """GET /api/openapi.json. Blocks while it reads the file."""
    description = read_description()

    async def show(_request: web.Request) -> web.Response:
        return web.json_response(description)

    return web.get("/api/openapi.json", show)
