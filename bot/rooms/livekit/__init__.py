"""Rooms of LiveKit servers. ``room`` is the room; ``signalling`` and ``connection`` speak the protocol."""

from bot.rooms.livekit.adapter import Adapter

__all__ = ["Adapter"]
