"""The commands that run a server: serve, join and demo.

They print to the terminal, leave a class in the store, and write its report to a file.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from bot.app import Server, check_room, serving
from bot.config import Settings
from bot.progress import WindowFollower, closing_figures, count_students, show_progress
from bot.webrtc.network import udp_addresses
from inference.classifier import DEFAULT_MODEL
from inference.engine import read_card
from reports.document.class_report import load_report
from reports.document.rendering import to_html
from reports.summary.classes import ClassInfo, ClassState
from reports.summary.words import link_limit

_STUDENTS_LEAVE_S: Final = 5.0
"""How long the process of the drawn students may take to end before it is killed, seconds."""


class RunError(Exception):
    """The report cannot be written; the text is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class ClassRun:
    """A class to run, as requested on the command line.

    Attributes:
        room: Room URL.
        title: Title; if empty, the class is named after the date.
        minutes: Length of the class, minutes; None to wait for Ctrl-C.
        reports: Folder for the report.
        json_lines: Whether each window is printed as a JSON line; all other text then goes to standard error.
    """

    room: str
    title: str
    minutes: float | None
    reports: Path
    json_lines: bool = False


async def serve(settings: Settings) -> None:
    """Serve until Ctrl-C."""
    async with _stopping() as stop, serving(settings) as server:
        _greet(server, settings)
        click.echo("Start a class in the browser. Ctrl-C ends the server and every class.")
        await stop.wait()
        click.echo("Ending…")


async def join(settings: Settings, run: ClassRun) -> bool:
    """Run one class; whether it ended without an error.

    The room URL and the report's folder are checked before the server is started.

    Raises:
        RoomRefused: the room URL is wrong.
        RunError: the report cannot be written.
    """
    await asyncio.to_thread(check_room, settings, run.room)
    await asyncio.to_thread(_check_folder, run.reports)
    async with _stopping() as stop, serving(settings) as server:
        _greet(server, settings, to_stderr=run.json_lines)
        info = await _run_class(server, run, stop)
    return info.state is ClassState.ENDED


async def demo(settings: Settings, students: int, run: ClassRun) -> bool:
    """Run a class of drawn students; whether it ended without an error.

    Raises:
        NoUdp: this machine has no UDP socket to receive the students' video.
        RunError: as ``join``.
    """
    udp_addresses()
    await asyncio.to_thread(_check_folder, run.reports)
    async with _stopping() as stop, serving(settings) as server:
        _greet(server, settings)
        click.echo(
            f"{count_students(students)} drawn by the program join over WebRTC. They are not real people."
        )
        info = await _run_class(server, run, stop, students=students)
    return info.state is ClassState.ENDED


async def _run_class(server: Server, run: ClassRun, stop: asyncio.Event, students: int = 0) -> ClassInfo:
    """Run one class from its start to its report."""
    info = await server.sessions.start(run.room, run.title)
    running = server.sessions.running(info.id)
    if running is None:
        raise RuntimeError("the class ended before its task began")
    async with AsyncExitStack() as stack:
        # No await between the start and this line: the task of the class has not published anything yet.
        events = stack.enter_context(server.feed.subscribe(info.id))
        _print_links(server, info, to_stderr=run.json_lines)
        follower = WindowFollower(server.store, info.id, run.json_lines)
        following = asyncio.create_task(follower.follow(events), name="window-follower")
        stack.push_async_callback(_cancel, following)
        async with _drawn_students(server.url, info.code, students):
            first_mib = await show_progress(follower, running.ended, run.minutes, stop)
            reason = (
                "The class was ended from the terminal." if stop.is_set() else "The planned time was over."
            )
            ended = await server.sessions.end(info.id, reason) or info
        await following  # until the last window: the feed of the class is closed now
    report = await load_report(server.store, info.id, read_card(DEFAULT_MODEL), server.language.gettext)
    windows = await server.store.windows(info.id)
    click.echo(f"Class {ended.state}: {ended.reason}", err=run.json_lines)
    click.echo(closing_figures(running.timings, windows, students, first_mib), err=run.json_lines)
    if report is not None:
        path = await asyncio.to_thread(
            _write, run.reports / f"{info.id}.html", to_html(report, server.language)
        )
        click.echo(f"Report:        {path}", err=run.json_lines)
    return ended


def _print_links(server: Server, info: ClassInfo, *, to_stderr: bool) -> None:
    click.echo(f"Live page:     {server.url}/classes/{info.id}", err=to_stderr)
    if info.student_url is not None:
        click.echo(f"Student link:  {info.student_url}", err=to_stderr)
        if limit := link_limit(info.student_url, info.asks_for_cameras):
            click.echo(limit, err=to_stderr)


def _check_folder(folder: Path) -> None:
    """Check before a class whether its report can be written after it.

    Raises:
        RunError: the folder cannot be written.
    """
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise RunError(f"give another --out: the report cannot be written into {folder}")


def _write(path: Path, text: str) -> Path:
    """Write a report; its absolute path.

    Raises:
        RunError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise RunError(
            f"write the report elsewhere with `classmood report {path.stem} -o FILE`: the class is stored, "
            f"but its report cannot be written to {path} ({exc.strerror})"
        ) from exc
    return path.resolve()


@asynccontextmanager
async def _drawn_students(url: str, code: str | None, count: int) -> AsyncIterator[None]:
    """Run ``count`` drawn students in a process of their own, as real students are on other machines."""
    if not count or code is None:
        yield
        return
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot.demo.students", "--server", url, "--code", code, "--students", str(count),
        stdin=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(_STUDENTS_LEAVE_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


@asynccontextmanager
async def _stopping() -> AsyncIterator[asyncio.Event]:
    """An event that is set by Ctrl-C and SIGTERM; a second Ctrl-C raises KeyboardInterrupt."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def request_stop() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, request_stop)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait((task,))


def _greet(server: Server, settings: Settings, *, to_stderr: bool = False) -> None:
    """Print how to reach the server; to standard error where standard output is read by a program."""
    if server.recovered:
        noun = "class was" if server.recovered == 1 else "classes were"
        click.echo(f"{server.recovered} {noun} cut off by a crash and marked as interrupted.", err=to_stderr)
    if not settings.privacy.analyses_faces:
        click.echo("Profile eu-education: faces are not analysed.", err=to_stderr)
    click.echo(f"Host link:     {server.host_link}", err=to_stderr)
    if settings.web.public_url is not None:
        click.echo(f"or elsewhere:  {settings.web.public_url.rstrip('/')}{server.host_path}", err=to_stderr)
    click.echo("It lets one browser in, once; `classmood token` prints another.", err=to_stderr)
