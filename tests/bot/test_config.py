"""Settings: defaults, overrides and one-line errors; config.yaml describes every key."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from bot.config import ConfigError, Settings, load_settings

ROOT = Path(__file__).parents[2]


def write(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("text", ["", "web:\n", "{}"])
def test_empty_file_gives_the_defaults(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    assert load_settings(None, {}) == Settings()


def test_config_yaml_has_every_key_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert set(shipped) == set(Settings.model_fields)
    for section, field in Settings.model_fields.items():
        assert isinstance(field.default, BaseModel)
        assert set(shipped[section]) == set(type(field.default).model_fields), section
    monkeypatch.chdir(ROOT)
    assert load_settings(None, {}) == Settings()


def test_every_key_of_config_yaml_has_a_comment() -> None:
    lines = (ROOT / "config.yaml").read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("  ") and not line.strip().startswith("#"):
            assert lines[number - 1].strip().startswith("#"), line


def test_environment_overrides_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "web:\n  port: 1\nprivacy:\n  min_group: 7\n")
    settings = load_settings(
        path,
        {
            "CLASSMOOD_WEB__PORT": "9000",
            "CLASSMOOD_WEBRTC__ICE_SERVERS": "[stun:a.example]",
            "CLASSMOOD_WEB__TOKEN": "0123456789012345",
            "OTHER": "1",
        },
    )
    assert (settings.web.port, settings.privacy.min_group) == (9000, 7)
    assert settings.webrtc.ice_servers == ("stun:a.example",)
    assert settings.web.token is not None
    assert settings.web.token.get_secret_value() == "0123456789012345"
    assert "0123456789012345" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wbe:\n  port: 1\n", "wbe"),
        ("web:\n  prot: 1\n", "web.prot"),
        ("web:\n  port: 99999\n", "web.port"),
        ("web:\n  port: many\n", "web.port"),
        ("privacy:\n  jurisdiction: mars\n", "privacy.jurisdiction"),
        ("analysis:\n  samples_per_s: 0\n", "analysis.samples_per_s"),
        ("web: 3\n", "web"),
        ("- a\n", "sections"),
        ("web: [\n", "YAML"),
    ],
)
def test_error_names_the_key_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        load_settings(write(tmp_path, text), {})
    assert "\n" not in str(caught.value)


def test_unknown_variable_is_named() -> None:
    with pytest.raises(ConfigError, match=r"web\.prot"):
        load_settings(ROOT / "config.yaml", {"CLASSMOOD_WEB__PROT": "1"})


@pytest.mark.parametrize("url", ["mood.example", "ftp://mood.example", "https://", "https://a.example/mood"])
def test_public_url_needs_scheme_and_host_and_no_path(tmp_path: Path, url: str) -> None:
    with pytest.raises(
        ConfigError, match=r"web\.public_url: write scheme and host without a path: https://mood"
    ):
        load_settings(write(tmp_path, f"web:\n  public_url: {url}\n"), {})


def test_public_url_may_have_a_port_and_a_final_slash(tmp_path: Path) -> None:
    for url in ("https://mood.example", "http://localhost:9000/", "https://[::1]:8443"):
        assert load_settings(write(tmp_path, f"web:\n  public_url: {url}\n"), {}).web.public_url == url


def test_trusted_proxy_without_brackets_gets_an_error_that_shows_a_list(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"web\.trusted_proxies: write a list in brackets"):
        load_settings(write(tmp_path, "web:\n  trusted_proxies: 127.0.0.1\n"), {})


def test_error_about_an_ice_server_does_not_show_its_password(tmp_path: Path) -> None:
    text = "webrtc:\n  ice_servers: ['turns://mood:secret@relay.example']\n"
    with pytest.raises(ConfigError, match=r"webrtc\.ice_servers: write each server as stun:HOST") as caught:
        load_settings(write(tmp_path, text), {})
    assert "secret" not in str(caught.value)


def test_missing_file_is_an_error_only_if_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(None, {}) == Settings()
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path / "no.yaml", {})


def test_settings_file_with_a_token_must_be_private(tmp_path: Path) -> None:
    text = "web:\n  token: '0123456789012345'\n"
    assert load_settings(write(tmp_path, text), {}).web.token is not None
    with pytest.raises(ConfigError, match="chmod 600"):
        load_settings(write(tmp_path, text, 0o644), {})


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("store:\n  url: postgresql://mood:secret@db/mood\n", "store.url"),
        ("webrtc:\n  ice_servers: ['turn:mood:secret@relay.example:3478']\n", "webrtc.ice_servers"),
    ],
)
def test_settings_file_with_a_password_must_be_private(tmp_path: Path, text: str, key: str) -> None:
    assert load_settings(write(tmp_path, text), {}) != Settings()
    with pytest.raises(ConfigError, match=rf"run `chmod 600 .*CLASSMOOD_.*: the file holds {key}") as caught:
        load_settings(write(tmp_path, text, 0o644), {})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["store:\n  url: sqlite:////srv/a.db\n", "webrtc:\n  ice_servers: ['stun:stun.example:3478']\n"]
)
def test_file_without_secrets_may_be_readable_by_others(tmp_path: Path, text: str) -> None:
    load_settings(write(tmp_path, text, 0o644), {})


def test_trusted_proxies_are_addresses_or_networks(tmp_path: Path) -> None:
    web = load_settings(write(tmp_path, "web:\n  trusted_proxies: [127.0.0.1, 10.0.0.0/8, '::1']\n"), {}).web
    assert [str(proxy) for proxy in web.trusted_proxies] == ["127.0.0.1/32", "10.0.0.0/8", "::1/128"]
    with pytest.raises(ConfigError, match="trusted_proxies"):
        load_settings(write(tmp_path, "web:\n  trusted_proxies: [proxy.example]\n"), {})


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9"),
        ("0.0.0.0", "http://127.0.0.1:9"),
        ("::", "http://127.0.0.1:9"),
        ("::1", "http://[::1]:9"),
    ],
)
def test_local_url_reaches_the_pages_on_this_machine(host: str, url: str) -> None:
    assert Settings().web.model_copy(update={"host": host}).local_url(9) == url


@pytest.mark.parametrize(("host", "plain"), [("[::]", "::"), ("[::1]", "::1"), ("::1", "::1")])
def test_ipv6_addresses_may_have_brackets(tmp_path: Path, host: str, plain: str) -> None:
    assert load_settings(write(tmp_path, f"web: {{host: '{host}'}}"), {}).web.host == plain


@pytest.mark.parametrize("host", ["", " ", "*"])
def test_unclear_hosts_are_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match=r"web\.host: write 0\.0\.0\.0 for every IPv4 address"):
        load_settings(write(tmp_path, f"web: {{host: '{host}'}}"), {})


def test_a_pipe_has_no_folder_of_its_own(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as threads:
        threads.submit(pipe.write_text, "web: {port: 9000}")
        settings = load_settings(pipe, {})
    assert settings.web.port == 9000
    assert settings.web.token_file == Path("classmood.token")


def test_relative_paths_begin_at_the_folder_of_the_file(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, "web: {port: 9000}"), {})
    assert settings.web.token_file == tmp_path / "classmood.token"
    assert settings.store.url == f"sqlite:///{tmp_path / 'classmood.db'}"
    settings = load_settings(write(tmp_path, "web: {token_file: a/b}\nstore: {url: 'sqlite:///c/d.db'}"), {})
    assert settings.web.token_file == tmp_path / "a/b"
    assert settings.store.url == f"sqlite:///{tmp_path / 'c/d.db'}"


def test_other_paths_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absolute = write(tmp_path, "web: {token_file: /run/token}\nstore: {url: 'sqlite:////var/c.db'}")
    assert load_settings(absolute, {}).web.token_file == Path("/run/token")
    assert load_settings(absolute, {}).store.url == "sqlite:////var/c.db"
    environment = {"CLASSMOOD_WEB__TOKEN_FILE": "here", "CLASSMOOD_STORE__URL": "sqlite:///here.db"}
    assert load_settings(absolute, environment).web.token_file == Path("here")
    assert load_settings(absolute, environment).store.url == "sqlite:///here.db"
    monkeypatch.chdir(tmp_path)
    assert load_settings(None, {}).web.token_file == Path("/run/token")
    server = write(tmp_path, "store: {url: 'postgresql://db/mood'}")
    assert load_settings(server, {}).store.url == "postgresql://db/mood"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_other_encodings_are_named(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_bytes("web: {port: 9000}  # für uns".encode(encoding))
    with pytest.raises(ConfigError, match="as UTF-8"):
        load_settings(path, {})


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_of_ascii_without_a_byte_order_mark_is_named(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_bytes("web: {port: 9000}".encode(encoding))
    with pytest.raises(ConfigError, match="as UTF-8"):
        load_settings(path, {})


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_bytes("web: {port: 9000}".encode("utf-8-sig"))
    assert load_settings(path, {}).web.port == 9000


def test_collected_settings_files(cases: Path) -> None:
    with pytest.raises(ConfigError, match="as UTF-8"):
        load_settings(cases / "config_utf16.yaml", {})
    assert load_settings(cases / "host_any6.yaml", {}).web.local_url() == "http://127.0.0.1:8812"


def test_a_section_within_a_section_comes_from_file_and_environment(tmp_path: Path) -> None:
    path = write(tmp_path, "rooms:\n  livekit:\n    url: wss://video.example.org/\n    api_key: file\n")
    settings = load_settings(
        path, {"CLASSMOOD_ROOMS__LIVEKIT__API_KEY": "0123", "CLASSMOOD_ROOMS__LIVEKIT__API_SECRET": "456"}
    ).rooms.livekit
    assert (settings.url, settings.api_key) == ("wss://video.example.org", "0123")
    assert settings.api_secret is not None
    assert settings.api_secret.get_secret_value() == "456"
    assert "456" not in repr(settings)


def test_a_file_with_the_secret_of_a_server_must_be_private(tmp_path: Path) -> None:
    path = write(tmp_path, "rooms:\n  livekit:\n    api_key: k\n    api_secret: s\n", mode=0o644)
    with pytest.raises(ConfigError, match="CLASSMOOD_ROOMS__LIVEKIT__API_SECRET"):
        load_settings(path, {})
    path.chmod(0o600)
    assert load_settings(path, {}).rooms.livekit.api_key == "k"


@pytest.mark.parametrize("url", ["https://video.example.org", "wss://", "wss://me:secret@video.example.org"])
def test_the_address_of_a_livekit_server_is_checked(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="wss://video") as caught:
        load_settings(write(tmp_path, f"rooms:\n  livekit:\n    url: {url}\n"), {})
    assert "secret" not in str(caught.value)


def test_a_section_and_a_value_of_it_in_the_environment_are_refused(tmp_path: Path) -> None:
    environment = {"CLASSMOOD_ROOMS__LIVEKIT": "1", "CLASSMOOD_ROOMS__LIVEKIT__URL": "wss://h"}
    with pytest.raises(ConfigError, match="CLASSMOOD_ROOMS__LIVEKIT__URL"):
        load_settings(write(tmp_path, ""), environment)
