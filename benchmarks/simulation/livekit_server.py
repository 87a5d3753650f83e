"""Runs a real LiveKit server on this machine, with its own configuration, for benchmarks and tests."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jwt
from aiohttp import ClientError, ClientSession

from benchmarks.simulation.livekit_build import NoLiveKit, livekit_server

__all__ = ["API_KEY", "API_SECRET", "LiveKitServer", "NoLiveKit", "make_token"]

API_KEY = "test-key"
API_SECRET = "a-secret-of-the-tests-with-32-characters"

_STARTS_WITHIN_S = 20.0


def make_token(
    room: str,
    identity: str,
    *,
    name: str = "",
    lifetime_s: float = 3600,
    key: str = API_KEY,
    secret: str = API_SECRET,
    kind: str | None = None,
    **grants: object,
) -> str:
    """Make a token that lets somebody into a room; ``grants`` are LiveKit's, such as ``canPublish``."""
    now_s = int(time.time())
    video = {"roomJoin": True, "room": room, "canUpdateOwnMetadata": True, **grants}
    claims: dict[str, Any] = {"iss": key, "sub": identity, "name": name, "video": video}
    claims |= {"nbf": now_s - 3600, "exp": now_s + int(lifetime_s)}
    if kind is not None:
        claims["kind"] = kind
    return jwt.encode(claims, secret, "HS256")


class LiveKitServer:
    """One server process, which can be killed, suspended and restarted on the same ports."""

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        prefix: Sequence[str] = (),
        max_participants: int = 0,
        auto_create: bool = True,
        codecs: Sequence[str] = (),
    ) -> None:
        """Choose ports; ``start`` writes the configuration and runs the server.

        Args:
            folder: For its configuration and log.
            host: Address of its websocket and its video.
            prefix: Start of its command line, to run it in a network namespace.
            max_participants: Limit of participants in a room; 0 for none.
            auto_create: Whether joining creates a room.
            codecs: Codecs that publishers may use, such as ``video/vp8``; none for the server's own choice.
        """
        self.port, self._tcp_port, self._udp_port = _free_port(), _free_port(), _free_port()
        self.url = f"ws://{host}:{self.port}"
        self._http = f"http://{host}:{self.port}"
        self._host, self._prefix, self._folder = host, tuple(prefix), folder
        self.room: dict[str, object] = {"max_participants": max_participants, "auto_create": auto_create}
        if codecs:
            self.room["enabled_codecs"] = [{"mime": codec} for codec in codecs]
        self._process: asyncio.subprocess.Process | None = None

    def room_url(self, room: str, query: str = "") -> str:
        """The URL of a room, as ClassMood accepts it."""
        return f"livekit+{self.url}/{room}{query}"

    async def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            NoLiveKit: it cannot be built.
            RuntimeError: it has ended.
            TimeoutError: it does not answer within 20 s.
        """
        program = await asyncio.to_thread(livekit_server)
        configuration = self._folder / f"livekit-{self.port}.yaml"
        log = self._folder / f"livekit-{self.port}.log"
        configuration.write_text(json.dumps(self._configuration()), encoding="utf-8")  # JSON is YAML
        with log.open("ab") as file:
            self._process = await asyncio.create_subprocess_exec(
                *self._prefix, str(program), "--config", str(configuration),
                stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
        async with asyncio.timeout(_STARTS_WITHIN_S), ClientSession() as client:
            while True:
                if self._process.returncode is not None:
                    raise RuntimeError(f"LiveKit ended: {log.read_text(errors='replace')[-2000:]}")
                with suppress(ClientError):
                    async with client.get(self._http) as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(0.02)

    async def call(self, method: str, **request: object) -> dict[str, Any]:
        """Call a method of the server's RoomService, such as ``DeleteRoom``, as an administrator.

        Raises:
            RuntimeError: the server reports an error.
        """
        token = make_token(
            str(request.get("room", "")), "administrator", roomAdmin=True, roomCreate=True, roomList=True
        )
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self._http}/twirp/livekit.RoomService/{method}"
        async with ClientSession() as client, client.post(url, json=request, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
        if response.status != 200:
            raise RuntimeError(f"LiveKit reports an error: {answer}")
        return answer

    async def kill(self) -> None:
        """Kill the process (SIGKILL)."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def terminate(self) -> None:
        """Ask the process to end (SIGTERM); it waits for its rooms until it is asked again."""
        self._signal(signal.SIGTERM)

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

    def _configuration(self) -> dict[str, object]:
        local = self._host == "127.0.0.1"
        return {
            "port": self.port,
            "bind_addresses": [self._host],
            "rtc": {
                "udp_port": self._udp_port,
                "tcp_port": self._tcp_port,
                "use_external_ip": False,
                "node_ip": self._host,
                "enable_loopback_candidate": local,
                "ips": {"includes": ["127.0.0.0/8" if local else f"{self._host}/32"]},
                "stun_servers": ["127.0.0.1:3478"],
            },
            "room": self.room,
            "keys": {API_KEY: API_SECRET},
            "logging": {"level": "info", "json": False},
        }

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            os.kill(self._process.pid, number)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
