"""Receiving cameras by WebRTC with aiortc; the only place that touches aiortc's privates.

Comes in: an offer. Goes out: an answer, and ``VideoTrack`` objects. ``offers`` looks into an
offer before aiortc does, ``peer`` answers it and watches over the connection, ``ice`` ends it cleanly,
``receiver`` stands in for aiortc's video receiver. Packets reach it from ``intake``, right under ICE;
``packets`` says what one holds, ``frame_buffer`` brings order and steps over gaps, ``layers`` leaves out what
no decoder can use or nobody wants, ``lateness`` what is too old, and ``decoding`` keeps the newest picture
only. One connection carries one camera. aiortc is pinned to ~=1.16.0 and aioice to ~=0.13.0; each mend is
tested by its symptom.
"""
