"""Receive statistics of a stream, as receiver reports contain them (RFC 3550, 6.4.1 and appendix A). Pure.

aiortc's own statistics cannot be used: they measure jitter when a packet is added, not when it arrived, and
packets wait for a batch tick in between.
"""

from __future__ import annotations

from typing import Final

from aiortc.rtp import RtcpReceiverInfo

from bot.webrtc.packets import CLOCK_HZ

_CYCLE: Final = 1 << 16
_MOST_LOST: Final = (1 << 23) - 1


class ReceiveStatistics:
    """Packets received and lost, and jitter, of one stream."""

    def __init__(self, ssrc: int) -> None:
        """Start before the first packet.

        Args:
            ssrc: Identifies the stream.
        """
        self._ssrc = ssrc
        self._first: int | None = None
        self._newest = 0  # extended sequence number: it does not wrap at 65535
        self._received = 0
        self._reported = 0, 0  # packets expected and received at the last report
        self._timestamp = 0
        self._arrival: float | None = None  # in units of the timestamps
        self._jitter = 0.0

    def add(self, sequence: int, timestamp: int, at_s: float) -> None:
        """Count a packet.

        Args:
            sequence: 16 bits.
            timestamp: 32 bits, 90 kHz.
            at_s: Time of arrival, monotonic seconds.
        """
        self._received += 1
        if self._first is None:
            self._first = self._newest = sequence
        ahead = (sequence - self._newest) & 0xFFFF
        if ahead >= _CYCLE // 2:
            return  # late
        self._newest += ahead
        if timestamp == self._timestamp and self._arrival is not None:
            return  # jitter counts once a frame: its packets are sent together
        step = ((timestamp - self._timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        self._timestamp = timestamp
        arrival, before = at_s * CLOCK_HZ, self._arrival
        self._arrival = arrival
        if before is not None:
            self._jitter += (abs(arrival - before - step) - self._jitter) / 16

    def report(self, last_sr: int, delay: int) -> RtcpReceiverInfo | None:
        """Build the report block for the time since the last report; None before the first packet.

        Args:
            last_sr: Middle 32 bits of the NTP time in the sender's last report; 0 before the first report.
            delay: Time since that report arrived, in 1/65536 s.
        """
        if self._first is None:
            return None
        expected = self._newest - self._first + 1
        expected_before, received_before = self._reported
        self._reported = expected, self._received
        interval = expected - expected_before
        lost = max(0, interval - (self._received - received_before))
        return RtcpReceiverInfo(
            ssrc=self._ssrc,
            fraction_lost=min(255, (lost << 8) // interval) if interval else 0,
            packets_lost=max(-_MOST_LOST, min(_MOST_LOST, expected - self._received)),
            highest_sequence=self._newest & 0xFFFFFFFF,
            jitter=min(0xFFFFFFFF, int(self._jitter)),
            lsr=last_sr,
            dlsr=delay,
        )
