"""The command line: ``classmood`` and ``python -m bot``.

Every command takes ``--config``; errors are one line that says what to do. Exit code 0: done, 1: it did
not work, 2: it was asked for wrongly.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import uvloop
from tqdm import tqdm

from bot import runs
from bot.analyze import AnalyzeError, analyse_file, find_media, with_copies
from bot.app import ServeError, make_analyser
from bot.config import ConfigError, Settings, load_settings
from bot.core_dumps import forbid_core_dumps
from bot.doctor import Verdict, examine
from bot.host_token import fresh_link, renew_token
from bot.logs import set_up_logs
from bot.webrtc.network import NoUdp
from inference.classifier import DEFAULT_MODEL
from inference.engine import read_card
from inference.errors import InferenceError
from reports.document.class_report import load_report
from reports.document.csv_table import to_csv
from reports.document.rendering import to_html, to_json
from reports.store import Store, StoreError
from reports.web.controller import RoomRefused

_FAILED: Final = 1
_WRONG: Final = 2

_T = TypeVar("_T")
_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class _Context:
    """What every command has: the settings."""

    settings: Settings


class _OneLine(click.Group):
    """Turns the errors that are meant for people into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (ConfigError, RoomRefused) as exc:
            _say(exc, _WRONG)
        except (StoreError, ServeError, runs.RunError, InferenceError, AnalyzeError, NoUdp) as exc:
            _say(exc, _FAILED)


def _say(exc: Exception, code: int) -> None:
    click.echo(f"classmood: {exc}", err=True)
    sys.exit(code)


def _with_settings(command: _Command) -> _Command:
    """Add ``--config`` and read the settings before the command runs."""

    def read(ctx: click.Context, _: click.Parameter, path: Path | None) -> Path | None:
        settings = load_settings(path)
        set_up_logs(settings.logs.level, settings.logs.json_lines)
        ctx.obj = _Context(settings)
        return path

    option = click.option(
        "--config",
        type=click.Path(path_type=Path),
        callback=read,
        expose_value=False,
        is_eager=True,
        help="Settings file; config.yaml here by default.",
    )
    return option(command)


_port_option = click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of the pages; 0 for any free one."
)


def _class_options(command: _Command) -> _Command:
    """Add what the commands that hold one class have in common."""
    minutes = click.option(
        "--minutes", type=click.FloatRange(0.1, 600), help="End by itself; else Ctrl-C ends the class."
    )
    out = click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("class-reports"),
        show_default=True,
        help="Folder for the report.",
    )
    return minutes(_port_option(out(command)))


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    return uvloop.run(work)


@click.group(
    cls=_OneLine,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Try it: classmood demo",
)
@click.version_option(package_name="classmood")
def main() -> None:
    """Show the host of a video class how the class looks, in aggregate.

    Not for grading, discipline or attendance. In the EU, see privacy.jurisdiction first.
    """
    forbid_core_dumps()


@main.command(epilog="Examples: classmood demo  |  classmood demo --students 8 --minutes 3")
@click.option("--students", type=click.IntRange(1, 50), default=6, show_default=True, help="Drawn students.")
@_class_options
@_with_settings
@click.pass_obj
def demo(context: _Context, students: int, minutes: float | None, port: int | None, out: Path) -> None:
    """A class of drawn students on this machine, over real WebRTC: everything, with no set-up."""
    # With few students the usual minimum group would hide all there is to see; the page says so.
    least = min(context.settings.privacy.min_group, max(1, students - 1))
    settings = _changed(context.settings, port, min_group=least)
    run = runs.ClassRun("companion:?synthetic=1", "Demo class", minutes, out)
    sys.exit(0 if _run(runs.demo(settings, students, run)) else _FAILED)


@main.command(epilog="Examples: classmood serve  |  classmood serve --port 9000")
@_port_option
@_with_settings
@click.pass_obj
def serve(context: _Context, port: int | None) -> None:
    """The server for a host: start, follow and end classes in the browser."""
    _run(runs.serve(_changed(context.settings, port)))


@main.command(
    epilog="Examples: classmood join companion:  |  classmood join replay:clips --minutes 1 --jsonl"
)
@click.argument("room_url")
@click.option("--title", default="", help="Title of the class; its date by default.")
@click.option("--jsonl", is_flag=True, help="Print each window as a line of JSON.")
@_class_options
@_with_settings
@click.pass_obj
def join(
    context: _Context, room_url: str, title: str, minutes: float | None, port: int | None, jsonl: bool,
    out: Path,
) -> None:  # fmt: skip
    """One class from the command line, in the room ROOM_URL names."""
    run = runs.ClassRun(room_url, title, minutes, out, json_lines=jsonl)
    sys.exit(0 if _run(runs.join(_changed(context.settings, port), run)) else _FAILED)


