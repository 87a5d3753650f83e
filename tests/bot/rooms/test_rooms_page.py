"""docs/rooms.md describes every kind of room, every state and every reason, with the right figures."""

from pathlib import Path

import jwt

from bot.config import Settings
from bot.rooms.common.chat_commands import OPT_OUT_COMMANDS
from bot.rooms.common.names import BOT_NAME
from bot.rooms.janus.camera import MIN_HEIGHT_PX
from bot.rooms.janus.reconnect import ReconnectTimeouts
from bot.rooms.livekit.access import make_token
from bot.rooms.livekit.cameras import SILENT_S
from bot.rooms.livekit.presence import DEFAULT_PATIENCE
from bot.rooms.livekit.reconnect import DEFAULT_TIMEOUTS as LIVEKIT_TIMEOUTS
from bot.rooms.livekit.students import MIN_HEIGHT_PX as LIVEKIT_MIN_HEIGHT_PX
from bot.rooms.livekit.students import OPT_OUT_ATTRIBUTE
from bot.rooms.registry import RoomContext, adapters
from reports.summary.classes import ClassState
from reports.summary.windows import NotAnalysed

TEXT = (Path(__file__).parents[3] / "docs" / "rooms.md").read_text(encoding="utf-8")


def test_every_kind_of_room_is_described() -> None:
    for scheme, adapter in adapters(RoomContext(Settings())).items():
        assert f"`{adapter.example}`" in TEXT, scheme


def test_every_state_and_reason_is_described() -> None:
    for word in (*ClassState, *NotAnalysed):
        assert f"`{word.value}`" in TEXT, word


def test_limits_and_attributes_of_livekit_are_those_of_the_code() -> None:
    assert f"`{OPT_OUT_ATTRIBUTE}`" in TEXT
    assert f"that has {LIVEKIT_MIN_HEIGHT_PX}\nlines" in TEXT
    assert f"within {DEFAULT_PATIENCE.nobody_s / 60:.0f} minutes" in TEXT
    assert f"gone for {DEFAULT_PATIENCE.deserted_s:.0f} s" in TEXT
    assert f"shows nothing for {SILENT_S:.0f} s" in TEXT
    assert LIVEKIT_TIMEOUTS.server_s == ReconnectTimeouts().server_s
    assert LIVEKIT_TIMEOUTS.room_s == ReconnectTimeouts().room_s
    grants = jwt.decode(make_token("k", "s" * 32, "i", "n", 0, "r"), options={"verify_signature": False})
    for grant in grants["video"]:
        assert f"`{grant}: " in TEXT or f"`{grant}`" in TEXT, grant


def test_names_limits_and_commands_of_janus_are_those_of_the_code() -> None:
    assert BOT_NAME in TEXT
    assert f"has {MIN_HEIGHT_PX} lines" in TEXT
    assert all(f"`{word}`" in TEXT for word in OPT_OUT_COMMANDS)
    assert f"tried for {ReconnectTimeouts().room_s:.0f} s" in TEXT
    assert f"tried for {ReconnectTimeouts().server_s:.0f} s" in TEXT
