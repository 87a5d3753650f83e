"""Commands on stored classes: ``report``, ``classes`` and ``purge``."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from bot.cli.options import run, with_settings
from bot.config import Settings
from bot.runs import RunError
from inference.classifier import DEFAULT_MODEL
from inference.engine import read_card
from reports.document.class_report import load_report
from reports.document.csv_table import to_csv
from reports.document.formatting import local
from reports.document.rendering import to_html, to_json
from reports.store import Store, StoreError

_CLOCK_DOUBTED: Final = timedelta(days=30)
"""``purge`` doubts the clock if no class began in this time before now."""

_RENDERERS = {"html": to_html, "csv": to_csv, "json": to_json}


@click.command(epilog="Examples: classmood report 3f2a…  |  classmood report 3f2a… --format csv -o class.csv")
@click.argument("class_id")
@click.option(
    "--format",
    "kind",
    type=click.Choice(list(_RENDERERS)),
    default="html",
    show_default=True,
    help="Format of the report.",
)
@click.option(
    "-o",
    "out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; by default standard output.",
)
@with_settings
def report(settings: Settings, class_id: str, kind: str, out: Path | None) -> None:
    """Write the report of the class CLASS_ID, the same as on its page."""
    with Store.open_reading(settings.store.url) as store:
        loaded = run(load_report(store, class_id, read_card(DEFAULT_MODEL)))
    if loaded is None:
        raise click.BadParameter(f"list the classes with `classmood classes`: there is no class {class_id!r}")
    text = _RENDERERS[kind](loaded)
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_bytes(text.encode())
    except OSError as exc:
        raise RunError(f"give another -o: {out} cannot be written ({exc.strerror})") from exc


@click.command(epilog="Example: classmood classes")
@with_settings
def classes(settings: Settings) -> None:
    """List the stored classes, newest first, with times in this machine's time zone."""
    with Store.open_reading(settings.store.url) as store:
        stored = run(store.classes())
    for info in stored:
        click.echo(f"{info.id}  {local(info.started_at):<26}  {info.state.value:<12}  {info.title}")
    if not stored:
        click.echo("Try `classmood demo`: no class is stored yet.", err=True)


@click.command(epilog="Examples: classmood purge  |  classmood purge --older-than 30")
@click.option(
    "--older-than",
    type=click.IntRange(0, 36_500),
    metavar="DAYS",
    help="Age in days from which classes are deleted; by default privacy.retention_days.",
)
@click.option("--clock-is-right", is_flag=True, help="Delete even if no class was held for a month.")
@with_settings
def purge(settings: Settings, older_than: int | None, clock_is_right: bool) -> None:
    """Delete classes and individual data whose retention time is over.

    Nothing is deleted if the newest class is more than 30 days old, because the clock may be wrong.
    """
    days = settings.privacy.retention_days if older_than is None else older_than
    individual = timedelta(hours=settings.privacy.individual_hours)
    now = datetime.now(UTC)
    with closing(Store.open(settings.store.url, migrating=False)) as store:
        # Retention starts at a class's end. A class that a crash cut off has no end before this.
        run(store.recover(now))
        newest_first = run(store.classes(limit=1))
        if newest_first and not clock_is_right and now - newest_first[0].started_at > _CLOCK_DOUBTED:
            raise StoreError(
                f"check the clock, then repeat with --clock-is-right: it says {now:%Y-%m-%d}, but the newest "
                f"class began on {newest_first[0].started_at:%Y-%m-%d}"
            )
        count = run(store.purge(now, timedelta(days=days), individual))
    click.echo(f"{count} class{'' if count == 1 else 'es'} deleted.")
