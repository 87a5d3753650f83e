"""The contents of receiver reports, compared with aiortc's statistics where those are correct."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from aiortc.rtcrtpreceiver import StreamStatistics
from hypothesis import given
from hypothesis import strategies as st

from bot.webrtc.receive_statistics import ReceiveStatistics

HZ = 90_000


def statistics_of(*packets: tuple[int, int, float]) -> ReceiveStatistics:
    """Statistics of packets: sequence number, timestamp and time of arrival of each."""
    statistics = ReceiveStatistics(7)
    for packet in packets:
        statistics.add(*packet)
    return statistics


def packets_in_time(*sequences: int) -> list[tuple[int, int, float]]:
    return [(sequence & 0xFFFF, 0, 0.0) for sequence in sequences]


def test_before_the_first_packet_there_is_no_report() -> None:
    assert statistics_of().report(0, 0) is None


def test_lost_packets_are_counted_across_the_wrap_of_sequence_numbers() -> None:
    statistics = statistics_of(*packets_in_time(65_533, 65_534, 65_537, 65_538))
    info = statistics.report(last_sr=5, delay=6)
    assert info is not None
    assert (info.ssrc, info.lsr, info.dlsr) == (7, 5, 6)
    assert (info.packets_lost, info.highest_sequence) == (2, 65_538)
    assert info.fraction_lost == 2 * 256 // 6


def test_the_fraction_lost_covers_the_time_since_the_last_report() -> None:
    statistics = statistics_of(*packets_in_time(1, 2, 4))
    assert (info := statistics.report(0, 0)) is not None
    assert info.fraction_lost == 64
    for packet in packets_in_time(5, 6):
        statistics.add(*packet)
    assert (info := statistics.report(0, 0)) is not None
    assert (info.fraction_lost, info.packets_lost) == (0, 1)
    assert (info := statistics.report(0, 0)) is not None
    assert info.fraction_lost == 0


def test_late_and_duplicate_packets_reduce_the_number_of_lost_packets() -> None:
    """By RFC 3550 the number may even be negative."""
    assert (info := statistics_of(*packets_in_time(1, 3, 2)).report(0, 0)) is not None
    assert (info.packets_lost, info.highest_sequence) == (0, 3)
    assert (info := statistics_of(*packets_in_time(1, 2, 2)).report(0, 0)) is not None
    assert info.packets_lost == -1


def test_jitter_is_computed_from_the_times_of_arrival() -> None:
    steady = statistics_of(*((number, number * 6000, number / 15) for number in range(100)))
    assert (info := steady.report(0, 0)) is not None
    assert info.jitter == 0
    uneven = statistics_of(
        *((number, number * 6000, number / 15 + 0.01 * (number % 2)) for number in range(200))
    )
    assert (info := uneven.report(0, 0)) is not None
    assert info.jitter == pytest.approx(900, abs=3)  # every other frame arrives 10 ms late


def test_a_wrap_of_the_timestamp_causes_no_jitter() -> None:
    statistics = statistics_of(
        *((number, (0xFFFFFFFF - 9000 + number * 6000) & 0xFFFFFFFF, number / 15) for number in range(5))
    )
    assert (info := statistics.report(0, 0)) is not None
    assert info.jitter == 0


@given(
    st.integers(0, 0xFFFF),
    st.lists(st.tuples(st.integers(-3, 9), st.integers(0, 3)), min_size=1, max_size=60),
)
def test_losses_are_counted_as_aiortc_does(first: int, steps: list[tuple[int, int]]) -> None:
    stock, ours, sequence, timestamp = StreamStatistics(HZ), ReceiveStatistics(7), first, 0
    for ahead, later in [(0, 0), *steps]:
        sequence, timestamp = (sequence + ahead) & 0xFFFF, timestamp + 3000 * later
        stock.add(SimpleNamespace(sequence_number=sequence, timestamp=timestamp))  # type: ignore[arg-type]
        ours.add(sequence, timestamp, 0.0)
    info = ours.report(0, 0)
    assert info is not None
    assert info.packets_lost == stock.packets_lost
    assert info.fraction_lost == stock.fraction_lost
    assert info.highest_sequence == stock.cycles + (stock.max_seq or 0)
