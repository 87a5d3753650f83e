"""The host token, links and cookies: hashes in a file of mode 600, links that work once, rotation."""

from __future__ import annotations

import json
import threading
from asyncio import create_task, sleep, to_thread
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import time

import pytest
from aiohttp.test_utils import TestServer
from aiohttp.web import Application, Request, Response, json_response
from pydantic import SecretStr

from bot.config import ConfigError, Settings, StoreSettings, WebSettings, load_settings
from bot.host_links import fresh_link, key_store, open_host_access, rotate_token
from reports.web.host_keys import HostKeys, HostKeysError, Keys, MemoryKeyStore, hash_secret
from reports.web.key_file import KeyFile
from reports.web.key_table import KeyTable
from tests.postgres_server import PostgresServer


@pytest.fixture
def web(tmp_path: Path) -> WebSettings:
    return Settings().web.model_copy(update={"token_file": tmp_path / "token"})


def code_of(link: str) -> str:
    return link.split("?token=")[1]


async def test_token_is_created_once_shown_once_and_stored_as_a_hash(web: WebSettings) -> None:
    first = await to_thread(open_host_access, web, KeyFile(web.token_file))
    assert first.token == first.code
    assert len(first.code) >= 32
    assert await first.keys.is_valid_token(first.code)
    cookie = await first.keys.open_link(first.code)
    assert cookie is not None
    restarted = await to_thread(open_host_access, web, KeyFile(web.token_file))
    assert restarted.token is None
    assert restarted.code != first.code
    link = code_of(await to_thread(fresh_link, web, KeyFile(web.token_file)))
    text = await to_thread(web.token_file.read_text)
    for secret in (first.code, cookie, restarted.code, link):
        assert secret not in text
    assert set(json.loads(text)) == {"token", "links", "cookies"}
    assert web.token_file.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in web.token_file.parent.iterdir()] == ["token"]
    assert await restarted.keys.is_valid_token(first.code), "the token outlives a restart"
    assert await restarted.keys.is_valid_cookie(cookie), "so does the browser's cookie"


async def test_every_link_works_once_whichever_program_created_it(web: WebSettings) -> None:
    server = await to_thread(open_host_access, web, KeyFile(web.token_file))
    for code in (
        server.code,
        code_of(await to_thread(fresh_link, web, KeyFile(web.token_file))),
        await server.keys.make_link(),
    ):
        cookie = await server.keys.open_link(code)
        assert cookie is not None
        assert await server.keys.is_valid_cookie(cookie)
        assert await server.keys.open_link(code) is None
    assert await server.keys.open_link("unknown") is None
    assert await server.keys.is_valid_token(server.code), "the first link's code is the token"


async def test_opened_link_is_no_longer_accepted_as_a_token(web: WebSettings) -> None:
    server = await to_thread(open_host_access, web, KeyFile(web.token_file))
    code = await server.keys.make_link()
    assert await server.keys.is_valid_token(code)
    await server.keys.open_link(code)
    assert not await server.keys.is_valid_token(code)


async def test_rotating_revokes_token_links_and_cookies_of_a_running_server(web: WebSettings) -> None:
    server = await to_thread(open_host_access, web, KeyFile(web.token_file))
    old_token, old_link = server.code, await server.keys.make_link()
    cookie = await server.keys.open_link(await server.keys.make_link())
    assert cookie is not None
    token, link = await to_thread(rotate_token, web, KeyFile(web.token_file))
    uncached = HostKeys(KeyFile(web.token_file))  # the server may use its cached keys for a second
    assert not await uncached.is_valid_token(old_token)
    assert not await uncached.is_valid_cookie(cookie)
    assert await uncached.is_valid_token(token)
    assert await server.keys.open_link(old_link) is None
    assert await server.keys.open_link(code_of(link)) is not None
    assert not await server.keys.is_valid_cookie(cookie)


async def test_token_file_of_an_earlier_version_is_accepted_and_hashed(web: WebSettings) -> None:
    old = "a-token-written-by-an-earlier-version"
    web.token_file.write_text(old + "\n")
    web.token_file.chmod(0o600)
    server = await to_thread(open_host_access, web, KeyFile(web.token_file))
    assert await server.keys.is_valid_token(old)
    assert old not in await to_thread(web.token_file.read_text)


async def test_configured_token_writes_no_file_and_works_once_as_a_link(web: WebSettings) -> None:
    token = "0123456789abcdef"
    configured = web.model_copy(update={"token": SecretStr(token)})
    server = await to_thread(open_host_access, configured, KeyFile(web.token_file))
    assert server.code != token
    assert await server.keys.is_valid_token(token)
    assert await server.keys.open_link(token) is not None
    assert await server.keys.open_link(token) is None
    assert await server.keys.is_valid_token(token)
    assert await server.keys.open_link(server.code) is not None
    assert not await to_thread(web.token_file.exists)
    with pytest.raises(ConfigError, match=r"change web\.token itself"):
        await to_thread(rotate_token, configured, KeyFile(web.token_file))
    with pytest.raises(ConfigError, match=r"no server with this web\.token answers"):
        await to_thread(fresh_link, configured.model_copy(update={"port": 1}), KeyFile(web.token_file))


