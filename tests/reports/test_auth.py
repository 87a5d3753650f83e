"""Who comes in: by header, link and cookie; what is open; what another site's page cannot do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient

from bot.pipeline.indicators import indicate
from reports.auth import COOKIE, HostAuth
from reports.feed import LiveFeed
from reports.store import Store
from reports.web import build_app
from tests.reports.builders import StoreController, a_class

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
async def client(store: Store, aiohttp_client: Callable[..., Awaitable[Client]]) -> Client:
    feed = LiveFeed()
    await store.put_class(a_class())
    app = build_app(
        store=store,
        controller=StoreController(store, feed),
        feed=feed,
        token=TOKEN,
        indicate=indicate,
        extra_routes=[web.get("/c/{code}", _hello), web.post("/api/companion/{code}/offer", _hello)],
    )
    return await aiohttp_client(app)


async def enter(client: Client) -> str:
    """Open the host link; the cookie's value."""
    response = await client.get("/", params={"token": TOKEN})
    assert response.status == 200
    return response.cookies[COOKIE].value


def test_an_empty_token_is_refused() -> None:
    with pytest.raises(ValueError, match="host token is empty"):
        HostAuth("")


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
        response = await client.get(path, headers=headers)
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


async def test_the_token_in_the_query_opens_no_api(client: Client) -> None:
    assert (await client.get("/api/classes", params={"token": TOKEN})).status == 401


async def test_open_to_everyone(client: Client) -> None:
    for path in ("/healthz", "/readyz", "/c/ABCD"):
        assert (await client.get(path)).status == 200
    assert (await client.post("/api/companion/ABCD/offer")).status == 200
    login = await client.get("/", headers={"Accept": "text/html"})
    style = (await login.text()).split('rel="stylesheet" href="')[1].split('"')[0]
    assert (await client.get(style)).status == 200


async def test_the_header_lets_programs_in(client: Client) -> None:
    assert (await client.get("/api/classes", headers=BEARER)).status == 200
    assert (await client.get("/metrics", headers=BEARER)).status == 200
    assert (await client.post("/api/classes", json={}, headers=BEARER)).status == 201


async def test_the_link_gives_a_cookie_that_is_not_the_token_and_leaves_the_token_behind(
    client: Client,
) -> None:
    response = await client.get("/classes/c1", params={"token": TOKEN, "a": "b&c"})
    text = await response.text()
    assert response.status == 200  # a redirect would not bring the Strict cookie along
    assert 'content="0; url=/classes/c1?a=b%26c"' in text
    assert TOKEN not in text
    morsel = response.cookies[COOKIE]
    assert (morsel["httponly"], morsel["samesite"], morsel["path"], morsel["secure"]) == (
        True,
        "Strict",
        "/",
        "",
    )
    assert TOKEN not in morsel.value
    page = await client.get("/classes/c1")
    assert "Algebra" in await page.text()


async def test_the_cookie_is_secure_behind_https(client: Client) -> None:
    response = await client.get("/", params={"token": TOKEN}, headers={"X-Forwarded-Proto": "https"})
    assert response.cookies[COOKIE]["secure"]


async def test_the_cookie_of_another_token_does_not_fit(client: Client, store: Store) -> None:
    value = await enter(client)
    feed = LiveFeed()
    other = build_app(
        store=store, controller=StoreController(store, feed), feed=feed, token="another", indicate=indicate
    )
    async with TestClient(client.server.__class__(other)) as stranger:
        response = await stranger.get("/api/classes", headers={"Cookie": f"{COOKIE}={value}"})
        assert response.status == 401


async def test_an_odd_cookie_of_another_program_does_no_harm(client: Client) -> None:
    value = await enter(client)
    client.session.cookie_jar.clear()
    response = await client.get(
        "/api/classes", headers={"Cookie": f'odd[]={{"x":1}}; plain; {COOKIE}={value}; other="a'}
    )
    assert response.status == 200


async def act(client: Client, headers: dict[str, str]) -> ClientResponse:
    return await client.post("/api/classes", json={"title": "x"}, headers=headers)


async def test_only_our_own_page_acts_with_the_cookie(client: Client, store: Store) -> None:
    await enter(client)
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


async def test_a_wrong_header_is_not_saved_by_the_cookie(client: Client) -> None:
    await enter(client)
    assert (await client.get("/api/classes")).status == 200
    assert (await client.get("/api/classes", headers={"Authorization": "Bearer wrong"})).status == 401
