"""A class that is not there: encoded pictures sent over real ICE, DTLS and SRTP, with faults on demand.

``clips`` draws and encodes, ``rtp`` makes packets, ``student`` sends them over a connection, ``senders``
runs students in a process of their own. Used by the benchmarks and by tests.
"""
