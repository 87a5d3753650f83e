"""The embedded room: students open a page beside their video call and take part from there."""

from bot.rooms.companion.adapter import Adapter

__all__ = ["Adapter"]
