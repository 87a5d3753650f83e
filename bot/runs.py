"""The commands that run a server: serve, join and demo.

Comes in: settings and what the command line asked for. Goes out: lines for the person at the terminal, a
class in the store, its report in a file.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import structlog
from tqdm import tqdm

from bot.app import Server, check_room, serving
from bot.config import Settings
from bot.sessions.class_stats import ClassStats
from bot.webrtc.network import udp_addresses
from inference.classifier import DEFAULT_MODEL
from inference.engine import read_card
from reports.document.class_report import load_report
from reports.document.rendering import to_html
from reports.store import Store, StoreError
from reports.summary.classes import ClassInfo, ClassState
from reports.summary.windows import WindowSummary
from reports.summary.words import link_limit

_log = structlog.get_logger()

_STUDENTS_LEAVE_S: Final = 5.0
_WARM_S: Final = 30.0


class RunError(Exception):
    """The report cannot be written; the text is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class ClassRun:
    """One class asked for on the command line.

    Attributes:
        room: Room URL.
        title: Title; empty for the date.
        minutes: End after so many minutes; None to wait for Ctrl-C.
        reports: Folder the report is written to.
        json_lines: Print each window as a JSON line.
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
    """Run one class; whether it ended well.

    Raises:
        RoomRefused: the room URL is wrong.
        RunError: the report cannot be written; where either shows beforehand, no server is started.
    """
    await asyncio.to_thread(check_room, settings, run.room)
    await asyncio.to_thread(_check_folder, run.reports)
    async with _stopping() as stop, serving(settings) as server:
        _greet(server, settings, aside=run.json_lines)
        info = await _hold(server, run, stop)
    return info.state is ClassState.ENDED


async def demo(settings: Settings, students: int, run: ClassRun) -> bool:
    """Run a class of drawn students; whether it ended well.

    Raises:
        NoUdp: the students' video could not be received on this machine.
        RunError: as ``join``.
    """
    udp_addresses()
    await asyncio.to_thread(_check_folder, run.reports)
    async with _stopping() as stop, serving(settings) as server:
        _greet(server, settings)
        click.echo(f"{_students(students)} drawn, joining over WebRTC; synthetic, nobody is looked at.")
        info = await _hold(server, run, stop, students=students)
    return info.state is ClassState.ENDED


async def _hold(server: Server, run: ClassRun, stop: asyncio.Event, students: int = 0) -> ClassInfo:
    """One class from start to report."""
    info = await server.sessions.start(run.room, run.title)
    click.echo(f"Live page:     {server.url}/classes/{info.id}", err=run.json_lines)
    if info.student_url is not None:
        click.echo(f"Student link:  {info.student_url}", err=run.json_lines)
        if limit := link_limit(info.student_url, info.analyses_faces):
            click.echo(limit, err=run.json_lines)
    running = server.sessions.running(info.id)
    stats = ClassStats() if running is None else running.stats
    news = News(server.store, info.id, run.json_lines)
    async with AsyncExitStack() as stack:
        if students and info.code is not None:
            await stack.enter_async_context(_drawn_students(server.url, info.code, students))
        first_mib = await _progress(server, info.id, run, news, stop)
        over = "It was ended from the terminal." if stop.is_set() else "Its time was over."
        ended = await server.sessions.end(info.id, over) or info
    report = await load_report(server.store, info.id, read_card(DEFAULT_MODEL))
    await news.read()
    windows = await server.store.windows(info.id)
    click.echo(f"Class {ended.state}: {ended.reason}", err=run.json_lines)
    click.echo(_figures(stats, windows, students, first_mib), err=run.json_lines)
    if report is not None:
        path = await asyncio.to_thread(_write, run.reports / f"{info.id}.html", to_html(report))
        click.echo(f"Report:        {path}", err=run.json_lines)
    return ended


def _check_folder(folder: Path) -> None:
    """See before a class whether its report can be written after it.

    Raises:
        RunError: it cannot.
    """
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise RunError(f"the report cannot be written into {folder}: give another --out")


def _write(path: Path, text: str) -> Path:
    """Write a report, and say where it is.

    Raises:
        RunError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise RunError(
            f"the class is kept, but its report cannot be written to {path} ({exc.strerror}): "
            f"`classmood report {path.stem} -o FILE` writes it elsewhere"
        ) from exc
    return path.resolve()


