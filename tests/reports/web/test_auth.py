"""Who comes in: by header, link and cookie; what is open; what another site's page cannot do."""

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


async def enter(client: Client, keys: HostKeys) -> str:
    """Open a host link; the cookie's value."""
    response = await client.get("/", params={"token": await keys.make_link()})
    assert response.status == 200
    return response.cookies[COOKIE].value


@pytest.mark.parametrize(
    "path",
    ["/api/classes", "/api/classes/c1", "/api/classes/c1/live", "/api/classes/c1/report.html", "/metrics"],
)
async def test_closed_to_programs_without_the_token(client: Client, path: str) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer é"},
        {"Cookie": f"{COOKIE}={TOKEN}"},
        {"Cookie": f"{COOKIE}=wrong"},
    ):
        # Through a proxy, for programs on this machine may read the figures.
        response = await client.get(path, headers={"X-Forwarded-For": "192.0.2.7", **headers})
        assert response.status == 401, headers
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert "host link" in (await response.json())["error"]


@pytest.mark.parametrize("path", ["/", "/classes/c1", "/classes/c1/timeline.svg"])
async def test_closed_to_people_without_the_link(client: Client, path: str) -> None:
    for query in ({}, {"token": "wrong"}, {"token": ""}):
        response = await client.get(path, params=query, headers={"Accept": "text/html"})
        assert response.status == 401
        assert response.content_type == "text/html"
        assert "host link" in await response.text()
        assert COOKIE not in response.cookies


async def test_a_link_opens_no_api_and_is_not_spent_there(client: Client, keys: HostKeys) -> None:
    code = await keys.make_link()
    for _ in range(2):
        assert (await client.get("/api/classes", params={"token": code})).status == 401
    assert (await client.head("/", params={"token": code})).status == 401
    assert (await client.get("/", params={"token": code})).status == 200


async def test_the_token_itself_is_no_link(client: Client) -> None:
    assert (await client.get("/", params={"token": TOKEN})).status == 401


async def test_a_link_lets_one_browser_in_and_says_so_to_the_next(client: Client, keys: HostKeys) -> None:
    code = await keys.make_link()
    link = {"token": code, "view": "small"}
    assert (await client.get("/classes/c1", params=link)).status == 200
    again = await client.get("/classes/c1", params=link)
    assert again.status == 200, "this browser is in: its own link leads on"
    assert COOKIE not in again.cookies
    client.session.cookie_jar.clear()
    refused = await client.get("/classes/c1", params=link, headers={"Accept": "text/html"})
    text = await refused.text()
    assert refused.status == 401
    assert COOKIE not in refused.cookies
    assert "This host link does not work any more" in text
    assert "classmood token" in text
    assert 'href="/classes/c1?view=small"' in text
    assert code not in text
    program = await client.get("/", params=link)
    assert "classmood token prints a new one" in (await program.json())["error"]


async def test_the_host_can_have_a_link_made_for_another_browser(client: Client, keys: HostKeys) -> None:
    made = await client.post("/api/host-links", headers=BEARER)
    assert made.status == 201
    found = await made.json()
    assert found["path"] == f"/?token={found['code']}"
    assert (await client.get(found["path"])).status == 200
    own = {"Origin": f"http://{client.host}:{client.port}"}
    assert (await client.post("/api/host-links", headers=own)).status == 201, "with the cookie too"
    client.session.cookie_jar.clear()
    assert (await client.post("/api/host-links", headers=own)).status == 401


async def test_open_to_everyone(client: Client) -> None:
    for path in ("/healthz", "/readyz", "/c/ABCD"):
        assert (await client.get(path)).status == 200
    assert (await client.post("/api/companion/ABCD/offer")).status == 200
    login = await client.get("/", headers={"Accept": "text/html"})
    style = (await login.text()).split('rel="stylesheet" href="')[1].split('"')[0]
    assert (await client.get(style)).status == 200


async def test_programs_on_this_machine_may_read_the_figures(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await client.get("/metrics")).status == 200
    assert (await client.get("/metrics", headers={"x-real-ip": "192.0.2.7"})).status == 401
    assert (await client.get("/api/classes")).status == 401
    for address, status in (("192.0.2.7", 401), ("::1", 200), ("nowhere", 401), (None, 401)):
        monkeypatch.setattr(web.BaseRequest, "remote", address)
        assert (await client.get("/metrics")).status == status


async def test_the_header_lets_programs_in(client: Client) -> None:
    assert (await client.get("/api/classes", headers=BEARER)).status == 200
    assert (await client.get("/metrics", headers=BEARER)).status == 200
    assert (await client.post("/api/classes", json={}, headers=BEARER)).status == 201


async def test_the_link_gives_a_cookie_that_is_not_the_token_and_leaves_the_token_behind(
    client: Client, keys: HostKeys
) -> None:
    code = await keys.make_link()
    response = await client.get("/classes/c1", params={"token": code, "a": "b&c"})
    text = await response.text()
    assert response.status == 200  # a redirect would not bring the Strict cookie along
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


async def test_the_cookie_is_secure_behind_https(client: Client, keys: HostKeys) -> None:
    response = await client.get(
        "/", params={"token": await keys.make_link()}, headers={"X-Forwarded-Proto": "https"}
    )
    assert response.cookies[COOKIE]["secure"]


async def test_the_cookie_of_another_server_does_not_fit(client: Client) -> None:
    other = memory_keys(TOKEN)
    value = await other.open_link(await other.make_link())
    response = await client.get("/api/classes", headers={"Cookie": f"{COOKIE}={value}"})
    assert response.status == 401


async def test_an_odd_cookie_of_another_program_does_no_harm(client: Client, keys: HostKeys) -> None:
    value = await enter(client, keys)
    client.session.cookie_jar.clear()
    response = await client.get(
        "/api/classes", headers={"Cookie": f'odd[]={{"x":1}}; plain; {COOKIE}={value}; other="a'}
    )
    assert response.status == 200


async def act(client: Client, headers: dict[str, str]) -> ClientResponse:
    return await client.post("/api/classes", json={"title": "x"}, headers=headers)


async def test_only_our_own_page_acts_with_the_cookie(client: Client, store: Store, keys: HostKeys) -> None:
    await enter(client, keys)
    own = f"http://{client.host}:{client.port}"
    for headers in (
        {},
        {"Origin": "http://evil.test"},
        {"Origin": "null"},
        {"Origin": f"http://{client.host}:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": own},
    ):
        refused = await act(client, headers)
        assert refused.status == 403, headers
        assert "Bearer" in (await refused.json())["error"]
        assert (await client.delete("/api/classes/c1", headers=headers)).status == 403
        assert (await client.post("/api/classes/c1/end", headers=headers)).status == 403
    assert [info.id for info in await store.classes()] == ["c1"]
    assert (await act(client, {"Origin": own})).status == 201
    assert (await act(client, {"Sec-Fetch-Site": "same-origin"})).status == 201


async def test_a_wrong_header_is_not_saved_by_the_cookie(client: Client, keys: HostKeys) -> None:
    await enter(client, keys)
    assert (await client.get("/api/classes")).status == 200
    assert (await client.get("/api/classes", headers={"Authorization": "Bearer wrong"})).status == 401
