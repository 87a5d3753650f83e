"""A real Janus on this machine, with a config folder of its own, for benchmarks and tests."""

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
"""A room anyone may enter with a chat beside it; one with a PIN, also with a chat; one without a chat."""

RTX_TYPE = 97
"""Payload type under which it sends VP8 again to subscribers."""

_STARTS_WITHIN_S = 20.0


class NoJanus(Exception):
    """Janus is not installed; the text is one line that says what to do."""


class JanusServer:
    """One Janus process; can be killed, stopped, continued and started again on the same port."""

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
        """Write the config.

        Args:
            folder: Where its config and log go.
            videocodec: What the rooms allow.
            rooms: Whether there are rooms at all.
            full_trickle: Whether its offers come without candidates.
            string_ids: Whether rooms and people have names where others have numbers.
            host: Address of its websocket.
            prefix: Words before its command line, to run it elsewhere.

        Raises:
            NoJanus: it is not installed.
        """
        if not Path(JANUS).exists():
            raise NoJanus("there is no Janus on this machine: apt-get install janus")
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
        """The room URL of ClassMood."""
        return f"janus+{self.url}/{room}{query}"

    def configure(self, videocodec: str = "vp8", rooms: bool = True, chat: bool = True) -> None:
        """Write the config; read at the next start."""
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
        spoken = text if rooms and chat else ""
        _write(self._folder / "janus.plugin.textroom.jcfg", self._general + spoken)

    async def start(self) -> None:
        """Start, and wait until it answers."""
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

    async def take_nobody_new(self) -> None:
        """Refuse new sessions, as is done before a server is stopped."""
        await self.administer({"janus": "accept_new_sessions", "accept": False})

    async def administer(self, request: dict[str, Any]) -> dict[str, Any]:
        """What whoever runs the server may ask of it; the answer."""
        request = {"transaction": "admin", "admin_secret": SECRET, **request}
        url, protocols = f"ws://{self._host}:{self._admin_port}", ("janus-admin-protocol",)
        async with ClientSession() as client, client.ws_connect(url, protocols=protocols) as socket_:
            await socket_.send_json(request)
            reply: dict[str, Any] = await socket_.receive_json()
        if reply["janus"] != "success":
            raise RuntimeError(f"Janus refuses: {reply}")
        return reply

    async def kill(self) -> None:
        """Kill -9."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def stop(self) -> None:
        """Halt the process where it is; its sockets stay open."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a halted process run again."""
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
