"""The exceptions of inference; the command line prints each as one line.

InferenceError
+-- ModelError   a model file is missing, is damaged or does not match its card
"""

from __future__ import annotations


class InferenceError(Exception):
    """Base of all exceptions of this package; the message is one line that says what to do."""


class ModelError(InferenceError):
    """A model file is missing, is damaged or does not match its card."""
