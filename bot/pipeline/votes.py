"""The votes of a class: what each participant said last, by a tap or an answer, for ``VOTE_S`` seconds.

Frequent tapping adds no weight. A vote fades with its age. It outlives its participant's presence: dropping
it when they leave would reveal whose it was. Pure: no clock, no I/O.
"""

from __future__ import annotations

from reports.summary.windows import VOTE_S, PulseKind, vote_weight


class Votes:
    """The votes of one class."""

    def __init__(self) -> None:
        """Start without votes."""
        self._votes: dict[str, list[tuple[float, PulseKind]]] = {}  # when and what, newest last

    def add(self, participant_id: str, kind: PulseKind, at_s: float) -> None:
        """A participant said something, ``at_s`` seconds after the beginning of the class."""
        self._votes.setdefault(participant_id, []).append((at_s, kind))

    def erase(self, participant_id: str) -> None:
        """Discard the vote of a participant."""
        self._votes.pop(participant_id, None)

    def clear(self) -> None:
        """Discard all votes so far."""
        self._votes.clear()

    def count(self, end_s: float) -> tuple[dict[str, int], dict[str, float]]:
        """Votes and weighted votes at the end of a window, by kind; windows are counted in their order."""
        counts = {kind.value: 0 for kind in PulseKind}
        weights = {kind.value: 0.0 for kind in PulseKind}
        for participant_id, votes in tuple(self._votes.items()):
            recent = [vote for vote in votes if vote[0] > end_s - VOTE_S]
            until_end = [vote for vote in recent if vote[0] <= end_s]
            if until_end:
                at_s, kind = until_end[-1]
                counts[kind.value] += 1
                weights[kind.value] += vote_weight(end_s - at_s)
            # Later windows need the newest of these votes, and those given since the end of this one.
            self._votes[participant_id] = until_end[-1:] + [vote for vote in recent if vote[0] > end_s]
            if not self._votes[participant_id]:
                del self._votes[participant_id]
        return counts, weights
