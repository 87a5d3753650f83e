"""Settings: config.yaml, overridden by CLASSMOOD_<SECTION>__<KEY>, unknown keys refused by name.

Comes in: a path and the environment. Goes out: ``Settings``, checked, frozen. Every key is described
in config.yaml; a test compares the two.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr, ValidationError

from bot.ice_servers import parse_ice_server
from reports.summary.classes import analyses_faces

ENV_PREFIX = "CLASSMOOD_"
DEFAULT_PATH = Path("config.yaml")
_WITH_PASSWORD = re.compile(r":[^:/@\s]+:[^/@\s]+@|://[^:/@\s]+:[^/@\s]+@")
"""``turn:USER:PASSWORD@HOST`` or ``scheme://USER:PASSWORD@HOST``."""

_YAML_RAISES = (
    yaml.YAMLError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    ArithmeticError,
    RecursionError,
)
"""What PyYAML raises on text that is no YAML, or holds a date, number or nesting that cannot be."""


class ConfigError(Exception):
    """The configuration cannot be used; the text is one line that names the key and what to do."""


def _is_site(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("write scheme and host, nothing behind them: https://mood.example.org")
    return address


def _are_ice_servers(servers: tuple[str, ...]) -> tuple[str, ...]:
    for server in servers:
        parse_ice_server(server)
    return servers


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StoreSettings(_Section):
    """Where classes are kept."""

    url: str = "sqlite:///classmood.db"


class WebSettings(_Section):
    """The host's pages."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8765
    public_url: Annotated[str, AfterValidator(_is_site)] | None = None
    token: SecretStr | None = None
    token_file: Path = Path("classmood.token")
    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()

    def local_url(self, port: int | None = None) -> str:
        """Where this machine reaches the pages: ``web.port``, or the port given."""
        host = self.host if ":" not in self.host else f"[{self.host}]"
        if host in {"0.0.0.0", "[::]"}:  # every address: this one is surely among them
            host = "127.0.0.1"
        return f"http://{host}:{self.port if port is None else port}"


class AnalysisSettings(_Section):
    """What is looked at, and how often."""

    samples_per_s: Annotated[float, Field(gt=0, le=10)] = 2.0
    window_s: Annotated[float, Field(ge=1, le=60)] = 5.0
    detector: Literal["blazeface"] = "blazeface"
    detector_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    min_face_px: Annotated[int, Field(ge=8, le=10_000)] = 24
    min_confidence: Annotated[float, Field(ge=0, lt=1)] = 0.3
    workers: Annotated[int, Field(ge=1, le=16)] = 2


class PrivacySettings(_Section):
    """What is never done, and how long anything is kept."""

    min_group: Annotated[int, Field(ge=1, le=1000)] = 5
    jurisdiction: Literal["none", "eu-education"] = "none"
    retention_days: Annotated[int, Field(ge=1, le=36_500)] = 180
    individual_hours: Annotated[int, Field(ge=1, le=876_000)] = 48
    require_announcement: bool = False

    @property
    def analyses_faces(self) -> bool:
        """Whether the privacy profile allows face analysis."""
        return analyses_faces(self.jurisdiction)


class WebrtcSettings(_Section):
    """Receiving."""

    ice_servers: Annotated[tuple[str, ...], AfterValidator(_are_ice_servers)] = ()
    connect_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    silence_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 5.0
    rejoin_s: Annotated[float, Field(gt=0, le=3600)] = 30.0


class LogSettings(_Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "warning"
    json_lines: bool = False


class Settings(_Section):
    """All of it, section by section."""

    store: StoreSettings = StoreSettings()
    web: WebSettings = WebSettings()
    analysis: AnalysisSettings = AnalysisSettings()
    privacy: PrivacySettings = PrivacySettings()
    webrtc: WebrtcSettings = WebrtcSettings()
    logs: LogSettings = LogSettings()


def load_settings(path: Path | None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    Args:
        path: YAML file; None for ``config.yaml`` here if there is one, else the defaults.
        environment: Variables to look at; None for the process's own.

    Raises:
        ConfigError: an unreadable file, an unknown key, a value out of range, or a secret in a file
            others can read.
    """
    chosen = path if path is not None else DEFAULT_PATH
    values: dict[str, Any] = {}
    if path is not None or chosen.exists():
        values = _read(chosen)
    for section, keys in _from_environment(os.environ if environment is None else environment).items():
        held = values.setdefault(section, {})
        if not isinstance(held, dict):
            raise ConfigError(f"{chosen}: {section} must be a section with keys below it")
        held.update(keys)
    try:
        return Settings.model_validate(values)
    except ValidationError as exc:
        raise ConfigError(_one_line(exc, chosen)) from exc


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"cannot read {path} ({exc}): check the path given with --config") from exc
    try:
        found = yaml.safe_load(text)
    except _YAML_RAISES as exc:
        raise ConfigError(f"{path} is no valid YAML: {_said(exc)}") from exc
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigError(f"{path} must hold sections with keys below them, not a {type(found).__name__}")
    values = {str(section): keys if keys is not None else {} for section, keys in found.items()}
    secret = _secret_key(values)
    if secret is not None and stat.S_IMODE(path.stat().st_mode) & 0o077:
        variable = f"{ENV_PREFIX}{secret.upper().replace('.', '__')}"
        raise ConfigError(
            f"{path} holds {secret} but others can read it: chmod 600 {path}, or set {variable} instead"
        )
    return values


def _secret_key(values: dict[str, Any]) -> str | None:
    """The first key that holds a secret: the host token, or a URL with a password in it."""

    def held(section: str, key: str) -> Any:
        keys = values.get(section)
        return keys.get(key) if isinstance(keys, dict) else None

    if held("web", "token") is not None:
        return "web.token"
    if _WITH_PASSWORD.search(str(held("store", "url"))):
        return "store.url"
    if _WITH_PASSWORD.search(str(held("webrtc", "ice_servers"))):
        return "webrtc.ice_servers"
    return None


def _from_environment(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for variable, text in environment.items():
        if not variable.startswith(ENV_PREFIX) or "__" not in variable:
            continue
        section, key = variable[len(ENV_PREFIX) :].lower().split("__", 1)
        try:
            value = text if key == "token" else yaml.safe_load(text)
        except _YAML_RAISES as exc:
            raise ConfigError(f"{variable} cannot be read: {_said(exc)}") from exc
        found.setdefault(section, {})[key] = value
    return found


def _said(exc: Exception) -> str:
    """What an error says, on one line and not without end."""
    return " ".join(str(exc).split())[:300] or type(exc).__name__


def _one_line(exc: ValidationError, path: Path) -> str:
    first = exc.errors(include_url=False, include_input=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    more = f" (and {exc.error_count() - 1} more)" if exc.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        return f"{path} or the environment: unknown key {key}: see config.yaml for the known ones{more}"
    if first["type"] == "value_error":  # of ours: says what to do, in its own letters
        return f"{path} or the environment: {key}: {first['ctx']['error']}{more}"
    if first["type"] == "tuple_type":
        return f"{path} or the environment: {key}: should be a list, in brackets even for one: [VALUE]{more}"
    return f"{path} or the environment: {key}: {first['msg'].lower()}{more}"
