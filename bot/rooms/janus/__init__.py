"""Janus VideoRooms, spoken to as any browser would.

``room`` is the ``Room``; ``visit`` is one stay in it, from joining to the loss of the connection;
``people`` are who is there, ``roster`` who is who across stays, ``events`` what waits for the class;
``camera`` receives one student; ``textroom`` is the chat, ``announcer`` sees to it that everybody there is
told; ``videoroom`` puts the plugin's messages into words of ours; ``client`` carries them, ``messages`` takes
them apart.
"""

from bot.rooms.janus.adapter import Adapter

__all__ = ["Adapter"]
