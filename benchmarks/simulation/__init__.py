"""A class that is not there: encoded pictures sent over real ICE, DTLS and SRTP, with faults on demand.

``clips`` draws and encodes, ``rtp`` makes packets, ``student`` sends them over a connection, ``senders``
runs students in a process of their own; ``janus_server``, ``janus_class`` and ``far_network`` do it through a
real Janus, ``faults`` makes the way bad. Used by the benchmarks and by tests.
"""
