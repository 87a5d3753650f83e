"""Observations with a single expression, and an aggregator to add them to."""

from __future__ import annotations

import random

import numpy as np

from bot.pipeline.aggregator import WindowAggregator
from bot.pipeline.observation import Observation
from bot.pipeline.privacy_groups import PrivacyGroups
from inference.emotions import EMOTIONS
from reports.summary.windows import NotAnalysed


def one_hot(label: str) -> np.ndarray:
    return np.eye(7, dtype=np.float32)[EMOTIONS.index(label)]


def seen(who: str, at_s: float, label: str, facing: bool | None = None) -> Observation:
    return Observation(who, at_s, 1, one_hot(label), None, facing)


def missed(who: str, at_s: float, reason: NotAnalysed) -> Observation:
    return Observation(who, at_s, 0, None, reason)


def make(min_group: int = 1) -> WindowAggregator:
    """Windows of five seconds. With a minimum group of 1 there are no privacy groups to wait for."""
    return WindowAggregator("c", 5.0, PrivacyGroups(min_group, random.Random(1)))
