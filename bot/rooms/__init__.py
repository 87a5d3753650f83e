"""Rooms: how the bot joins a class. One folder or module a kind of room, found by name.

``contract`` says what a room tells and what can be asked of it; ``registry`` finds the adapters. Every
other module or package in here is one adapter and holds a class ``Adapter``. Adapters do not know each other.
"""
