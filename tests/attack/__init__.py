"""Attacks on a running server, on loopback only and with bounded load.

``make attack`` runs them all and prints a table; ``test_attacks.py`` runs them in the test suite. Each module
holds attacks on one thing. An attack is an async function that takes a ``Target`` and returns a ``Result``.
"""
