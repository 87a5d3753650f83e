"""The command line of the benchmarks: ``python -m benchmarks --help``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from benchmarks.receiver_process import Plan
from benchmarks.simulation.clips import ClipSpec
from bot.logs import set_up_logs

_SIZES: Final = ("320x180", "640x360", "1280x720")


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that ``receive``, ``classroom`` and ``soak`` share."""
    for option in (
        click.option(
            "--tracks", type=click.IntRange(1, 256), default=25, show_default=True, help="Number of cameras."
        ),
        click.option(
            "--size", type=click.Choice(_SIZES), default=_SIZES[0], show_default=True, help="Frame size."
        ),
        click.option(
            "--fps",
            type=click.IntRange(1, 60),
            default=15,
            show_default=True,
            help="Frames a second of each camera.",
        ),
        click.option(
            "--layers", type=click.Choice(["1", "3"]), default="3", show_default=True, help="Temporal layers."
        ),
        click.option(
            "--seconds",
            type=click.FloatRange(1),
            default=20.0,
            show_default=True,
            help="How long to measure.",
        ),
        click.option(
            "--loss",
            type=click.FloatRange(0, 0.9),
            default=0.0,
            show_default=True,
            help="Share of packets lost.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print one line of JSON."),
    ):
        command = option(command)
    return command


@click.group()
def main() -> None:
    """Measure how much CPU time a class takes on this machine, and how it copes with faults."""
    set_up_logs("warning", json_lines=False)


@main.command()
@_options
@click.option(
    "--wanted-fps",
    type=click.FloatRange(0),
    default=4.0,
    show_default=True,
    help="Frames a second that our receiver decodes; 0 for all.",
)
@click.option("--stock/--no-stock", default=True, help="Measure stock aiortc too, or not.")
@click.option(
    "--reorder",
    type=click.FloatRange(0, 0.9),
    default=0.0,
    show_default=True,
    help="Share of packets reordered.",
)
@click.option(
    "--janus",
    is_flag=True,
    help="Receive through a real Janus, which sends 15 frames a second in three layers; packets are lost "
    "between Janus and the bot. Stock aiortc is not measured.",
)
@click.option(
    "--livekit",
    is_flag=True,
    help="Receive through a real LiveKit server, and measure stock aiortc and LiveKit's native SDK too.",
)
def receive(
    tracks: int,
    size: str,
    fps: int,
    layers: str,
    seconds: float,
    loss: float,
    as_json: bool,
    wanted_fps: float,
    stock: bool,
    reorder: float,
    janus: bool,
    livekit: bool,
) -> None:
    """CPU time of receiving, compared with stock aiortc."""
    import uvloop

    from benchmarks.receive import compare
    from benchmarks.receive_janus import receive as receive_janus
    from benchmarks.receive_livekit import receive as receive_livekit
    from benchmarks.simulation.faults import Faults
    from benchmarks.simulation.frame_times import FPS
    from benchmarks.simulation.janus_server import NoJanus
    from benchmarks.simulation.livekit_build import NoLiveKit

    width, height = _pixels(size)
    if livekit:
        if fps != FPS or janus:
            raise click.UsageError(f"leave out --janus, and --fps: with --livekit it is {FPS}")
        received = receive_livekit(
            tracks, (width, height), seconds, wanted_fps, loss=loss, reorder=reorder, others=stock
        )
        try:
            _show(uvloop.run(received), as_json)
        except NoLiveKit as exc:
            raise click.ClickException(str(exc)) from exc
        return
    if janus:
        if (fps, layers) != (15, "3"):
            raise click.UsageError(
                "leave out --fps and --layers with --janus, which has 15 frames a second in three layers"
            )
        faults, wanted = Faults(loss, reorder), wanted_fps or fps
        try:
            _show(uvloop.run(receive_janus(tracks, (width, height), seconds, faults, wanted)), as_json)
        except NoJanus as exc:
            raise click.ClickException(str(exc)) from exc
        return
    plan = Plan(False, tracks, width, height, fps, int(layers), seconds, loss, wanted_fps, reorder)
    _show(asyncio.run(compare(plan, stock=stock)), as_json)


@main.command()
@_options
@click.option(
    "--janus",
    is_flag=True,
    help="Join through a real Janus, with 15 frames a second in three layers and without loss.",
)
def classroom(
    tracks: int, size: str, fps: int, layers: str, seconds: float, loss: float, as_json: bool, janus: bool
) -> None:
    """CPU time of a whole class, from video packets to windows on the page."""
    import uvloop

    from benchmarks.classroom import ClassSetup, measure_class
    from benchmarks.simulation.janus_server import NoJanus

    if janus and (fps, layers, loss) != (15, "3", 0.0):
        raise click.UsageError(
            "leave out --fps, --layers and --loss with --janus, which has 15 frames a second in three layers"
        )
    width, height = _pixels(size)
    setup = ClassSetup(tracks, width, height, fps, int(layers), seconds, loss, janus)
    try:
        _show(uvloop.run(measure_class(setup)), as_json)
    except NoJanus as exc:
        raise click.ClickException(str(exc)) from exc


