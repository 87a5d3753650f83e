"""Room adapters: how the bot joins a class. One module or package for each kind of room.

``contract`` defines rooms and their events, ``registry`` finds the adapters by name. Every other module or
package here is one adapter with a class ``Adapter``. Adapters do not import each other.
"""
