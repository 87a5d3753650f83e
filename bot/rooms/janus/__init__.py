"""Adapter for Janus VideoRooms: the bot joins as a participant, as a browser would.

``adapter`` reads room URLs; ``room`` is the ``Room``, made of one ``connection`` at a time and the
``participants`` with their cameras (``camera``); ``session`` and ``transport`` speak Janus' websocket API.
"""

from bot.rooms.janus.adapter import Adapter

__all__ = ["Adapter"]
