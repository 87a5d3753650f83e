"""Recognises the students of earlier classes under the same code, by the tokens of their pages.

Only the privacy groups use this: a group goes on in the next class if all its members return. In memory only.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import Final

_MAX_TOKENS: Final = 4000
"""Tokens remembered for a code: four full classes."""


class KnownStudents:
    """The students of all classes under one code."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._persons: OrderedDict[bytes, str] = OrderedDict()

    def add(self, token_hash: bytes, former_hash: bytes | None) -> str:
        """Add a student and return the key of the person.

        Args:
            token_hash: Hash of the new token.
            former_hash: Hash of the token from an earlier class; it is recognised once.
        """
        former = None if former_hash is None else self._persons.pop(former_hash, None)
        person = former or secrets.token_hex(8)
        self._persons[token_hash] = person
        if len(self._persons) > _MAX_TOKENS:
            self._persons.popitem(last=False)
        return person
