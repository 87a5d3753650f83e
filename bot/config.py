"""The settings: config.yaml, overridden by variables CLASSMOOD_<SECTION>__<KEY>.

Unknown keys are errors. Every key is described in config.yaml; a test compares the two.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr, ValidationError

from bot.ice_servers import parse_ice_server
from reports.summary.classes import analyses_faces

ENV_PREFIX = "CLASSMOOD_"
DEFAULT_PATH = Path("config.yaml")
_URL_WITH_PASSWORD = re.compile(r":[^:/@\s]+:[^/@\s]+@|://[^:/@\s]+:[^/@\s]+@")
"""``turn:USER:PASSWORD@HOST`` or ``scheme://USER:PASSWORD@HOST``."""

_RELATIVE_SQLITE_URL = re.compile(r"(sqlite[+\w]*:///)(?!/|:memory:|file:)(.+)")

_TEXTS = frozenset({"token", "api_key", "api_secret"})
"""Keys whose values are texts, whatever they look like."""

_YAML_ERRORS = (
    yaml.YAMLError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    ArithmeticError,
    RecursionError,
)
"""What PyYAML raises for invalid YAML, impossible dates or numbers, and nesting that is too deep."""


class ConfigError(Exception):
    """The settings cannot be used; the text is one line that names the key and says what to do."""


