"""Receives camera video over WebRTC with aiortc. Only this package uses aiortc's private attributes.

The path of a packet: ``intake`` reads it from the socket and decrypts it, ``receiver`` finds its stream by
SSRC, ``stream`` and ``packets`` parse it, ``jitter_buffer`` assembles frames, ``layers`` drops frames that
cannot be decoded or are not wanted, ``lateness`` detects late frames, and ``decoding`` shows the newest frame
in a track.

``peer`` answers one offer and watches its connection, ``offers`` checks the offer first, and ``ice`` closes a
connection without leftovers. aiortc is pinned to ~=1.16.0 and aioice to ~=0.13.0 because ``setup`` patches
both; ``tests/bot/webrtc/test_stock.py`` shows the fault that each patch removes.
"""
