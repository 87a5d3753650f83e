"""Settings: defaults, overrides, and one clear line for what is wrong. Every key stands in config.yaml."""

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from bot.config import ConfigError, Settings, load_settings
from bot.host_token import host_token

ROOT = Path(__file__).parents[2]


def write(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("text", ["", "web:\n", "{}"])
def test_an_empty_file_gives_the_defaults(tmp_path: Path, text: str) -> None:
    assert load_settings(write(tmp_path, text), {}) == Settings()


def test_the_shipped_file_names_every_key_with_its_default() -> None:
    shipped = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert set(shipped) == set(Settings.model_fields)
    for section, field in Settings.model_fields.items():
        assert isinstance(field.default, BaseModel)
        assert set(shipped[section]) == set(type(field.default).model_fields), section
    assert load_settings(ROOT / "config.yaml", {}) == Settings()


def test_every_key_is_explained() -> None:
    lines = (ROOT / "config.yaml").read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("  ") and not line.strip().startswith("#"):
            assert lines[number - 1].strip().startswith("#"), line


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
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
    ("text", "named"),
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
def test_what_is_wrong_is_named_in_one_line(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        load_settings(write(tmp_path, text), {})
    assert "\n" not in str(caught.value)


def test_an_unknown_variable_is_named() -> None:
    with pytest.raises(ConfigError, match=r"web\.prot"):
        load_settings(ROOT / "config.yaml", {"CLASSMOOD_WEB__PROT": "1"})


def test_a_missing_file_is_an_error_only_when_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(None, {}) == Settings()
    with pytest.raises(ConfigError, match="cannot read"):
        load_settings(tmp_path / "no.yaml", {})


def test_a_token_in_a_file_others_can_read_is_refused(tmp_path: Path) -> None:
    text = "web:\n  token: '0123456789012345'\n"
    assert load_settings(write(tmp_path, text), {}).web.token is not None
    with pytest.raises(ConfigError, match="chmod 600"):
        load_settings(write(tmp_path, text, 0o644), {})


def test_the_host_token_is_made_once_and_kept_private(tmp_path: Path) -> None:
    web = Settings().web.model_copy(update={"token_file": tmp_path / "token"})
    token = host_token(web)
    assert len(token) >= 32
    assert host_token(web) == token
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    (tmp_path / "token").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        host_token(web)


def test_a_useless_token_is_refused(tmp_path: Path) -> None:
    web = Settings().web.model_copy(update={"token_file": tmp_path / "token"})
    (tmp_path / "token").write_text("\n")
    (tmp_path / "token").chmod(0o600)
    with pytest.raises(ConfigError, match="delete it"):
        host_token(web)
    with pytest.raises(ConfigError, match="longer"):
        host_token(load_settings(write(tmp_path, "web:\n  token: short\n"), {}).web)
    with pytest.raises(ConfigError, match="token_file"):
        host_token(web.model_copy(update={"token_file": tmp_path / "no" / "token"}))
