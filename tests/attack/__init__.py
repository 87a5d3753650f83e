"""Attacks on a running server, on this machine only and with bounded load.

``make attack`` runs them all and prints a table; the tests beside them run in the test suite. Each module
holds attacks on one thing: requests, media, what is stored, the privacy groups. An attack takes a ``Target``
and returns a ``Result``; ``all_attacks.py`` names them all.
"""
