"""What can go wrong with a model, for the command line to say in one line.

InferenceError
+-- ModelError   a model file is missing, damaged or not the one its card describes
"""

from __future__ import annotations


class InferenceError(Exception):
    """Base of everything this package raises on purpose."""


class ModelError(InferenceError):
    """A model file is missing, damaged or not the one its card describes."""
