"""Commands that run classes: ``demo``, ``serve`` and ``join``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bot import runs
from bot.cli.options import FAILED, class_options, port_option, run, with_overrides, with_settings
from bot.config import Settings


@click.command(epilog="Examples: classmood demo  |  classmood demo --students 8 --minutes 3")
@click.option(
    "--students",
    type=click.IntRange(1, 50),
    default=6,
    show_default=True,
    help="Number of drawn students.",
)
@class_options
@with_settings
def demo(settings: Settings, students: int, minutes: float | None, port: int | None, out: Path) -> None:
    """Run a class with drawn students on this computer.

    It needs no set-up. Everything but the students is real: they send their video over WebRTC.
    """
    # With so few students, the usual minimum group would suppress every window. The pages mention the change.
    min_group = min(settings.privacy.min_group, max(1, students - 1))
    class_run = runs.ClassRun("companion:?synthetic=1", "Demo class", minutes, out)
    ended_well = run(runs.demo(with_overrides(settings, port, min_group=min_group), students, class_run))
    sys.exit(0 if ended_well else FAILED)


@click.command(epilog="Examples: classmood serve  |  classmood serve --port 9000")
@port_option
@with_settings
def serve(settings: Settings, port: int | None) -> None:
    """Run the server; classes are started in the browser."""
    run(runs.serve(with_overrides(settings, port)))


@click.command(
    epilog="Examples: classmood join companion:  |  classmood join replay:clips --minutes 1 --jsonl"
)
@click.argument("room_url")
@click.option("--title", default="", help="Title of the class; by default its date.")
@click.option("--jsonl", is_flag=True, help="Print each window as one line of JSON.")
@class_options
@with_settings
def join(
    settings: Settings, room_url: str, title: str, minutes: float | None, port: int | None, jsonl: bool,
    out: Path,
) -> None:  # fmt: skip
    """Run one class and write its report.

    ROOM_URL is the room, for example companion: for the embedded room or replay:FOLDER for a folder of
    videos. `classmood doctor` lists every kind.
    """
    class_run = runs.ClassRun(room_url, title, minutes, out, json_lines=jsonl)
    sys.exit(0 if run(runs.join(with_overrides(settings, port), class_run)) else FAILED)
