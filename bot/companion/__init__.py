"""The inside of the embedded room, which ``bot.rooms.companion`` puts on the web.

``requests``: what a page may ask, checked. ``room``: who is there and what they do.
"""
