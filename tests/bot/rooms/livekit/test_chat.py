"""Messages of the chat, in all forms that clients send; nothing that arrives can fill the memory."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models

from bot.rooms.livekit.chat import (
    MAX_OPEN_STREAMS,
    MAX_TEXT_BYTES,
    TOPIC,
    ChatMessage,
    ChatReader,
    write_message,
)

TEXT = models.DataStream.TextHeader(operation_type=models.DataStream.OperationType.CREATE)
DEFLATED = models.DataStream.CompressionType.DEFLATE_RAW


def deflated(text: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(text) + deflater.flush()


def header(identity: str = "ada", **fields: object) -> bytes:
    values = {"stream_id": "1", "topic": TOPIC, "text_header": TEXT, **fields}
    packet = models.DataPacket(participant_identity=identity)
    packet.stream_header.CopyFrom(models.DataStream.Header(**values))  # type: ignore[arg-type]
    return packet.SerializeToString()


def chunk(content: bytes, number: int = 0, identity: str = "ada", stream_id: str = "1") -> bytes:
    part = models.DataStream.Chunk(stream_id=stream_id, chunk_index=number, content=content)
    return models.DataPacket(participant_identity=identity, stream_chunk=part).SerializeToString()


def trailer(identity: str = "ada", stream_id: str = "1") -> bytes:
    part = models.DataStream.Trailer(stream_id=stream_id)
    return models.DataPacket(participant_identity=identity, stream_trailer=part).SerializeToString()


def read_all(*packets: bytes) -> list[ChatMessage]:
    reader = ChatReader()
    return [message for packet in packets if (message := reader.read(packet)) is not None]


@pytest.mark.parametrize(
    "packets",
    [
        [header(), chunk(b"/opt"), chunk(b"out", 1), trailer()],
        [header(), chunk(b"out", 1), chunk(b"/opt", 0), trailer()],
        [header(inline_content=b"/optout")],
        [header(inline_content=deflated(b"/optout"), compression=DEFLATED)],
        [header(compression=DEFLATED), chunk(deflated(b"/optout")), trailer()],
        [
            models.DataPacket(
                participant_identity="ada", chat_message=models.ChatMessage(message="/optout")
            ).SerializeToString()
        ],
    ],
)
def test_every_form_of_a_message_is_read(packets: list[bytes]) -> None:
    assert read_all(*packets) == [ChatMessage("ada", "/optout")]


@pytest.mark.parametrize(
    "packets",
    [
        [],
        [b"\xff\xff"],
        [header(topic="files", inline_content=b"/optout")],
        [header(identity="", inline_content=b"/optout")],
        [chunk(b"/optout"), trailer()],
        [header(), chunk(b"/optout"), trailer(identity="eve")],  # somebody else cannot end it
        [header(), chunk(b"/optout", identity="eve"), trailer(identity="eve")],
        [header(inline_content=b"x" * (MAX_TEXT_BYTES + 1))],
        [header(inline_content=deflated(b"x" * 10_000_000), compression=DEFLATED)],
        [header(inline_content=b"not deflated", compression=DEFLATED)],
        [header(), *(chunk(b"x" * 1000, number) for number in range(6)), trailer()],
    ],
)
def test_anything_else_is_dropped(packets: list[bytes]) -> None:
    assert read_all(*packets) == []


def test_streams_without_an_end_are_bounded_in_number_and_length() -> None:
    reader = ChatReader()
    for number in range(3 * MAX_OPEN_STREAMS):
        reader.read(header(stream_id=str(number)))
        for empty in range(3):
            reader.read(chunk(b"", empty, stream_id=str(number)))
    assert len(reader._open) == MAX_OPEN_STREAMS
    for number in range(2 * MAX_TEXT_BYTES):
        reader.read(chunk(b"", number, stream_id=str(3 * MAX_OPEN_STREAMS - 1)))
    assert len(reader._open) == MAX_OPEN_STREAMS - 1


@pytest.mark.parametrize("to", [[], ["ada", "grace"]])
def test_a_message_is_written_in_both_forms_and_only_to_its_recipients(to: list[str]) -> None:
    packets = [models.DataPacket.FromString(data) for data in write_message("Grüße", to)]
    assert all(list(packet.destination_identities) == to for packet in packets)
    for packet in packets:
        packet.participant_identity = "bot"  # as the server does
    messages = read_all(*(packet.SerializeToString() for packet in packets))
    assert messages == [ChatMessage("bot", "Grüße")] * 2
    stream = next(packet.stream_header for packet in packets if packet.HasField("stream_header"))
    older = next(packet.chat_message for packet in packets if packet.HasField("chat_message"))
    assert stream.stream_id == older.id  # so that a client can show it once
    assert stream.total_length == len("Grüße".encode())


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_no_packet_raises(packets: list[bytes]) -> None:
    read_all(*packets)
