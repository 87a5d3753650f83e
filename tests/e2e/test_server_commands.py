"""Servers as real processes: used ports, a second server, token rotation and shutdown."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.attack.target import cpu_s as spent_s
from tests.contract.room_setups.replay import write_video
from tests.e2e.commands import error_line, host_link_line, run, start

pytestmark = [pytest.mark.real_time, pytest.mark.slow]


def test_used_port_is_a_one_line_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run(tmp_path, "serve", "--port", str(port))
    assert done.returncode == 1
    assert f"port {port}" in error_line(done)
    assert "--port" in error_line(done)


def test_second_server_on_the_same_database_is_refused(tmp_path: Path) -> None:
    first = start(tmp_path, "serve", "--port", "0")
    try:
        line = host_link_line(first)
        done = run(tmp_path, "serve", "--port", "0")
        assert done.returncode == 1
        assert "another ClassMood is running" in error_line(done)
        checked = run(tmp_path, "doctor", CLASSMOOD_WEB__PORT=url_port(line))
        assert checked.returncode == 0, checked.stdout
        assert "ok     port: ClassMood already runs on 127.0.0.1:" in checked.stdout
        assert run(tmp_path, "classes").returncode == 0
    finally:
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=10)
    assert first.returncode == 0


def url_port(line: str) -> str:
    """The port in a line that ends with a host link."""
    return line.partition("/?token=")[0].rpartition(":")[2]


def test_rotated_token_takes_effect_on_a_running_server(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    server = start(tmp_path, "serve", "--port", port)
    try:
        line = host_link_line(server)
        first = line.split("?token=")[1].strip()
        assert status(port, first) == 200

        printed = run(tmp_path, "token", "--port", port)
        assert printed.returncode == 0, printed.stderr
        link = printed.stdout.strip()
        assert urlopen(link, timeout=10).status == 200
        with pytest.raises(HTTPError, match="401"):
            urlopen(link, timeout=10)

        rotated = run(tmp_path, "token", "--rotate", "--port", port)
        fresh = re.findall(r"Host token: +(\S+)", rotated.stderr)[0]
        deadline = time.monotonic() + 20
        while status(port, first) == 200 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert (status(port, first), status(port, fresh)) == (401, 200)
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=20)
    stored = (tmp_path / "classmood.token").read_text()
    assert first not in stored
    assert fresh not in stored


def status(port: str, token: str) -> int:
    """HTTP status of an API request with this token."""
    request = Request(f"http://127.0.0.1:{port}/api/classes", headers={"Authorization": f"Bearer {token}"})
    try:
        with urlopen(request, timeout=10) as response:
            return int(response.status)
    except HTTPError as exc:
        return exc.code


def test_stopping_server_ends_its_classes_and_waits_for_no_client(tmp_path: Path) -> None:
    server = start(tmp_path, "serve", "--port", "0")
    line = host_link_line(server)
    url, _, token = line.split()[-1].partition("/?token=")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    for _ in range(3):
        with urlopen(Request(f"{url}/api/classes", b"{}", headers), timeout=20) as response:
            made = json.load(response)
    following = urlopen(Request(f"{url}/api/classes/{made['id']}/live", headers=headers), timeout=20)
    assert following.readline()
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as slow:
        room = f"/api/companion/{made['code']}/offer"
        slow.sendall(f"POST {room} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{{".encode())
        time.sleep(1)
        began_s = time.monotonic()
        server.send_signal(signal.SIGTERM)
        _, err = server.communicate(timeout=30)
    print(
        f"shut down in {time.monotonic() - began_s:.2f} s with three classes, a follower and a slow request"
    )
    assert server.returncode == 0, err
    assert "Traceback" not in err
    following.read()  # returns because the server ended the stream
    listed = run(tmp_path, "classes").stdout.splitlines()
    assert len(listed) == 3
    assert all(" ended " in line for line in listed)


def test_every_address_includes_both_families(tmp_path: Path) -> None:
    server = start(tmp_path, "serve", "--port", "0", CLASSMOOD_WEB__HOST="::")
    try:
        port = url_port(host_link_line(server))
        addresses = ["127.0.0.1"]
        if socket.has_dualstack_ipv6():
            addresses.append("[::1]")
        for address in addresses:
            with urlopen(f"http://{address}:{port}/healthz", timeout=5) as response:
                assert response.status == 200
        finding = run(tmp_path, "doctor", CLASSMOOD_WEB__HOST="::", CLASSMOOD_WEB__PORT=port)
        assert "ClassMood already runs" in finding.stdout
    finally:
        server.terminate()
        server.wait(10)


def test_settings_file_means_the_same_from_every_folder(tmp_path: Path) -> None:
    """A link that `classmood token` prints elsewhere opens the server's pages."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (home / "c.yaml").write_text("web: {port: 0}", encoding="utf-8")
    server = start(home, "serve", "--config", "c.yaml")
    try:
        port = url_port(host_link_line(server))
        printed = run(elsewhere, "token", "--config", str(home / "c.yaml"))
        assert printed.returncode == 0, printed.stderr
        token = printed.stdout.split("token=")[1].split()[0]
        assert status(port, token) == 200
        assert list(elsewhere.iterdir()) == []
    finally:
        server.terminate()
        server.wait(10)


@pytest.mark.parametrize("cpu_s", [0.2, 1.0, 1.8, 2.4])
@pytest.mark.parametrize("command", ["serve", "doctor", "token"])
def test_ctrl_c_at_any_moment_prints_no_traceback(tmp_path: Path, command: str, cpu_s: float) -> None:
    """Moments in CPU time, because a busy machine would spend any wall time on importing."""
    process = start(tmp_path, command, CLASSMOOD_WEB__PORT="0")
    give_up_s = time.monotonic() + 30
    while process.poll() is None and spent_s(process.pid) < cpu_s and time.monotonic() < give_up_s:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors + out
    assert "Aborted" not in errors
    # A shell reports 130 for a process that SIGINT ended. doctor may have ended before, with its own verdict.
    assert process.returncode in {-signal.SIGINT, 130, 0} | ({1} if "WRONG" in out else set())


def test_ctrl_c_in_the_middle_of_a_command_exits_as_shells_expect(tmp_path: Path) -> None:
    write_video(tmp_path / "film.mp4", seconds=300)
    process = start(tmp_path, "analyze", "film.mp4", "--jsonl")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("{")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_server_runs_where_uvloop_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "uvloop.py").write_text("raise ImportError", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    server = start(tmp_path, "serve", "--port", "0", PYTHONPATH=path)
    port = url_port(host_link_line(server))
    with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as response:
        assert response.status == 200
    server.send_signal(signal.SIGINT)
    _, errors = server.communicate(timeout=15)
    assert server.returncode == 0
    assert "Traceback" not in errors