async def test_link_is_requested_from_the_server_without_a_proxy(
    web: WebSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "0123456789abcdef"

    async def create_link(request: Request) -> Response:
        assert request.headers["Authorization"] == f"Bearer {token}"
        return json_response({"code": "fresh"}, status=201)

    app = Application()
    app.router.add_post("/api/host-links", create_link)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setattr("urllib.request._opener", None)  # urllib caches an opener with the old environment
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with TestServer(app) as server:
        configured = web.model_copy(update={"token": SecretStr(token), "port": server.port})
        assert code_of(await to_thread(fresh_link, configured, KeyFile(web.token_file))) == "fresh"


def test_file_that_others_can_read_is_refused(web: WebSettings) -> None:
    open_host_access(web, KeyFile(web.token_file))
    web.token_file.chmod(0o640)
    for command in (open_host_access, fresh_link):
        with pytest.raises(ConfigError, match=r"run `chmod 600 .*: others can read"):
            command(web, KeyFile(web.token_file))


@pytest.mark.parametrize(
    "text", ["\n", "short", "{", "{}", '{"token": "x", "links": {}, "cookies": {}}', '{"token":1,"links":3}']
)
def test_file_without_a_usable_token_is_refused(web: WebSettings, text: str) -> None:
    web.token_file.write_text(text)
    web.token_file.chmod(0o600)
    with pytest.raises(ConfigError, match=r"delete .* and start ClassMood again"):
        open_host_access(web, KeyFile(web.token_file))


def test_short_token_and_missing_folder_are_refused(web: WebSettings, tmp_path: Path) -> None:
    nowhere = KeyFile(tmp_path / "no" / "token")
    with pytest.raises(ConfigError, match=r"choose a longer web\.token"):
        open_host_access(load_settings(None, {"CLASSMOOD_WEB__TOKEN": "short"}).web, nowhere)
    for command in (open_host_access, rotate_token):
        with pytest.raises(ConfigError, match=r"set web\.token_file to a writable path"):
            command(web, nowhere)


async def test_after_the_file_is_deleted_no_token_is_accepted(web: WebSettings) -> None:
    server = await to_thread(open_host_access, web, KeyFile(web.token_file))
    web.token_file.unlink()
    with pytest.raises(HostKeysError, match="start ClassMood again"):
        await server.keys.is_valid_token(server.code)


def test_links_created_at_the_same_time_are_all_stored(web: WebSettings) -> None:
    open_host_access(web, KeyFile(web.token_file))
    links: list[str] = []
    threads = [
        threading.Thread(target=lambda: links.append(fresh_link(web, KeyFile(web.token_file))))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = KeyFile(web.token_file).read().links
    assert {hash_secret(code_of(link)) for link in links} <= set(stored)


def test_links_and_cookies_expire_and_the_oldest_of_over_100_links_is_dropped() -> None:
    keys = Keys("t").with_link("code", now=1000.0)
    assert keys.with_link_spent("code", "cookie", now=1000.0 + 24 * 3600) is None
    changed = keys.with_link_spent("code", "cookie", now=1001.0)
    assert changed is not None
    assert (dict(changed.links), len(changed.cookies)) == ({}, 1)
    for number in range(150):
        changed = changed.with_link(str(number), now=2000.0 + number)
    assert len(changed.links) == 100
    assert hash_secret("149") in changed.links
    assert hash_secret("0") not in changed.links
    assert len(changed.with_link("x", now=1e9).links) == 1, "expired links are dropped"


class SlowKeyStore(MemoryKeyStore):
    """Reads the keys at once, but returns them only when ``answer`` is set."""

    def __init__(self, keys: Keys) -> None:
        super().__init__(keys)
        self.reading, self.answer = threading.Event(), threading.Event()

    def read(self) -> Keys:
        keys = super().read()
        self.reading.set()
        assert self.answer.wait(10)
        return keys


async def test_slow_read_does_not_undo_a_link_opened_meanwhile() -> None:
    store = SlowKeyStore(Keys(hash_secret("token")).with_link("link", time()))
    keys = HostKeys(store)
    checking = create_task(keys.is_valid_token("token"))
    assert await to_thread(store.reading.wait, 10)
    opening = create_task(keys.open_link("link"))
    await sleep(0.1)
    store.answer.set()
    cookie = await opening
    assert cookie is not None
    assert await checking
    assert await keys.is_valid_cookie(cookie)


async def test_several_servers_share_the_keys_in_postgresql(postgres: PostgresServer) -> None:
    name = postgres.create()
    settings = Settings(store=StoreSettings(url=postgres.url(name)))
    one, other = await to_thread(key_store, settings), await to_thread(key_store, settings)
    assert isinstance(one, KeyTable)
    first = await to_thread(open_host_access, settings.web, one)
    second = await to_thread(open_host_access, settings.web, other)
    assert first.token is not None
    assert second.token is None, "the first one has created it"
    cookie = await second.keys.open_link(first.code)
    assert cookie is not None
    assert await first.keys.open_link(first.code) is None, "a link works once, on whichever server"
    assert await HostKeys(one).is_valid_cookie(cookie)
    stored = str(await to_thread(postgres.execute, name, "SELECT * FROM host_keys"))
    for secret in (first.code, second.code, cookie):
        assert secret not in stored
    token, _ = await to_thread(rotate_token, settings.web, one)
    assert await HostKeys(other).is_valid_token(token)
    assert not await HostKeys(other).is_valid_cookie(cookie)


def test_keys_changed_at_the_same_time_in_postgresql_are_all_stored(postgres: PostgresServer) -> None:
    settings = Settings(store=StoreSettings(url=postgres.url(postgres.create())))
    stores = [KeyTable(settings.store.url) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        codes = [access.code for access in threads.map(partial(open_host_access, settings.web), stores)]
    assert {hash_secret(code) for code in codes} <= set(stores[0].read().links)


def test_keys_need_the_tables_of_this_version(postgres: PostgresServer) -> None:
    settings = Settings(store=StoreSettings(url=postgres.url(postgres.create(empty=True))))
    with pytest.raises(ConfigError, match="start `classmood serve` once"):
        fresh_link(settings.web, key_store(settings))
