"""Any settings file and any variable yield settings or a one-line error."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.config import ConfigError, Settings, load_settings

SECTIONS = list(Settings.model_fields)
KEYS = [key for section in Settings().__dict__.values() for key in type(section).model_fields]

SCALARS = st.sampled_from(
    ["1", "-1", "0", "1e400", ".inf", "-.nan", "~", "yes", "2001-99-99", "0x", "0b_", "1:60:99", "!!int x",
     "!!float x", "!!bool x", "!!timestamp x", "!!binary x", "!!python/object:os.system x", "*a", "&a [*a]",
     "1" * 5000, '"\\ud800"', "<<: 1", "? [a]", "'", "{}", "[]", "[[a", "@", "%", "`", "\x00",
     "99999999999999999"]
)  # fmt: skip
LINES = st.one_of(
    st.builds("{}:".format, st.sampled_from(SECTIONS)),
    st.builds("  {}: {}".format, st.sampled_from(KEYS), SCALARS | st.text(max_size=20)),
    SCALARS,
    st.text(max_size=30),
)


def assert_settings_or_one_line(path: Path | None, environment: dict[str, str]) -> None:
    try:
        assert isinstance(load_settings(path, environment), Settings)
    except ConfigError as exc:
        message = str(exc)
        assert message
        assert "\n" not in message
        assert len(message) < 2000


@settings(max_examples=100)
@given(st.lists(LINES, max_size=8).map("\n".join) | st.text(max_size=200))
@example("[" * 5000)
@example("web:\n  port: 2001-99-99")
@example("web:\n  port: !!timestamp x")
@example("privacy:\n  retention_days: 99999999999999999")
@example("webrtc:\n  rejoin_s: .inf")
@example(
    "a: &a [x,x,x,x,x,x,x,x]\n"
    + "\n".join(
        f"{two}: &{two} [*{one},*{one},*{one}]" for one, two in zip("abcdefghijk", "bcdefghijkl", strict=True)
    )
)
@example("web: &a\n  web: *a")
def test_any_text_in_the_file_yields_settings_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert_settings_or_one_line(path, {})


@given(st.binary(max_size=100))
@example(b"\xff\xfe\x00")
def test_any_bytes_in_the_file_yield_settings_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_bytes(content)
    assert_settings_or_one_line(path, {})


@given(
    st.dictionaries(
        st.builds("CLASSMOOD_{}__{}".format, st.sampled_from(SECTIONS), st.sampled_from(KEYS)).map(str.upper),
        SCALARS | st.text(max_size=30),
        max_size=3,
    )
)
@example({"CLASSMOOD_WEB__PORT": "[" * 5000})
@example({"CLASSMOOD_WEB__PORT": "2001-99-99"})
@example({"CLASSMOOD_WEB__TOKEN": "[not: yaml"})
def test_any_value_of_a_variable_yields_settings_or_one_line(environment: dict[str, str]) -> None:
    assert_settings_or_one_line(None, environment)


def test_folder_and_missing_file_are_errors(tmp_path: Path) -> None:
    assert_settings_or_one_line(tmp_path, {})
    assert_settings_or_one_line(tmp_path / "none", {})
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path, {})