def _require_site(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("write scheme and host without a path: https://mood.example.org")
    return address


def _require_websocket(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.username or parts.query:
        raise ValueError("write the server's address: wss://video.example.org")
    return address.rstrip("/")


def _require_ice_servers(servers: tuple[str, ...]) -> tuple[str, ...]:
    for server in servers:
        parse_ice_server(server)
    return servers


def _without_brackets(host: str) -> str:
    """An IPv6 address as sockets need it: URLs, and many servers' settings, write "[::1]"."""
    if not host.strip() or host == "*":
        raise ValueError("write 0.0.0.0 for every IPv4 address, or :: for every address")
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StoreSettings(_Section):
    """The database of classes."""

    url: str = "sqlite:///classmood.db"

    @property
    def is_file(self) -> bool:
        """Whether the database is a SQLite file, which one server uses; others can have several servers."""
        return self.url.startswith("sqlite")


class WebSettings(_Section):
    """The host's pages."""

    host: Annotated[str, AfterValidator(_without_brackets)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8765
    public_url: Annotated[str, AfterValidator(_require_site)] | None = None
    token: SecretStr | None = None
    token_file: Path = Path("classmood.token")
    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()
    language: Literal["en", "hi", "es", "de", "fr"] = "en"

    @property
    def is_every_address(self) -> bool:
        """Whether the pages listen on every address of this machine."""
        try:
            return ip_address(self.host).is_unspecified
        except ValueError:
            return False

    def local_url(self, port: int | None = None) -> str:
        """URL of the pages on this machine: with ``web.port``, or the given port."""
        host = self.host if ":" not in self.host else f"[{self.host}]"
        if self.is_every_address:
            host = "127.0.0.1"
        return f"http://{host}:{self.port if port is None else port}"


class AnalysisSettings(_Section):
    """Face analysis and windows."""

    samples_per_s: Annotated[float, Field(gt=0, le=10)] = 2.0
    window_s: Annotated[float, Field(ge=1, le=60)] = 5.0
    detector: Literal["blazeface"] = "blazeface"
    detector_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    min_face_px: Annotated[int, Field(ge=8, le=10_000)] = 24
    min_confidence: Annotated[float, Field(ge=0, lt=1)] = 0.3
    workers: Annotated[int, Field(ge=1, le=16)] = 2


class PrivacySettings(_Section):
    """Limits of the analysis, and retention."""

    min_group: Annotated[int, Field(ge=1, le=1000)] = 5
    hold_s: Annotated[float, Field(ge=0, le=300)] = 30.0
    jurisdiction: Literal["none", "eu-education"] = "none"
    retention_days: Annotated[int, Field(ge=1, le=36_500)] = 180
    individual_hours: Annotated[int, Field(ge=1, le=876_000)] = 48
    require_announcement: bool = False

    @property
    def analyses_faces(self) -> bool:
        """Whether the privacy profile allows face analysis."""
        return analyses_faces(self.jurisdiction)


class WebrtcSettings(_Section):
    """Receiving video."""

    ice_servers: Annotated[tuple[str, ...], AfterValidator(_require_ice_servers)] = ()
    connect_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    silence_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 5.0
    rejoin_s: Annotated[float, Field(gt=0, le=3600)] = 30.0


class LiveKitSettings(_Section):
    """A LiveKit server whose API key the bot has."""

    url: Annotated[str, AfterValidator(_require_websocket)] | None = None
    api_key: str | None = None
    api_secret: SecretStr | None = None


class RoomsSettings(_Section):
    """Servers of rooms."""

    livekit: LiveKitSettings = LiveKitSettings()


class LogSettings(_Section):
    """Logs, which go to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "warning"
    json_lines: bool = False


class Settings(_Section):
    """All settings, by section."""

    store: StoreSettings = StoreSettings()
    web: WebSettings = WebSettings()
    analysis: AnalysisSettings = AnalysisSettings()
    privacy: PrivacySettings = PrivacySettings()
    webrtc: WebrtcSettings = WebrtcSettings()
    rooms: RoomsSettings = RoomsSettings()
    logs: LogSettings = LogSettings()


def load_settings(path: Path | None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    Args:
        path: YAML file; None for ``config.yaml`` in the current folder if it exists, else the defaults.
        environment: Environment variables; None for those of the process.

    Raises:
        ConfigError: the file cannot be read, a key is unknown, a value is out of range, or the file holds
            a secret and others can read it.
    """
    chosen = path if path is not None else DEFAULT_PATH
    values: dict[str, Any] = {}
    overrides = _from_environment(os.environ if environment is None else environment)
    if path is not None or chosen.exists():
        values = _read(chosen)
    _merge(values, overrides, chosen)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as exc:
        raise ConfigError(_one_line(exc, chosen)) from exc
    # A pipe, as in --config <(...), has no folder of its own.
    return _with_paths_from(chosen.parent, settings, overrides) if chosen.is_file() else settings


def _with_paths_from(
    folder: Path, settings: Settings, overrides: Mapping[str, Mapping[str, Any]]
) -> Settings:
    """Settings whose relative paths begin at the folder of their file, except those of the environment.

    A server and a command that read the same file from different folders then use the same files.
    """
    store, web = settings.store, settings.web
    relative = _RELATIVE_SQLITE_URL.fullmatch(store.url)
    if relative is not None and "url" not in overrides.get("store", {}):
        store = store.model_copy(update={"url": f"{relative[1]}{folder / relative[2]}"})
    if "token_file" not in overrides.get("web", {}):
        web = web.model_copy(update={"token_file": folder / web.token_file})
    return settings.model_copy(update={"store": store, "web": web})


def _merge(values: dict[str, Any], overrides: dict[str, Any], source: Path) -> None:
    """Override values of the file, section by section."""
    for key, value in overrides.items():
        if not isinstance(value, dict):
            values[key] = value
            continue
        section = values.setdefault(key, {})
        if section is None:
            section = values[key] = {}
        if not isinstance(section, dict):
            raise ConfigError(f"make {key} in {source} a section with keys below it")
        _merge(section, value, source)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if "\0" in text:  # UTF-16 without a byte-order mark: its ASCII letters are valid UTF-8
            raise UnicodeError
    except OSError as exc:
        raise ConfigError(f"check the path given with --config: {path} cannot be read ({exc})") from exc
    except UnicodeError as exc:
        raise ConfigError(
            f"save {path} as UTF-8: it has another encoding, as files written by PowerShell's > have"
        ) from exc
    try:
        content = yaml.safe_load(text)
    except _YAML_ERRORS as exc:
        raise ConfigError(f"correct {path}, it is not valid YAML: {_reason(exc)}") from exc
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"write sections with keys below them in {path}, not a {type(content).__name__}")
    values = {str(section): keys if keys is not None else {} for section, keys in content.items()}
    secret_key = _secret_key(values)
    if secret_key is not None and stat.S_IMODE(path.stat().st_mode) & 0o077:
        variable = f"{ENV_PREFIX}{secret_key.upper().replace('.', '__')}"
        raise ConfigError(
            f"run `chmod 600 {path}`, or set {variable} instead: "
            f"the file holds {secret_key} and others can read it"
        )
    return values


def _secret_key(values: dict[str, Any]) -> str | None:
    """The first key whose value is a secret: the host token, or a URL that contains a password."""

    def value_of(*keys: str) -> Any:
        value: Any = values
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    if value_of("web", "token") is not None:
        return "web.token"
    if value_of("rooms", "livekit", "api_secret") is not None:
        return "rooms.livekit.api_secret"
    if _URL_WITH_PASSWORD.search(str(value_of("store", "url"))):
        return "store.url"
    if _URL_WITH_PASSWORD.search(str(value_of("webrtc", "ice_servers"))):
        return "webrtc.ice_servers"
    return None


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings in the environment, as in a file: ``CLASSMOOD_ROOMS__LIVEKIT__URL`` is in two sections."""
    sections: dict[str, Any] = {}
    for variable, text in environment.items():
        if not variable.startswith(ENV_PREFIX) or "__" not in variable:
            continue
        *sections_of_key, key = variable[len(ENV_PREFIX) :].lower().split("__")
        try:
            value = yaml.safe_load(text)
        except _YAML_ERRORS as exc:
            raise ConfigError(f"correct {variable}, it is not valid YAML: {_reason(exc)}") from exc
        # A token of digits stays text, and so does the address "::", which would be a mapping in YAML.
        is_text = key in _TEXTS or isinstance(value, dict)
        values = sections
        for section in sections_of_key:
            values = values.setdefault(section, {})
            if not isinstance(values, dict):
                raise ConfigError(f"unset {variable}, or the variable that sets all of {section}")
        values[key] = text if is_text else value
    return sections


def _reason(exc: Exception) -> str:
    """The text of an error on one line, at most 300 characters."""
    return " ".join(str(exc).split())[:300] or type(exc).__name__


def _one_line(exc: ValidationError, path: Path) -> str:
    first = exc.errors(include_url=False, include_input=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    more = f" (and {exc.error_count() - 1} more)" if exc.error_count() > 1 else ""
    source = f"{path} or the environment"
    if first["type"] == "extra_forbidden":
        return f"{source}: unknown key {key}: see config.yaml for the known keys{more}"
    if first["type"] == "value_error":  # from a validator of this module, whose text says what to do
        return f"{source}: {key}: {first['ctx']['error']}{more}"
    if first["type"] == "tuple_type":
        return f"{source}: {key}: write a list in brackets, even for one value: [VALUE]{more}"
    return f"{source}: {key}: {first['msg'].lower()}{more}"
