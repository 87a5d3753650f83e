"""Access by token, link and cookie; routes without a token; requests from other sites' pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient

from reports.store import Store
from reports.web.application import build_app
from reports.web.auth import COOKIE
from reports.web.feed import LiveFeed
from reports.web.host_keys import HostKeys
from tests.reports.builders import FakeController, a_class
from tests.reports.web.app_client import memory_keys

TOKEN = "a-long-random-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
Client = TestClient[web.Request, web.Application]


async def _hello(_request: web.Request) -> web.Response:
    return web.json_response({"student": True})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store.open(f"sqlite:///{tmp_path / 'classes.db'}")) as opened:
        yield opened


@pytest.fixture
def keys() -> HostKeys:
    return memory_keys(TOKEN)


@pytest.fixture
async def client(store: Store, keys: HostKeys, aiohttp_client: Callable[..., Awaitable[Client]]) -> Client:
    feed = LiveFeed()
    await store.put_class(a_class())
    app = build_app(
        store=store,
        controller=FakeController(store, feed),
        feed=feed,
        keys=keys,
        extra_routes=[web.get("/c/{code}", _hello), web.post("/api/companion/{code}/offer", _hello)],
    )
    return await aiohttp_client(app)


async def sign_in(client: Client, keys: HostKeys) -> str:
    """Open a host link, and return the value of the cookie."""
    response = await client.get("/", params={"token": await keys.make_link()})
    assert response.status == 200
    return response.cookies[COOKIE].value


@pytest.mark.parametrize(
    "path",
    ["/api/classes", "/api/classes/c1", "/api/classes/c1/live", "/api/classes/c1/report.html", "/metrics"],
)
async def test_programs_without_the_token_get_401(client: Client, path: str) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer é"},
        {"Cookie": f"{COOKIE}={TOKEN}"},
        {"Cookie": f"{COOKIE}=wrong"},
    ):
        # As if through a proxy: /metrics needs no token from programs on this machine.
        response = await client.get(path, headers={"X-Forwarded-For": "192.0.2.7", **headers})
        assert response.status == 401, headers
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert "host link" in (await response.json())["error"]


@pytest.mark.parametrize("path", ["/", "/classes/c1", "/classes/c1/timeline.svg"])
async def test_browsers_without_a_valid_link_get_401(client: Client, path: str) -> None:
    for query in ({}, {"token": "wrong"}, {"token": ""}):
        response = await client.get(path, params=query, headers={"Accept": "text/html"})
        assert response.status == 401
        assert response.content_type == "text/html"
        assert "host link" in await response.text()
        assert COOKIE not in response.cookies


async def test_link_works_on_pages_only_and_is_not_spent_elsewhere(client: Client, keys: HostKeys) -> None:
    code = await keys.make_link()
    for _ in range(2):
        assert (await client.get("/api/classes", params={"token": code})).status == 401
    assert (await client.head("/", params={"token": code})).status == 401
    assert (await client.get("/", params={"token": code})).status == 200


async def test_host_token_is_not_accepted_as_a_link(client: Client) -> None:
    assert (await client.get("/", params={"token": TOKEN})).status == 401


async def test_link_lets_only_one_browser_in_and_the_error_says_why(client: Client, keys: HostKeys) -> None:
    code = await keys.make_link()
    link = {"token": code, "view": "small"}
    assert (await client.get("/classes/c1", params=link)).status == 200
    again = await client.get("/classes/c1", params=link)
    assert again.status == 200, "the browser is signed in, so the link opens the page"
    assert COOKIE not in again.cookies
    client.session.cookie_jar.clear()
    refused = await client.get("/classes/c1", params=link, headers={"Accept": "text/html"})
    text = await refused.text()
    assert refused.status == 401
    assert COOKIE not in refused.cookies
    assert "This host link no longer works" in text
    assert "classmood token" in text
    assert 'href="/classes/c1?view=small"' in text
    assert code not in text
    program = await client.get("/", params=link)
    assert "run classmood token, which prints a new host link" in (await program.json())["error"]


async def test_host_creates_a_link_for_another_browser(client: Client, keys: HostKeys) -> None:
    response = await client.post("/api/host-links", headers=BEARER)
    assert response.status == 201
    link = await response.json()
    assert link["path"] == f"/?token={link['code']}"
    assert (await client.get(link["path"])).status == 200
    same_origin = {"Origin": f"http://{client.host}:{client.port}"}
    assert (await client.post("/api/host-links", headers=same_origin)).status == 201, "by cookie"
    client.session.cookie_jar.clear()
    assert (await client.post("/api/host-links", headers=same_origin)).status == 401


async def test_routes_that_need_no_token(client: Client) -> None:
    for path in ("/healthz", "/readyz", "/c/ABCD"):
        assert (await client.get(path)).status == 200
    assert (await client.post("/api/companion/ABCD/offer")).status == 200
    login = await client.get("/", headers={"Accept": "text/html"})
    style = (await login.text()).split('rel="stylesheet" href="')[1].split('"')[0]
    assert (await client.get(style)).status == 200


async def test_metrics_need_no_token_from_programs_on_this_machine(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await client.get("/metrics")).status == 200
    assert (await client.get("/metrics", headers={"x-real-ip": "192.0.2.7"})).status == 401
    assert (await client.get("/api/classes")).status == 401
    for address, status in (("192.0.2.7", 401), ("::1", 200), ("nowhere", 401), (None, 401)):
        monkeypatch.setattr(web.BaseRequest, "remote", address)
        assert (await client.get("/metrics")).status == status


async def test_programs_use_the_token_in_a_header(client: Client) -> None:
    assert (await client.get("/api/classes", headers=BEARER)).status == 200
    assert (await client.get("/metrics", headers=BEARER)).status == 200
    assert (await client.post("/api/classes", json={}, headers=BEARER)).status == 201


async def test_link_sets_a_strict_cookie_and_leads_to_the_address_without_the_code(
    client: Client, keys: HostKeys
) -> None:
    code = await keys.make_link()
    response = await client.get("/classes/c1", params={"token": code, "a": "b&c"})
    text = await response.text()
    assert response.status == 200  # not a redirect: browsers would not send the Strict cookie with it
    assert 'content="0; url=/classes/c1?a=b%26c"' in text
    assert code not in text
    morsel = response.cookies[COOKIE]
    assert (morsel["httponly"], morsel["samesite"], morsel["path"], morsel["secure"]) == (
        True,
        "Strict",
        "/",
        "",
    )
    assert code not in morsel.value
    page = await client.get("/classes/c1")
    assert "Algebra" in await page.text()


async def test_cookie_is_secure_behind_https(client: Client, keys: HostKeys) -> None:
    response = await client.get(
        "/", params={"token": await keys.make_link()}, headers={"X-Forwarded-Proto": "https"}
    )
    assert response.cookies[COOKIE]["secure"]


async def test_cookie_of_another_server_is_refused(client: Client) -> None:
    other = memory_keys(TOKEN)
    value = await other.open_link(await other.make_link())
    response = await client.get("/api/classes", headers={"Cookie": f"{COOKIE}={value}"})
    assert response.status == 401


async def test_malformed_cookies_of_other_programs_are_ignored(client: Client, keys: HostKeys) -> None:
    value = await sign_in(client, keys)
    client.session.cookie_jar.clear()
    response = await client.get(
        "/api/classes", headers={"Cookie": f'odd[]={{"x":1}}; plain; {COOKIE}={value}; other="a'}
    )
    assert response.status == 200


async def start_class(client: Client, headers: dict[str, str]) -> ClientResponse:
    return await client.post("/api/classes", json={"title": "x"}, headers=headers)


async def test_cookie_allows_changes_only_from_the_same_origin(
    client: Client, store: Store, keys: HostKeys
) -> None:
    await sign_in(client, keys)
    own_origin = f"http://{client.host}:{client.port}"
    for headers in (
        {},
        {"Origin": "http://evil.test"},
        {"Origin": "null"},
        {"Origin": f"http://{client.host}:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": own_origin},
    ):
        refused = await start_class(client, headers)
        assert refused.status == 403, headers
        assert "Bearer" in (await refused.json())["error"]
        assert (await client.delete("/api/classes/c1", headers=headers)).status == 403
        assert (await client.post("/api/classes/c1/end", headers=headers)).status == 403
    assert [info.id for info in await store.classes()] == ["c1"]
    assert (await start_class(client, {"Origin": own_origin})).status == 201
    assert (await start_class(client, {"Sec-Fetch-Site": "same-origin"})).status == 201


async def test_wrong_authorization_header_is_refused_despite_the_cookie(
    client: Client, keys: HostKeys
) -> None:
    await sign_in(client, keys)
    assert (await client.get("/api/classes")).status == 200
    assert (await client.get("/api/classes", headers={"Authorization": "Bearer wrong"})).status == 401
