"""Reads and writes the chat of a LiveKit room: data packets over data channels. Pure.

A message is a text stream of the topic ``lk.chat``: a header, chunks and a trailer, or a header that contains
the whole text. Older clients send ``ChatMessage``. Received streams are bounded in number and length.
"""

from __future__ import annotations

import time
import uuid
import zlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.message import DecodeError
from livekit.protocol import models

TOPIC: Final = "lk.chat"
MAX_TEXT_BYTES: Final = 4096
"""A longer message cannot be a command to opt out, and is dropped."""

MAX_OPEN_STREAMS: Final = 256
"""Text streams that have begun and not ended, of the whole room; beyond that the oldest is dropped."""

_RAW_DEFLATE: Final = -zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message that somebody sent to the chat.

    Attributes:
        identity: The sender, as the server states it.
        text: The text.
    """

    identity: str
    text: str


@dataclass(slots=True)
class _OpenStream:
    """A text stream that has begun: its chunks by their numbers."""

    identity: str
    deflated: bool
    chunks: dict[int, bytes] = field(default_factory=dict)
    length: int = 0


class ChatReader:
    """Puts received data packets together to messages."""

    def __init__(self) -> None:
        """Start without open streams."""
        self._open: OrderedDict[tuple[str, str], _OpenStream] = OrderedDict()

    def read(self, data: bytes) -> ChatMessage | None:
        """Read a data packet; return the message that it completes, if any."""
        try:
            packet = models.DataPacket.FromString(data)
        except DecodeError:
            return None
        identity = packet.participant_identity
        match packet.WhichOneof("value"):
            case "chat_message":
                return _message(identity, packet.chat_message.message.encode())
            case "stream_header":
                return self._begin(identity, packet.stream_header)
            case "stream_chunk":
                self._add(identity, packet.stream_chunk)
            case "stream_trailer":
                return self._finish(identity, packet.stream_trailer.stream_id)
        return None

    def _begin(self, identity: str, header: models.DataStream.Header) -> ChatMessage | None:
        if header.topic != TOPIC or not header.HasField("text_header"):
            return None
        deflated = header.compression == models.DataStream.CompressionType.DEFLATE_RAW
        if header.HasField("inline_content"):
            return _message(identity, _plain(header.inline_content, deflated))
        self._open[identity, header.stream_id] = _OpenStream(identity, deflated)
        while len(self._open) > MAX_OPEN_STREAMS:
            self._open.popitem(last=False)
        return None

    def _add(self, identity: str, chunk: models.DataStream.Chunk) -> None:
        stream = self._open.get((identity, chunk.stream_id))
        if stream is None:
            return
        stream.length += len(chunk.content) + 1  # an empty chunk counts too
        if stream.length > MAX_TEXT_BYTES:
            del self._open[identity, chunk.stream_id]
        else:
            stream.chunks[chunk.chunk_index] = chunk.content

    def _finish(self, identity: str, stream_id: str) -> ChatMessage | None:
        stream = self._open.pop((identity, stream_id), None)
        if stream is None:
            return None
        data = b"".join(stream.chunks[number] for number in sorted(stream.chunks))
        return _message(identity, _plain(data, stream.deflated))


def _plain(data: bytes, deflated: bool) -> bytes | None:
    """The content as text bytes; None if it is too long or damaged."""
    if not deflated:
        return data
    inflater = zlib.decompressobj(_RAW_DEFLATE)
    try:
        plain = inflater.decompress(data, MAX_TEXT_BYTES)
    except zlib.error:
        return None
    return None if inflater.unconsumed_tail else plain


def _message(identity: str, data: bytes | None) -> ChatMessage | None:
    if not identity or data is None or len(data) > MAX_TEXT_BYTES:
        return None
    return ChatMessage(identity, data.decode(errors="replace"))


def write_message(text: str, to: Iterable[str] = ()) -> list[bytes]:
    """Return the data packets of a message, in both forms and with one identifier.

    Args:
        text: The message; must fit in one packet.
        to: Identities of the recipients; nobody for everybody.
    """
    identifier, now_ms, recipients = str(uuid.uuid4()), int(time.time() * 1000), list(to)
    content = text.encode()
    header = models.DataStream.Header(
        stream_id=identifier,
        timestamp=now_ms,
        topic=TOPIC,
        mime_type="text/plain",
        total_length=len(content),
        text_header=models.DataStream.TextHeader(operation_type=models.DataStream.OperationType.CREATE),
    )
    parts = (
        models.DataPacket(stream_header=header),
        models.DataPacket(stream_chunk=models.DataStream.Chunk(stream_id=identifier, content=content)),
        models.DataPacket(stream_trailer=models.DataStream.Trailer(stream_id=identifier)),
        models.DataPacket(
            chat_message=models.ChatMessage(id=identifier, timestamp=now_ms, message=text),
        ),
    )
    packets = []
    for part in parts:
        part.kind = models.DataPacket.Kind.RELIABLE
        part.destination_identities.extend(recipients)
        packets.append(part.SerializeToString())
    return packets
