"""The host's keys on the disk: digests only, mode 600, one link a start, rotated under a running server."""

from __future__ import annotations

import json
import threading
from asyncio import create_task, sleep, to_thread
from pathlib import Path
from time import time

import pytest
from aiohttp.test_utils import TestServer
from aiohttp.web import Application, Request, Response, json_response
from pydantic import SecretStr

from bot.config import ConfigError, Settings, WebSettings, load_settings
from bot.host_token import KeyFile, fresh_link, open_entrance, renew_token
from reports.web.host_keys import HostKeys, HostKeysError, Keys, MemoryKeyStore, digest


@pytest.fixture
def web(tmp_path: Path) -> WebSettings:
    return Settings().web.model_copy(update={"token_file": tmp_path / "token"})


def code_of(link: str) -> str:
    return link.split("?token=")[1]


async def test_the_token_is_made_once_shown_once_and_kept_as_a_hash(web: WebSettings) -> None:
    first = await to_thread(open_entrance, web)
    assert first.token == first.code
    assert len(first.code) >= 32
    assert await first.keys.token_fits(first.code)
    cookie = await first.keys.open_link(first.code)
    assert cookie is not None
    again = await to_thread(open_entrance, web)
    assert again.token is None
    assert again.code != first.code
    link = code_of(await to_thread(fresh_link, web))
    text = await to_thread(web.token_file.read_text)
    for secret in (first.code, cookie, again.code, link):
        assert secret not in text
    assert set(json.loads(text)) == {"token", "links", "cookies"}
    assert web.token_file.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in web.token_file.parent.iterdir()] == ["token"]
    assert await again.keys.token_fits(first.code), "the token goes on working"
    assert await again.keys.cookie_fits(cookie), "and so does the browser's cookie"


async def test_a_link_works_once_whoever_made_it(web: WebSettings) -> None:
    server = await to_thread(open_entrance, web)
    for code in (server.code, code_of(await to_thread(fresh_link, web)), await server.keys.make_link()):
        cookie = await server.keys.open_link(code)
        assert cookie is not None
        assert await server.keys.cookie_fits(cookie)
        assert await server.keys.open_link(code) is None
    assert await server.keys.open_link("never") is None
    assert await server.keys.token_fits(server.code), "the first link's code is the token"


async def test_an_opened_link_is_no_token_any_more(web: WebSettings) -> None:
    server = await to_thread(open_entrance, web)
    code = await server.keys.make_link()
    assert await server.keys.token_fits(code)
    await server.keys.open_link(code)
    assert not await server.keys.token_fits(code)


async def test_rotating_shuts_everyone_out_of_a_server_that_runs(web: WebSettings) -> None:
    server = await to_thread(open_entrance, web)
    old_token, old_link = server.code, await server.keys.make_link()
    cookie = await server.keys.open_link(await server.keys.make_link())
    assert cookie is not None
    token, link = await to_thread(renew_token, web)
    fresh = HostKeys(KeyFile(web.token_file))  # the server itself looks again after a second
    assert not await fresh.token_fits(old_token)
    assert not await fresh.cookie_fits(cookie)
    assert await fresh.token_fits(token)
    assert await server.keys.open_link(old_link) is None
    assert await server.keys.open_link(code_of(link)) is not None
    assert not await server.keys.cookie_fits(cookie)


async def test_a_token_of_an_earlier_version_goes_on_working_and_is_hashed(web: WebSettings) -> None:
    old = "a-token-written-by-an-earlier-version"
    web.token_file.write_text(old + "\n")
    web.token_file.chmod(0o600)
    server = await to_thread(open_entrance, web)
    assert await server.keys.token_fits(old)
    assert old not in await to_thread(web.token_file.read_text)


async def test_a_configured_token_writes_nothing_and_opens_once(web: WebSettings) -> None:
    token = "0123456789abcdef"
    configured = web.model_copy(update={"token": SecretStr(token)})
    server = await to_thread(open_entrance, configured)
    assert server.code != token
    assert await server.keys.token_fits(token)
    assert await server.keys.open_link(token) is not None
    assert await server.keys.open_link(token) is None
    assert await server.keys.token_fits(token)
    assert await server.keys.open_link(server.code) is not None
    assert not await to_thread(web.token_file.exists)
    with pytest.raises(ConfigError, match=r"web\.token is set"):
        await to_thread(renew_token, configured)
    with pytest.raises(ConfigError, match=r"no server with this web\.token answers"):
        await to_thread(fresh_link, configured.model_copy(update={"port": 1}))


