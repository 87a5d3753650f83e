"""What all responses share: security headers, the form of errors, health and metrics."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from structlog.testing import capture_logs

from tests.reports.builders import a_class, a_window
from tests.reports.web.app_client import BEARER, Host


async def test_health_and_readiness(host: Host) -> None:
    assert (await host.client.get("/healthz")).status == 200
    assert (await host.client.get("/readyz")).status == 200
    host.unready = "the model is missing: run classmood doctor"
    response = await host.client.get("/readyz")
    assert response.status == 503
    assert await response.json() == {"error": host.unready}
    assert (await host.client.get("/healthz")).status == 200


async def test_metrics_are_prometheus_text(host: Host) -> None:
    response = await host.client.get("/metrics", headers=BEARER)
    assert response.content_type == "text/plain"
    assert "# TYPE process_cpu_seconds_total counter" in await response.text()


async def test_every_response_has_the_security_headers(host: Host) -> None:
    await host.store.put_class(a_class())
    style = re.findall(r'href="(/static/[^"]+css)"', await host.page("/"))[0]
    statuses = set()
    for method, path, headers in (
        ("GET", "/", BEARER),
        ("GET", "/classes/c1", BEARER),
        ("GET", "/api/classes", BEARER),
        ("GET", "/api/none", BEARER),
        ("GET", "/api/classes", {}),
        ("PUT", "/api/classes", BEARER),
        ("POST", "/api/classes", BEARER),
        ("GET", "/healthz", {}),
        ("GET", "/api/classes/c1/live", BEARER),
        ("GET", style, {}),
        ("GET", "/static/0/none.css", {}),
    ):
        async with host.client.request(method, path, headers=headers) as response:
            statuses.add(response.status)
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "script-src 'self';" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Server"] == "ClassMood"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert response.headers["Permissions-Policy"].startswith("camera=(self), microphone=()")
            assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            if path != style:
                assert response.headers["Cache-Control"] in {"no-store", "no-cache"}
    assert statuses == {200, 401, 404, 405, 415}


async def test_report_policy_allows_only_its_own_style_sheet(host: Host) -> None:
    await host.store.put_class(a_class(title="<style>*{color:red}</style>"))
    await host.store.add_window(a_window())
    async with host.client.get("/api/classes/c1/report.html", headers=BEARER) as response:
        policy, text = response.headers["Content-Security-Policy"], await response.text()
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert len(styles) == 1
    digest = base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script|\sstyle=|\son[a-z]+=", text)


async def test_browsers_get_errors_as_a_page(host: Host) -> None:
    for path in ("/classes/none", "/api/classes/none/report.html"):
        response = await host.client.get(path, headers=BEARER | {"Accept": "text/html"})
        assert (response.status, response.content_type) == (404, "text/html")
        assert "No such class" in await response.text()


async def test_internal_error_is_one_line_without_details(host: Host) -> None:
    with capture_logs() as logs:
        assert await host.json("GET", "/fails", 500) == {"error": "internal error: see the server log"}
        page = await host.client.get("/fails", headers=BEARER | {"Accept": "text/html"})
    assert [(log["event"], log["address"]) for log in logs] == [("request_failed", "/fails")] * 2
    assert (page.status, page.content_type) == (500, "text/html")
    assert "secret detail" not in await page.text()
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["[", "localhost:x", "localhost:99999999", "@"])
async def test_a_malformed_host_header_is_refused_in_one_line(host: Host, name: str) -> None:
    for path in ("/metrics", "/healthz"):
        response = await host.client.get(path, headers={"Host": name})
        assert response.status == 400
        assert await response.json() == {"error": "send the name and port of this server as Host"}
