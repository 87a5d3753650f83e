"""Commands for the operator of the server: ``doctor`` and ``token``."""

from __future__ import annotations

import sys

import click

from bot.cli.options import FAILED, port_option, with_overrides, with_settings
from bot.config import Settings
from bot.doctor import Verdict, examine
from bot.host_links import fresh_link, key_store, rotate_token


@click.command(epilog="Example: classmood doctor --config config.yaml")
@with_settings
def doctor(settings: Settings) -> None:
    """Check the installation and say how to fix problems.

    Checks settings, models, database, port, host token, network, codec and the servers of rooms in the
    settings; changes nothing. "warn" means:
    works locally, but not enough for a class. The exit code is 1 if any check is WRONG.
    """
    counts = dict.fromkeys(Verdict, 0)
    for finding in examine(settings):
        counts[finding.verdict] += 1
        click.echo(f"{finding.verdict:<5}  {finding.subject}: {finding.text}")
    for verdict, noun in ((Verdict.WARN, "warning"), (Verdict.WRONG, "problem")):
        if number := counts[verdict]:
            click.echo(f"{number} {noun}{'' if number == 1 else 's'}.", err=True)
    if counts[Verdict.WRONG]:
        sys.exit(FAILED)


@click.command(
    epilog="Examples: classmood token  |  classmood token --rotate  (every browser then needs a new link)"
)
@click.option("--rotate", is_flag=True, help="Replace the host token; every cookie and link stops working.")
@port_option
@with_settings
def token(settings: Settings, rotate: bool, port: int | None) -> None:
    """Print a new host link, which lets one browser in, once.

    The link works on a running server and on one that is started later.
    """
    web, keys = with_overrides(settings, port).web, key_store(settings)
    new_token, link = rotate_token(web, keys) if rotate else (None, fresh_link(web, keys))
    if new_token is not None:
        click.echo(f"Host token:    {new_token}", err=True)
        click.echo("Save it now: it cannot be shown again.", err=True)
        click.echo("Programs send it as the header Authorization: Bearer TOKEN.", err=True)
    click.echo(link)