async def test_the_servers_answer_is_asked_for_past_any_proxy(
    web: WebSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "0123456789abcdef"

    async def give(request: Request) -> Response:
        assert request.headers["Authorization"] == f"Bearer {token}"
        return json_response({"code": "fresh"}, status=201)

    app = Application()
    app.router.add_post("/api/host-links", give)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody is there
    monkeypatch.setattr("urllib.request._opener", None)  # made once, of the environment of then
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with TestServer(app) as server:
        configured = web.model_copy(update={"token": SecretStr(token), "port": server.port})
        assert code_of(await to_thread(fresh_link, configured)) == "fresh"


def test_a_file_others_can_read_is_refused(web: WebSettings) -> None:
    open_entrance(web)
    web.token_file.chmod(0o640)
    for refused in (open_entrance, fresh_link):
        with pytest.raises(ConfigError, match=r"others can read .*: chmod 600"):
            refused(web)


@pytest.mark.parametrize(
    "text", ["\n", "short", "{", "{}", '{"token": "x", "links": {}, "cookies": {}}', '{"token":1,"links":3}']
)
def test_a_useless_file_is_refused(web: WebSettings, text: str) -> None:
    web.token_file.write_text(text)
    web.token_file.chmod(0o600)
    with pytest.raises(ConfigError, match="delete it"):
        open_entrance(web)


def test_a_useless_setting_is_refused(web: WebSettings, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="longer"):
        open_entrance(load_settings(None, {"CLASSMOOD_WEB__TOKEN": "short"}).web)
    for refused in (open_entrance, renew_token):
        with pytest.raises(ConfigError, match="token_file"):
            refused(web.model_copy(update={"token_file": tmp_path / "no" / "token"}))


async def test_a_file_that_went_away_lets_nobody_in(web: WebSettings) -> None:
    server = await to_thread(open_entrance, web)
    web.token_file.unlink()
    with pytest.raises(HostKeysError, match="start again"):
        await server.keys.token_fits(server.code)


def test_many_at_once_lose_no_link(web: WebSettings) -> None:
    open_entrance(web)
    links: list[str] = []
    threads = [threading.Thread(target=lambda: links.append(fresh_link(web))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = KeyFile(web.token_file).read().links
    assert {digest(code_of(link)) for link in links} <= set(kept)


def test_old_links_and_cookies_cease() -> None:
    keys = Keys("t").with_link("code", now=1000.0)
    assert keys.changed_for_cookie("code", "cookie", now=1000.0 + 24 * 3600) is None
    changed = keys.changed_for_cookie("code", "cookie", now=1001.0)
    assert changed is not None
    assert (dict(changed.links), len(changed.cookies)) == ({}, 1)
    for number in range(150):
        changed = changed.with_link(str(number), now=2000.0 + number)
    assert len(changed.links) == 100
    assert digest("149") in changed.links
    assert digest("0") not in changed.links
    assert len(changed.with_link("x", now=1e9).links) == 1, "what ceased is forgotten"


class SlowShelf(MemoryKeyStore):
    """Reads at once and answers when it is told to."""

    def __init__(self, keys: Keys) -> None:
        super().__init__(keys)
        self.reading, self.answer = threading.Event(), threading.Event()

    def read(self) -> Keys:
        found = super().read()
        self.reading.set()
        assert self.answer.wait(10)
        return found


async def test_a_browser_let_in_while_the_keys_are_read_stays_in() -> None:
    shelf = SlowShelf(Keys(digest("token")).with_link("link", time()))
    keys = HostKeys(shelf)
    asking = create_task(keys.token_fits("token"))
    assert await to_thread(shelf.reading.wait, 10)
    opening = create_task(keys.open_link("link"))
    await sleep(0.1)
    shelf.answer.set()
    cookie = await opening
    assert cookie is not None
    assert await asking
    assert await keys.cookie_fits(cookie)
