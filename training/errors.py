"""The exceptions of training; the command line prints each as one line.

TrainingError
+-- DatasetError   the data is not FER-2013 in a known layout, or the requested split is missing
+-- RunError       an option, the run folder or the model file cannot be used
"""

from __future__ import annotations


class TrainingError(Exception):
    """Base of all exceptions of this package; the message is one line that says what to do."""


class DatasetError(TrainingError):
    """The data is not FER-2013 in a known layout, or the requested split is missing."""


class RunError(TrainingError):
    """An option, the run folder or the model file cannot be used."""
