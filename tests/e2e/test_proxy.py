"""ClassMood behind a real nginx with docs/nginx.conf."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession, TCPConnector

from tests.cameras import Sender, needs_network

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.real_time,
    pytest.mark.slow,
    needs_network,
    pytest.mark.skipif(
        shutil.which("nginx") is None or shutil.which("openssl") is None,
        reason="no nginx or no openssl: apt-get install nginx-light openssl",
    ),
]


@dataclass(frozen=True)
class Site:
    """ClassMood behind nginx.

    Attributes:
        url: The https address of the site.
        plain_url: Its http address.
        link: Path and query of the host link.
        printed: What the server printed at its start.
        tls: Trusts the site's certificate.
        log: nginx's access log.
    """

    url: str
    plain_url: str
    link: str
    printed: str
    tls: ssl.SSLContext
    log: Path


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def write_conf(folder: Path, http: int, https: int, backend: int) -> Path:
    """Write a configuration for nginx from docs/nginx.conf, with the changes an operator makes."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", str(folder / "key"), "-out", str(folder / "cert")],
        check=True, capture_output=True,
    )  # fmt: skip
    text = (ROOT / "docs" / "nginx.conf").read_text()
    for old, new in (
        ("listen 80;", f"listen 127.0.0.1:{http};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{https} ssl;"),
        ("server_name mood.example.org;", "server_name localhost;"),
        ("/etc/ssl/mood.example.org.pem", str(folder / "cert")),
        ("/etc/ssl/private/mood.example.org.key", str(folder / "key")),
        ("/var/log/nginx/classmood.log", str(folder / "access.log")),
        ("127.0.0.1:8765", f"127.0.0.1:{backend}"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\nworker_processes 1;\nerror_log stderr;\npid {folder}/pid;\n"
        f"events {{}}\nhttp {{\n{temporary}{text}}}\n"
    )
    return folder / "nginx.conf"


@asynccontextmanager
async def proxied(folder: Path) -> AsyncIterator[Site]:
    http, https, backend = free_ports(3)
    conf = await asyncio.to_thread(write_conf, folder, http, https, backend)
    url = f"https://localhost:{https}"
    settings = {
        "CLASSMOOD_WEB__PUBLIC_URL": url,
        "CLASSMOOD_WEB__TRUSTED_PROXIES": "[127.0.0.1]",
        "PYTHONPATH": str(ROOT),
    }
    nginx = await asyncio.create_subprocess_exec("nginx", "-p", str(folder), "-c", str(conf), "-e", "stderr")
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "serve", "--port", str(backend),
        cwd=folder, env={**os.environ, **settings}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        printed = ""
        async with asyncio.timeout(60):
            while "Ctrl-C" not in printed:
                line = (await server.stdout.readline()).decode()
                assert line, printed
                printed += line
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", https)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        link = re.findall(r"or elsewhere: +(\S+)", printed)[0]
        tls = await asyncio.to_thread(ssl.create_default_context, cafile=str(folder / "cert"))
        yield Site(
            url, f"http://localhost:{http}", link.removeprefix(url), printed, tls, folder / "access.log"
        )
    finally:
        for process in (server, nginx):
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with proxied(tmp_path) as running:
        yield running


async def test_the_documented_proxy(site: Site) -> None:
    """One test for all checks: starting the two servers takes longer than the checks."""
    async with ClientSession(site.url, connector=TCPConnector(ssl=site.tls)) as host:
        await check_http_redirects_to_https(host, site)
        await check_host_link_sets_a_secure_cookie(host, site)
        started = await check_only_own_pages_can_start_a_class(host, site)
        await check_live_events_are_not_buffered(host, started["id"])
        await check_a_student_can_join(site, started)
        await check_forwarded_addresses_of_clients_are_ignored(site)
    log = await asyncio.to_thread(site.log.read_text)
    assert f"/c/{started['code']}" in log
    assert site.link.split("?token=")[1] not in log
    assert "127.0.0.1" not in log


async def check_http_redirects_to_https(host: ClientSession, site: Site) -> None:
    async with host.get(f"{site.plain_url}/c/ABCD", allow_redirects=False) as response:
        assert response.status == 301
        assert response.headers["Location"].startswith("https://localhost")


async def check_host_link_sets_a_secure_cookie(host: ClientSession, site: Site) -> None:
    async with host.get(site.link) as response:
        assert response.status == 200
        morsel = response.cookies["classmood_host"]
        assert (morsel["secure"], morsel["httponly"], morsel["samesite"]) == (True, True, "Strict")
        assert response.headers["Strict-Transport-Security"]
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]


async def check_only_own_pages_can_start_a_class(host: ClientSession, site: Site) -> dict[str, str]:
    room = {"room": "companion:", "title": "Behind a proxy"}
    async with host.post("/api/classes", json=room, headers={"Origin": "https://evil.test"}) as response:
        assert response.status == 403
    async with host.post("/api/classes", data=b"x" * 70_000, headers={"Origin": site.url}) as response:
        assert response.status == 413
    async with host.post("/api/classes", json=room, headers={"Origin": site.url}) as response:
        assert response.status == 201
        started: dict[str, str] = await response.json()
    assert started["student_url"] == f"{site.url}/c/{started['code']}"
    return started


async def check_live_events_are_not_buffered(host: ClientSession, class_id: str) -> None:
    own = {"Sec-Fetch-Site": "same-origin"}
    async with host.get(f"/api/classes/{class_id}/live") as stream:
        assert stream.status == 200
        label = {"label": "Now"}
        async with host.post(f"/api/classes/{class_id}/markers", json=label, headers=own) as response:
            assert response.status == 201
        # The class is still running, so the stream stays open: a buffered one would not show the marker yet.
        async with asyncio.timeout(10):
            async for line in stream.content:
                if line.startswith(b"data: ") and json.loads(line[6:]).get("label") == "Now":
                    return
        raise AssertionError("the stream ended")


async def check_a_student_can_join(site: Site, started: dict[str, str]) -> None:
    sender = Sender()
    try:
        async with ClientSession(connector=TCPConnector(ssl=site.tls)) as student:
            async with student.get(started["student_url"]) as response:
                assert response.status == 200
            offer = {"sdp": await sender.offer(), "type": "offer", "consent": True}
            path = f"{site.url}/api/companion/{started['code']}/offer"
            async with student.post(path, json=offer) as response:
                answer = await response.json()
                assert response.status == 200, answer
            await sender.accept(answer["sdp"])
            async with asyncio.timeout(20):
                while sender.connection.connectionState != "connected":  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
    finally:
        await sender.close()


async def check_forwarded_addresses_of_clients_are_ignored(site: Site) -> None:
    """Guessed codes are rate-limited, even if every request claims another address."""
    statuses = []
    async with ClientSession(site.url, connector=TCPConnector(ssl=site.tls)) as stranger:
        for number in range(140):
            claimed = {"X-Forwarded-For": f"198.51.100.{number}"}
            async with stranger.get(f"/c/guess-{number}", headers=claimed) as response:
                statuses.append(response.status)
    assert statuses[:100] == [404] * 100
    assert statuses[-1] == 429
