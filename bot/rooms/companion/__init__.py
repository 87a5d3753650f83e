"""The inside of the embedded room, which ``bot.rooms.companion.adapter`` puts on the web.

``requests``: what a page may ask, checked; ``limits``: how often. ``student``: what is held of one;
``room``: who is there and what they do.
"""

from bot.rooms.companion.adapter import Adapter

__all__ = ["Adapter"]
