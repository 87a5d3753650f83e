"""``classmood doctor`` asks a real LiveKit server about the key in the settings."""

from __future__ import annotations

import asyncio
import re

import pytest

from bot.config import LiveKitSettings, RoomsSettings, Settings
from bot.doctor import Finding, Verdict, examine
from bot.rooms.contract import RoomError
from bot.rooms.livekit.check import check_server
from tests.livekit_server import API_KEY, API_SECRET, LiveKitServer, needs_livekit


def livekit_settings(**values: object) -> LiveKitSettings:
    return LiveKitSettings.model_validate(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [({}, "no API key"), ({"api_key": "k", "api_secret": "s"}, "with rooms.livekit.url")],
)
def test_what_cannot_be_asked_is_said(values: dict[str, object], expected: str) -> None:
    assert expected in check_server(livekit_settings(**values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"api_key": "k"}, "set rooms.livekit.api_secret too"),
        ({"api_secret": "s"}, "set rooms.livekit.api_key too"),
        ({"api_key": "k", "api_secret": "s", "url": "ws://127.0.0.1:9"}, "no server answers"),
    ],
)
def test_what_is_wrong_is_said(values: dict[str, object], expected: str) -> None:
    with pytest.raises(RoomError, match=re.escape(expected)):
        check_server(livekit_settings(**values))


def findings(settings: LiveKitSettings) -> Finding:
    all_settings = Settings(rooms=RoomsSettings(livekit=settings))
    (finding,) = (one for one in examine(all_settings) if one.subject == "livekit server")
    return finding


@needs_livekit
async def test_a_real_server_accepts_or_refuses_the_key(livekit: LiveKitServer) -> None:
    right = livekit_settings(url=livekit.url, api_key=API_KEY, api_secret=API_SECRET)
    finding = await asyncio.to_thread(findings, right)
    assert finding.verdict is Verdict.OK
    assert "accepts the key" in finding.text
    assert (await livekit.call("ListRooms")).get("rooms", []) == []  # nothing was changed
    wrong = livekit_settings(url=livekit.url, api_key=API_KEY, api_secret="x" * 32)
    finding = await asyncio.to_thread(findings, wrong)
    assert finding.verdict is Verdict.WRONG
    assert "rooms.livekit.api_secret" in finding.text
    assert "eyJ" not in finding.text