@main.command(
    epilog="Examples: classmood analyze photo.jpg  |  classmood analyze clips/ --jsonl > faces.jsonl"
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("analyzed"),
    show_default=True, help="Folder for the copies with boxes and labels.",
)  # fmt: skip
@click.option("--jsonl", is_flag=True, help="Print one line of JSON a frame.")
@_with_settings
@click.pass_obj
def analyze(context: _Context, paths: tuple[Path, ...], out: Path, jsonl: bool) -> None:
    """Images and videos: boxes and labels drawn into copies, one JSON line a frame."""
    files = find_media(paths)
    if not context.settings.privacy.analyses_faces:
        raise ConfigError("privacy.jurisdiction is eu-education: faces are not looked at, in files neither")
    analyser = make_analyser(context.settings.analysis)
    failed = False
    for file, copy in with_copies(files, out):
        frames = faces = 0
        try:
            with tqdm(desc=file.name, unit=" frames", file=sys.stderr, leave=False) as bar:
                for record in analyse_file(file, analyser, copy):
                    frames += 1
                    faces += len(record.reading.faces)
                    bar.update()
                    if jsonl:
                        click.echo(record.to_json())
        except AnalyzeError as exc:
            click.echo(f"classmood: {exc}", err=True)
            failed = True
            continue
        click.echo(f"{file.name}: {frames} frames, {faces} faces; drawn into {copy}", err=True)
    if failed:
        sys.exit(_FAILED)


@main.command(epilog="Examples: classmood report 3f2a…  |  classmood report 3f2a… --format csv -o class.csv")
@click.argument("class_id")
@click.option(
    "--format", "kind", type=click.Choice(["html", "csv", "json"]), default="html", show_default=True
)
@click.option(
    "-o", "out", type=click.Path(path_type=Path, dir_okay=False), help="File; else standard output."
)
@_with_settings
@click.pass_obj
def report(context: _Context, class_id: str, kind: str, out: Path | None) -> None:
    """The report of a class, as the pages give it."""
    render = {"html": to_html, "csv": to_csv, "json": to_json}[kind]

    with Store.open_reading(context.settings.store.url) as store:
        found = _run(load_report(store, class_id, read_card(DEFAULT_MODEL)))
    if found is None:
        raise click.BadParameter(f"there is no class {class_id!r}: `classmood classes` lists them")
    text = render(found)
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_bytes(text.encode())
    except OSError as exc:
        raise runs.RunError(f"{out} cannot be written ({exc.strerror}): give another -o") from exc


@main.command(epilog="Example: classmood classes")
@_with_settings
@click.pass_obj
def classes(context: _Context) -> None:
    """The classes that are kept, newest first."""
    with Store.open_reading(context.settings.store.url) as store:
        kept = _run(store.classes())
    for info in kept:
        click.echo(f"{info.id}  {info.started_at:%Y-%m-%d %H:%M}  {info.state.value:<12}  {info.title}")
    if not kept:
        click.echo("No class is kept yet: `classmood demo` makes one.", err=True)


@main.command("purge", epilog="Examples: classmood purge  |  classmood purge --older-than 30")
@click.option(
    "--older-than",
    type=click.IntRange(0, 36_500),
    metavar="DAYS",
    help="Days; privacy.retention_days by default.",
)
@_with_settings
@click.pass_obj
def purge_command(context: _Context, older_than: int | None) -> None:
    """Delete classes and individual data that have been kept for long enough."""
    settings = context.settings

    days = settings.privacy.retention_days if older_than is None else older_than
    individual = timedelta(hours=settings.privacy.individual_hours)
    now = datetime.now(UTC)
    with closing(Store.open(settings.store.url)) as store:
        if store.alone:  # a class a crash cut off has no end yet to count from
            _run(store.recover(now))
        count = _run(store.purge(now, timedelta(days=days), individual))
    click.echo(f"{count} class{'' if count == 1 else 'es'} deleted.")


@main.command(epilog="Example: classmood doctor --config config.yaml")
@_with_settings
@click.pass_obj
def doctor(context: _Context) -> None:
    """Check config, models, database, ports and codecs; say what is wrong and how to mend it.

    Nothing is changed. Exit code 1 if something is WRONG; what is a warning works, but not for a class.
    """
    count = dict.fromkeys(Verdict, 0)
    for finding in examine(context.settings):
        count[finding.verdict] += 1
        click.echo(f"{finding.verdict:<5}  {finding.subject}: {finding.text}")
    for verdict, advice in ((Verdict.WARN, "to think about"), (Verdict.WRONG, "to mend")):
        if number := count[verdict]:
            click.echo(f"{number} thing{'' if number == 1 else 's'} {advice}.", err=True)
    if count[Verdict.WRONG]:
        sys.exit(_FAILED)


@main.command(epilog="Examples: classmood token  |  classmood token --rotate  (everyone must come in anew)")
@click.option("--rotate", is_flag=True, help="Make a new host token; every cookie and link ceases to work.")
@_port_option
@_with_settings
@click.pass_obj
def token(context: _Context, rotate: bool, port: int | None) -> None:
    """A fresh host link, for one browser and once; with --rotate, a new host token.

    Works on a server that runs as on one that is started later.
    """
    web = _changed(context.settings, port).web
    made, link = renew_token(web) if rotate else (None, fresh_link(web))
    if made is not None:
        click.echo(f"Host token:    {made}", err=True)
        click.echo("It is for programs (Authorization: Bearer TOKEN) and cannot be shown again.", err=True)
    click.echo(link)


def _changed(settings: Settings, port: int | None, min_group: int | None = None) -> Settings:
    """The settings with what the command line asks for."""
    web = settings.web if port is None else settings.web.model_copy(update={"port": port})
    privacy = settings.privacy
    if min_group is not None:
        privacy = privacy.model_copy(update={"min_group": min_group})
    return settings.model_copy(update={"web": web, "privacy": privacy})
