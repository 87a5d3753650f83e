"""What receiver reports say of a stream: packets lost and jitter (RFC 3550, 6.4.1 and appendix A).

Comes in: what each packet's header says and when it came. Goes out: a ``RtcpReceiverInfo``. Pure.

aiortc's own statistics take the time at which they are told of a packet for that at which it came.
"""

from __future__ import annotations

from typing import Final

from aiortc.rtp import RtcpReceiverInfo

_CYCLE: Final = 1 << 16
_MOST_LOST: Final = (1 << 23) - 1


class ReceiveStatistics:
    """Of one stream."""

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        """Nothing has come yet.

        Args:
            ssrc: Names the stream.
            clock_rate: Of its timestamps, Hz.
        """
        self._ssrc, self._clock_rate = ssrc, clock_rate
        self._first: int | None = None
        self._newest = 0  # counted on past 65535
        self._received = 0
        self._told = 0, 0  # packets expected and received when the last report was made
        self._timestamp = 0
        self._arrival: float | None = None  # in units of the timestamps
        self._jitter = 0.0

    def add(self, sequence: int, timestamp: int, at_s: float) -> None:
        """A packet came.

        Args:
            sequence: 16 bits.
            timestamp: 32 bits.
            at_s: When, monotonic seconds.
        """
        self._received += 1
        if self._first is None:
            self._first = self._newest = sequence
        ahead = (sequence - self._newest) & 0xFFFF
        if ahead >= _CYCLE // 2:
            return  # late
        self._newest += ahead
        if timestamp == self._timestamp and self._arrival is not None:
            return  # of the same picture, sent in one go
        step = ((timestamp - self._timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        self._timestamp = timestamp
        arrival, before = at_s * self._clock_rate, self._arrival
        self._arrival = arrival
        if before is not None:
            self._jitter += (abs(arrival - before - step) - self._jitter) / 16

    def report(self, heard: int, waited: int) -> RtcpReceiverInfo | None:
        """What has come since the last report; None before the first packet.

        Args:
            heard: Middle 32 bits of the sender's NTP time in its last report; 0 before the first.
            waited: Time since that came, in 65536ths of a second.
        """
        if self._first is None:
            return None
        expected = self._newest - self._first + 1
        expected_before, received_before = self._told
        self._told = expected, self._received
        interval = expected - expected_before
        lost = max(0, interval - (self._received - received_before))
        return RtcpReceiverInfo(
            ssrc=self._ssrc,
            fraction_lost=min(255, (lost << 8) // interval) if interval else 0,
            packets_lost=max(-_MOST_LOST, min(_MOST_LOST, expected - self._received)),
            highest_sequence=self._newest & 0xFFFFFFFF,
            jitter=min(0xFFFFFFFF, int(self._jitter)),
            lsr=heard,
            dlsr=waited,
        )
