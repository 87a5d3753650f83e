"""Options and helpers that several commands share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import click

from bot.config import Settings, load_settings
from bot.logs import set_up_logs

FAILED: Final = 1
"""Exit code: the command did not succeed."""

WRONG_USE: Final = 2
"""Exit code: wrong arguments or settings."""

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as shells expect it; ``serve``, ``join`` and ``demo`` end their classes and exit
normally."""

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Command = TypeVar("_Command", bound=Callable[..., Any])


def with_settings(command: Callable[Concatenate[Settings, _P], _T]) -> Callable[_P, _T]:
    """Add ``--config`` and pass the settings to the command as its first argument."""

    def read(ctx: click.Context, _: click.Parameter, path: Path | None) -> Path | None:
        settings = load_settings(path)
        set_up_logs(settings.logs.level, settings.logs.json_lines)
        ctx.obj = settings
        return path

    option = click.option(
        "--config",
        type=click.Path(path_type=Path),
        callback=read,
        expose_value=False,
        is_eager=True,
        help="Settings file; by default config.yaml in the current folder.",
    )
    return option(click.pass_obj(command))


port_option = click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of the web pages; 0 for any free port."
)


def class_options(command: _Command) -> _Command:
    """Add the options of the commands that run one class."""
    minutes = click.option(
        "--minutes",
        type=click.FloatRange(0.1, 600),
        help="End the class after this many minutes; otherwise Ctrl-C ends it.",
    )
    out = click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("class-reports"),
        show_default=True,
        help="Folder for the report.",
    )
    return minutes(port_option(out(command)))


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine, with uvloop where it exists, and return its result."""
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.run(work)
    return uvloop.run(work)


def with_overrides(settings: Settings, port: int | None, min_group: int | None = None) -> Settings:
    """The settings, overridden by values from the command line; None leaves a setting as it is."""
    web = settings.web if port is None else settings.web.model_copy(update={"port": port})
    privacy = settings.privacy
    if min_group is not None:
        privacy = privacy.model_copy(update={"min_group": min_group})
    return settings.model_copy(update={"web": web, "privacy": privacy})
