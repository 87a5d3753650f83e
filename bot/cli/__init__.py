"""The command line: ``classmood`` and ``python -m bot``.

Every command takes ``--config``. An error is one line that says what to do. Exit codes: 0 success,
1 failure, 2 wrong arguments or settings, 130 interrupted by Ctrl-C.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from bot import runs
from bot.analyze.files import AnalyzeError
from bot.app import ServeError
from bot.cli.analyze import analyze
from bot.cli.live import demo, join, serve
from bot.cli.options import FAILED, INTERRUPTED, WRONG_USE
from bot.cli.stored import classes, purge, report
from bot.cli.upkeep import doctor, token
from bot.config import ConfigError
from bot.core_dumps import forbid_core_dumps
from bot.webrtc.network import NoUdp
from inference.errors import InferenceError
from reports.store import StoreError
from reports.web.controller import RoomRefused


class _OneLineErrors(click.Group):
    """Prints an expected error as one line and exits with its code; other errors keep their traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (ConfigError, RoomRefused) as exc:
            _exit(exc, WRONG_USE)
        except (StoreError, ServeError, runs.RunError, InferenceError, AnalyzeError, NoUdp) as exc:
            _exit(exc, FAILED)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)  # click would say "Aborted!" and exit with 1, as after an error


def _exit(exc: Exception, code: int) -> None:
    click.echo(f"classmood: {exc}", err=True)
    sys.exit(code)


@click.group(
    cls=_OneLineErrors,
    commands=[analyze, classes, demo, doctor, join, purge, report, serve, token],
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Try it: classmood demo",
)
@click.version_option(package_name="classmood")
def main() -> None:
    """Show the teacher of a video class how the class looks, in aggregate.

    Not for grading, discipline or attendance. For a class in the EU, set privacy.jurisdiction first.
    """
    forbid_core_dumps()