@main.command()
@_options
@click.option("--livekit", is_flag=True, help="In a room of a real LiveKit server, without loss.")
def soak(
    tracks: int, size: str, fps: int, layers: str, seconds: float, loss: float, as_json: bool, livekit: bool
) -> None:
    """Leaks and mistaken students while students join, leave and replace each other."""
    import uvloop

    from benchmarks.simulation.frame_times import FPS
    from benchmarks.simulation.livekit_build import NoLiveKit
    from benchmarks.soak import churn
    from benchmarks.soak_livekit import churn as churn_livekit

    width, height = _pixels(size)
    if livekit:
        if (fps, layers, loss) != (FPS, "3", 0.0):
            raise click.UsageError("leave out --fps, --layers and --loss with --livekit")
        try:
            _show(uvloop.run(churn_livekit(tracks, seconds, (width, height))), as_json)
        except NoLiveKit as exc:
            raise click.ClickException(str(exc)) from exc
        return
    clip = ClipSpec(0, width, height, fps, seconds=2, layers=int(layers))
    _show(uvloop.run(churn(clip, tracks, seconds, loss)), as_json)


@main.command()
@click.option(
    "--tracks", type=click.IntRange(1, 60), default=25, show_default=True, help="Number of students."
)
@click.option(
    "--halted",
    type=click.FloatRange(4),
    default=10.0,
    show_default=True,
    help="Seconds that the server is suspended.",
)
@click.option(
    "--cut",
    type=click.FloatRange(4),
    default=20.0,
    show_default=True,
    help="Seconds that the network is cut.",
)
@click.option("--livekit", is_flag=True, help="With a LiveKit server instead of a Janus.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def outage(tracks: int, halted: float, cut: float, as_json: bool, livekit: bool) -> None:
    """Time to notice and to recover when the server is killed, suspended or cut off."""
    import uvloop

    from benchmarks.outage import measure
    from benchmarks.simulation.janus_server import NoJanus
    from benchmarks.simulation.livekit_build import NoLiveKit

    try:
        _show(uvloop.run(measure(tracks, halted, cut, livekit=livekit)), as_json)
    except (NoJanus, NoLiveKit) as exc:
        raise click.ClickException(str(exc)) from exc


@main.command()
@click.option("--size", type=click.Choice(_SIZES), default=_SIZES[0], show_default=True)
@click.option(
    "--seconds", type=click.FloatRange(1), default=5.0, show_default=True, help="How long to measure."
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def faces(size: str, seconds: float, as_json: bool) -> None:
    """CPU time of analysing one image (detect, crop, classify) on one thread."""
    from benchmarks.faces import measure

    width, height = _pixels(size)
    _show(measure(width, height, seconds), as_json)


@main.command()
@click.option("--fer", type=click.Path(exists=True, path_type=Path), help="The zip file of FER-2013.")
@click.option(
    "--clip",
    "clips",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    help="A video of one face; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def facing(fer: Path | None, clips: tuple[Path, ...], as_json: bool) -> None:
    """How well heads turned away are recognised, and how small a face may be."""
    from benchmarks.facing import measure

    _show(measure(fer, list(clips)), as_json)


@main.command()
@click.option(
    "--clients", type=click.IntRange(1, 64), default=8, show_default=True, help="Concurrent clients."
)
@click.option(
    "--seconds", type=click.FloatRange(1, 60), default=10.0, show_default=True, help="How long to measure."
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def requests(clients: int, seconds: float, as_json: bool) -> None:
    """Requests a second while the live page is open."""
    from benchmarks.requests import measure_requests

    _show(asyncio.run(measure_requests(clients, seconds)), as_json)


@main.command()
@click.option(
    "--minutes", type=click.FloatRange(1), default=90.0, show_default=True, help="Length of the class."
)
@click.option(
    "--students", type=click.IntRange(1, 256), default=30, show_default=True, help="Number of students."
)
@click.option(
    "--times", type=click.IntRange(1), default=7, show_default=True, help="How often each page is opened."
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def pages(minutes: float, students: int, times: int, as_json: bool) -> None:
    """Time to open the live page and the report of a long class in Chromium."""
    from benchmarks.pages import open_pages

    _show(asyncio.run(open_pages(minutes, students, times)), as_json)


def _pixels(size: str) -> tuple[int, int]:
    width, height = size.split("x")
    return int(width), int(height)


def _show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        shown = (
            "  ".join(f"{key} {part}" for key, part in value.items()) if isinstance(value, dict) else value
        )
        print(f"{name:28} {shown}")


if __name__ == "__main__":
    main()
