"""When simulated students send which frame, by the clock alone.

So any process on this machine can tell the age of a received frame from its sender and its number, and which
frames should have arrived. Pure.
"""

from __future__ import annotations

import math
from typing import Final

from benchmarks.simulation.clips import LAYER_PATTERN, NUMBERS

FPS: Final = 15
_NAME: Final = "Student"


def display_name(student: int) -> str:
    """The display name of a student in the room."""
    return f"{_NAME} {student}"


def student_of_name(name: str | None) -> int | None:
    """The number of the student with this display name; None if it is not a student's."""
    return int(name.split()[1]) if name is not None and name.startswith(_NAME) else None


def age_s(student: int, number: int, at_s: float) -> float:
    """The age of a frame in seconds, modulo the 17 s of a clip.

    Args:
        student: Number of the sender.
        number: The number drawn into the frame.
        at_s: Now, monotonic seconds.
    """
    return (at_s - phase_s(student) - number / FPS) % (NUMBERS / FPS)


def frame_index(student: int, number: int, at_s: float) -> int:
    """Index of the newest frame with this number that a student has sent, counted over all loops of the clip.

    Args:
        student: Number of the sender.
        number: The number drawn into the frame.
        at_s: Now, monotonic seconds.
    """
    newest = math.floor((at_s - phase_s(student)) * FPS)
    return newest - (newest - number) % NUMBERS


def frames_between(student: int, from_s: float, until_s: float, layers: int) -> list[int]:
    """Indices (``frame_index``) of the frames that a student sends within a period.

    Args:
        student: Number of the sender.
        from_s: Start of the period, monotonic seconds.
        until_s: Its end.
        layers: Number of temporal layers, from the lowest; frames of higher layers are left out.
    """
    first, end = (math.ceil((at_s - phase_s(student)) * FPS) for at_s in (from_s, until_s))
    period = len(LAYER_PATTERN)
    return [frame for frame in range(first, end) if LAYER_PATTERN[frame % period] < layers]


def phase_s(student: int) -> float:
    """Offset of a student's frames in time, so that students do not all send at the same moment."""
    return student * 0.618 % 1 / FPS
