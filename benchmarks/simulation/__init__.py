"""Simulated students for the benchmarks and tests: encoded video over real ICE, DTLS and SRTP, with faults.

``clips`` draws and encodes videos, ``rtp`` makes packets of them, ``student`` sends them over a connection,
and ``senders`` runs students in a separate process. ``janus_server`` and ``janus_class`` simulate a class in
a real Janus. ``faults`` loses, reorders and duplicates packets; ``network_namespace`` is a network that can
be cut.
"""
