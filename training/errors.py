"""What can go wrong while training, for the command line to say in one line.

TrainingError
+-- DatasetError   the data is not FER-2013 in a layout we know, or the asked-for split is missing
+-- RunError       the run folder or the model file cannot be used
"""

from __future__ import annotations


class TrainingError(Exception):
    """Base of everything this package raises on purpose; its text is one line that says what to do."""


class DatasetError(TrainingError):
    """The data is not FER-2013 in a known layout, or the asked-for split is missing."""


class RunError(TrainingError):
    """The run folder or the model file cannot be used."""