class News:
    """The windows of a class as they come, printed as JSON lines if asked for.

    Attributes:
        last: The newest window.
    """

    def __init__(self, store: Store, class_id: str, print_them: bool) -> None:
        """Nothing is read yet."""
        self._store, self._class_id, self._print_them = store, class_id, print_them
        self.last: WindowSummary | None = None

    async def read(self) -> None:
        """Take in what is new, or the next time, while the store cannot be read: the class goes on."""
        # Only the last window of a class may be shorter than a second: half of one never skips one.
        since_s = 0.0 if self.last is None else self.last.start_s + 0.5
        try:
            found = await self._store.windows(self._class_id, since_s)
        except StoreError as exc:
            _log.warning("windows cannot be read, trying again", reason=str(exc))
            return
        for window in found:
            self.last = window
            if self._print_them:
                click.echo(json.dumps(window.to_json()))


async def _progress(
    server: Server, class_id: str, run: ClassRun, news: News, stop: asyncio.Event
) -> float | None:
    """Show how the class goes until it ends; memory once it was warm, MiB."""
    loop = asyncio.get_running_loop()
    began_s, shown_s, first_mib = loop.time(), 0.0, None
    length_s = None if run.minutes is None else run.minutes * 60
    terminal = sys.stderr.isatty()
    with tqdm(
        total=None if length_s is None else round(length_s), unit="s", file=sys.stderr, leave=False,
        mininterval=0.5 if terminal else 15, ncols=100 if terminal else 80,
    ) as bar:  # fmt: skip
        while server.sessions.running(class_id) is not None and not stop.is_set():
            await news.read()
            if news.last is not None:
                bar.set_postfix_str(_now(news.last), refresh=False)
            now_s = loop.time() - began_s
            bar.update(int(now_s) - int(shown_s))
            shown_s = now_s
            if first_mib is None and now_s >= _WARM_S:
                first_mib = _resident_mib()
            if length_s is not None and now_s >= length_s:
                break
            await _wait(stop, min(1.0, (length_s or now_s + 1) - now_s))
    return first_mib


def _now(window: WindowSummary) -> str:
    """A window in a few words."""
    told = f"{window.analysed} of {window.participants} faces"
    if window.expressions is None:
        return told
    label, share = max(window.expressions.items(), key=lambda item: item[1])
    return f"{told}, {label} {share:.0%}"


def _figures(stats: ClassStats, windows: list[WindowSummary], students: int, first_mib: float | None) -> str:
    """The closing line: what was seen, how quickly, in how much memory."""
    parts = [f"{len(windows)} windows, {stats.samples} pictures looked at"]
    if students:
        full = sum(window.analysed >= students for window in windows)
        parts.append(f"all {_students(students)} analysed in {full} windows")
    reading_s, event_s = stats.reading_p95_s(), stats.event_p95_s()
    if reading_s is not None and event_s is not None:
        parts.append(
            f"95 % of pictures read within {reading_s:.2f} s of arriving, "
            f"95 % of windows on the page within {event_s:.2f} s of their end"
        )
    last_mib = _resident_mib()
    if first_mib is not None and last_mib is not None:
        parts.append(f"memory {first_mib:.0f} MiB after {_WARM_S:.0f} s, {last_mib:.0f} MiB at the end")
    return "; ".join(parts) + "."


def _students(count: int) -> str:
    return f"{count} student{'' if count == 1 else 's'}"


def _resident_mib() -> float | None:
    """Resident memory of this process, MiB, where the system tells it."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    lines = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(lines[0].split()[1]) / 1024 if lines else None


@asynccontextmanager
async def _drawn_students(url: str, code: str, count: int) -> AsyncIterator[None]:
    """Drawn students in a process of their own, as students on other machines are."""
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
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C interrupts the hard way."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await stop.wait()
    except TimeoutError:
        return


def _greet(server: Server, settings: Settings, *, aside: bool = False) -> None:
    """Say where the server is; ``aside``, on standard error, where its output is for a program."""
    if server.recovered:
        noun = "class was" if server.recovered == 1 else "classes were"
        click.echo(f"{server.recovered} {noun} cut off by a crash and kept as interrupted.", err=aside)
    if not settings.privacy.analyses_faces:
        click.echo("Profile eu-education: no face is looked at.", err=aside)
    click.echo(f"Host link:     {server.host_link}", err=aside)
    if settings.web.public_url is not None:
        click.echo(f"or elsewhere:  {settings.web.public_url.rstrip('/')}{server.host_path}", err=aside)
    click.echo("It lets one browser in, once; `classmood token` prints another.", err=aside)
