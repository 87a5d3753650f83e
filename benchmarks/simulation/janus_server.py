"""Runs a real Janus on this machine, with its own configuration, for benchmarks and tests."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientError, ClientSession

JANUS = shutil.which("janus") or "/usr/bin/janus"
PIN = "sesame-7731"
SECRET = "moderator-of-tests"
OPEN_ROOM, PIN_ROOM, SILENT_ROOM = 1001, 1002, 1003
"""Rooms: without a PIN, with a PIN, and without a PIN and without a chat."""

RTX_TYPE = 97
"""Payload type of Janus's retransmissions of VP8 to subscribers."""

_STARTS_WITHIN_S = 20.0


class NoJanus(Exception):
    """Janus is not installed; the text is one line that says what to do."""


class JanusServer:
    """One Janus process, which can be killed, suspended and restarted on the same port."""

    def __init__(
        self,
        folder: Path,
        videocodec: str = "vp8",
        rooms: bool = True,
        full_trickle: bool = False,
        *,
        string_ids: bool = False,
        host: str = "127.0.0.1",
        prefix: Sequence[str] = (),
    ) -> None:
        """Write the configuration; ``start`` runs Janus.

        Args:
            folder: For its configuration and log.
            videocodec: The codecs that the rooms allow.
            rooms: Whether there are any rooms.
            full_trickle: Whether its offers contain no candidates, which follow separately.
            string_ids: Whether the identifiers of rooms and participants are texts instead of numbers.
            host: Address of its WebSocket.
            prefix: Start of its command line, to run it in a network namespace.

        Raises:
            NoJanus: Janus is not installed.
        """
        if not Path(JANUS).exists():
            raise NoJanus("install Janus with apt-get install janus: there is none on this machine")
        self.port, self._admin_port = _free_port(), _free_port()
        self.url = f"ws://{host}:{self.port}"
        self._host, self._prefix = host, tuple(prefix)
        self._folder = folder / f"janus-{self.port}"
        self._folder.mkdir(parents=True)
        self._full_trickle = "true" if full_trickle else "false"
        self._general = f"general: {{ string_ids = {'true' if string_ids else 'false'} }}\n"
        self._process: asyncio.subprocess.Process | None = None
        self.configure(videocodec, rooms)

    def room_url(self, room: int = OPEN_ROOM, query: str = "") -> str:
        """The URL of a room, as ClassMood accepts it."""
        return f"janus+{self.url}/{room}{query}"

    def configure(self, videocodec: str = "vp8", rooms: bool = True, chat: bool = True) -> None:
        """Write the configuration, which Janus reads when it starts."""
        plugins = next(Path("/usr/lib").glob("*/janus/plugins"))
        _write(
            self._folder / "janus.jcfg",
            f"""
            general: {{
                configs_folder = "{self._folder}"
                plugins_folder = "{plugins}"
                transports_folder = "{plugins.parent / "transports"}"
                events_folder = "{plugins.parent / "events"}"
                loggers_folder = "{plugins.parent / "loggers"}"
                admin_secret = "{SECRET}"
                debug_level = 4
                debug_colors = false
            }}
            media: {{ min_nack_queue = 1000 }}
            nat: {{ full_trickle = {self._full_trickle} }}
            plugins: {{
                disable = "{_all_but(plugins, "videoroom", "textroom")}"
            }}
            transports: {{
                disable = "{_all_but(plugins.parent / "transports", "websockets")}"
            }}
            """,
        )
        _write(
            self._folder / "janus.transport.websockets.jcfg",
            f"""
            general: {{ json = "compact", ws = true, ws_ip = "{self._host}", ws_port = {self.port} }}
            admin: {{ admin_ws = true, admin_ws_ip = "{self._host}", admin_ws_port = {self._admin_port} }}
            """,
        )
        limits = f'publishers = 60, bitrate = 600000, fir_freq = 0, videocodec = "{videocodec}"'
        video = f"""
            room-{OPEN_ROOM}: {{ description = "open", secret = "{SECRET}", {limits} }}
            room-{PIN_ROOM}: {{ description = "closed", secret = "{SECRET}", pin = "{PIN}", {limits} }}
            room-{SILENT_ROOM}: {{ description = "no chat", secret = "{SECRET}", {limits} }}
            """
        text = f"""
            room-{OPEN_ROOM}: {{ description = "open" }}
            room-{PIN_ROOM}: {{ description = "closed", pin = "{PIN}" }}
            """
        _write(self._folder / "janus.plugin.videoroom.jcfg", self._general + (video if rooms else ""))
        text_rooms = text if rooms and chat else ""
        _write(self._folder / "janus.plugin.textroom.jcfg", self._general + text_rooms)

    async def start(self) -> None:
        """Start Janus and wait until it answers.

        Raises:
            RuntimeError: Janus has ended.
            TimeoutError: it does not answer within 20 s.
        """
        log = self._folder / "janus.log"
        with log.open("ab") as file:
            self._process = await asyncio.create_subprocess_exec(
                *self._prefix, JANUS, "-C", str(self._folder / "janus.jcfg"), "-F", str(self._folder),
                stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
        async with asyncio.timeout(_STARTS_WITHIN_S), ClientSession() as client:
            while True:
                if self._process.returncode is not None:
                    raise RuntimeError(f"Janus ended: {log.read_text(errors='replace')[-2000:]}")
                with suppress(ClientError):
                    async with client.ws_connect(self.url, protocols=("janus-protocol",)) as socket_:
                        await socket_.send_json({"janus": "info", "transaction": "up"})
                        if (await socket_.receive_json())["janus"] == "server_info":
                            return
                await asyncio.sleep(0.05)

    async def refuse_new_sessions(self) -> None:
        """Refuse new sessions, as an administrator does before stopping a server."""
        await self.administer({"janus": "accept_new_sessions", "accept": False})

    async def administer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request to the admin API and return the answer.

        Raises:
            RuntimeError: Janus reports an error.
        """
        request = {"transaction": "admin", "admin_secret": SECRET, **request}
        url, protocols = f"ws://{self._host}:{self._admin_port}", ("janus-admin-protocol",)
        async with ClientSession() as client, client.ws_connect(url, protocols=protocols) as socket_:
            await socket_.send_json(request)
            reply: dict[str, Any] = await socket_.receive_json()
        if reply["janus"] != "success":
            raise RuntimeError(f"Janus reports an error: {reply}")
        return reply

    async def kill(self) -> None:
        """Kill the process (SIGKILL)."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def stop(self) -> None:
        """Suspend the process (SIGSTOP); its sockets stay open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the suspended process continue."""
        self._signal(signal.SIGCONT)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            os.kill(self._process.pid, number)


def _all_but(folder: Path, *names: str) -> str:
    return ",".join(
        sorted(file.name for file in folder.glob("*.so") if not any(name in file.name for name in names))
    )


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
